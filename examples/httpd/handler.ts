/**
 * Handlers to load into a running HTTP server: `gxensemble load -f httpd1
 * examples/httpd/handler.ts`.
 *
 * @module
 */
import { currentHttpServer, type HttpResponse, registerHandler } from "./httpd.ts";

/** The greeting that {@linkcode writeSimpleHandler} sends. */
export let greeting = "hello there!\n";

/** Changes the greeting. */
export function setGreeting(what: string): void {
  greeting = what;
}

/** Sends the greeting in one piece. */
export function writeSimpleHandler(_request: Request, response: HttpResponse): void {
  response.write(200, { "Content-Type": "text/plain" }, greeting);
}

/** Sends a response in chunks. */
export async function writeChunkedHandler(
  _request: Request,
  response: HttpResponse,
): Promise<void> {
  response.begin(200, { "Content-Type": "text/plain" });
  await response.chunk("hello ");
  await response.chunk("there!\n");
  await response.end();
}

/** Handles the root path. */
export function rootHandler(_request: Request, response: HttpResponse): void {
  response.write(200, {}, "the world is not flat but round!\n");
}

/** Registers these handlers. `load` also calls it when an earlier version becomes current again. */
export function install(): void {
  registerHandler(currentHttpServer(), "/", rootHandler);
}

install();
