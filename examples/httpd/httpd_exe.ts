/**
 * The HTTP server as a program of its own: `httpd_exe.ts [--registry <addresses>] <server-id>
 * [<port>]`.
 *
 * The program does by itself what `gxensemble run` does for a module, so that it can be shipped as
 * one executable.
 *
 * @module
 */
import { parseArgs } from "node:util";
import * as ensemble from "@gxensemble/ensemble";
import * as handlers from "./httpd.ts";
import { run } from "./server.ts";

/** Reads the command line and runs the server in the ensemble until it is shut down. */
export async function main(args: string[]): Promise<void> {
  const { values, positionals: [serverId, port = "8080"] } = parseArgs({
    args,
    options: { registry: { type: "string", default: "" } },
    allowPositionals: true,
  });
  if (serverId === undefined) {
    throw new ensemble.InvalidInputError(
      "usage: httpd_exe [--registry <addresses>] <server-id> [<port>]",
    );
  }
  await ensemble.runServer(
    serverId,
    ({ signal }) => run(Number(port), signal),
    {
      roles: ["httpd"],
      registry: [values.registry],
      // Modules that are loaded later share this module with the program.
      library: { "examples/httpd/httpd.ts": handlers },
    },
  );
}

if (import.meta.main) {
  try {
    await main(Deno.args);
  } catch (error) {
    console.error(`httpd_exe: error: ${(error as Error).message}`);
    Deno.exitCode = 1;
  }
}
