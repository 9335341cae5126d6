/**
 * What a server has written, as its supervisor keeps it.
 *
 * @module
 */
import { supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import type { OutputPosition } from "../../supervisor/supervised_servers_protocol.ts";
import { printNotice } from "../kit/output.ts";
import { selectServers } from "./chosen_supervisors.ts";
import type { ControlOptions } from "./control_options.ts";
import { withControl } from "./control_work.ts";
import { RemoteOutput } from "./remote_output.ts";

/** How long the supervisor waits for more, and how long the answer may take beyond that, in ms. */
const WAIT = 20_000;
const PATIENCE = 10_000;

/** What is printed. */
export interface ServerOutputOptions extends ControlOptions {
  /** The number of last lines. */
  readonly lines: number;
  /** Whether to go on with what comes. */
  readonly follow: boolean;
}

/** Prints the last lines of a server's output, and goes on with what it writes if told so. */
export async function printServerOutput(id: string, options: ServerOutputOptions): Promise<void> {
  await withControl(options, async (context) => {
    const [owned] = await selectServers(context, { ...options, ids: [id] });
    const supervisor = supervisorClient(context.actors, owned!.supervisor);
    const output = new RemoteOutput();
    let after: OutputPosition | undefined;
    for (;;) {
      const read = await supervisor.readOutput({
        id,
        lines: options.lines,
        ...after && { after },
        ...options.follow && after && { wait: WAIT },
      }, { timeout: WAIT + PATIENCE });
      if (read.lost) printNotice("... older output is gone");
      output.write("stdout", read.bytes);
      after = read.position;
      if (!output.hasReader) return;
      if (read.bytes.length === 0 && !options.follow) return;
    }
  });
}
