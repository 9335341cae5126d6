/**
 * The HTTP server as a service: `gxensemble run httpd1 examples/httpd/httpd_svc.ts 8080`.
 *
 * @module
 */
import { currentServer } from "@gxensemble/ensemble";
import { run } from "./server.ts";

/** The entry point that `gxensemble run` calls with the command line's arguments. */
export async function main(port = "8080"): Promise<void> {
  await run(Number(port), currentServer().signal);
}
