/**
 * Handlers to load into a running HTTP server: `gxensemble load -f httpd1 examples/httpd/handler.ts`.
 *
 * @module
 */
import { currentHttpServer, type HttpResponse, registerHandler } from "./httpd.ts";

/** What {@linkcode writeSimpleHandler} answers. */
export let greeting = "hello there!\n";

/** Changes the greeting. */
export function setGreeting(what: string): void {
  greeting = what;
}

/** Answers with the greeting, written whole. */
export function writeSimpleHandler(_request: Request, response: HttpResponse): void {
  response.write(200, { "Content-Type": "text/plain" }, greeting);
}

/** Answers in chunks. */
export async function writeChunkedHandler(
  _request: Request,
  response: HttpResponse,
): Promise<void> {
  response.begin(200, { "Content-Type": "text/plain" });
  await response.chunk("hello ");
  await response.chunk("there!\n");
  await response.end();
}

/** Answers at the root. */
export function rootHandler(_request: Request, response: HttpResponse): void {
  response.write(200, {}, "the world is not flat but round!\n");
}

/** Puts these handlers in place; `load` calls it when an earlier version becomes current again. */
export function install(): void {
  registerHandler(currentHttpServer(), "/", rootHandler);
}

install();
