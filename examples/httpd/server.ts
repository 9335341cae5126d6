/**
 * An HTTP server without handlers, which are loaded while it runs.
 *
 * @module
 */
import { startHttpServer } from "./httpd.ts";

/** Serves HTTP on the port until the signal, if any, is aborted. */
export async function run(port: number, signal?: AbortSignal): Promise<void> {
  const server = startHttpServer({ port, ...(signal && { signal }) });
  await server.finished;
}
