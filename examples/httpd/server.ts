/**
 * An HTTP server without any handlers: they are loaded while it runs.
 *
 * @module
 */
import { startHttpServer } from "./httpd.ts";

/** Serves HTTP at the port until the signal, if any, ends it. */
export async function run(port: number, signal?: AbortSignal): Promise<void> {
  const server = startHttpServer({ port, ...(signal && { signal }) });
  await server.finished;
}
