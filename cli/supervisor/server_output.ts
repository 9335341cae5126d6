/**
 * What a server has written, as its supervisor keeps it.
 *
 * @module
 */
import { EnsembleError, type ErrorCode } from "../../runtime/errors.ts";
import { supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import type { OutputPart, OutputPosition } from "../../supervisor/supervised_servers_protocol.ts";
import { printNotice } from "../kit/output.ts";
import { selectServers } from "./chosen_supervisors.ts";
import type { ControlOptions } from "./control_options.ts";
import { withControl } from "./control_work.ts";
import { RemoteOutput } from "./remote_output.ts";

/** How long the supervisor waits for more, and how long the answer may take beyond that, in ms. */
const WAIT = 20_000;
const PATIENCE = 10_000;

/** How long a supervisor may be away while its output is followed, and the interval of retries, in ms. */
const MOST_AWAY = 60_000;
const RETRY = 500;

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
    for (let lostAt: number | undefined;;) {
      const query = {
        id,
        lines: options.lines,
        ...after && { after },
        ...options.follow && after && { wait: WAIT },
      };
      let read: OutputPart;
      try {
        read = await supervisor.readOutput(query, { timeout: WAIT + PATIENCE });
        lostAt = undefined;
      } catch (error) {
        // The supervisor may be restarted. The server writes on meanwhile.
        if (!options.follow || !after || !isLoss(error)) throw error;
        if (lostAt === undefined) printNotice(`... ${owned!.supervisor} is away, trying again`);
        lostAt ??= performance.now();
        if (performance.now() - lostAt > MOST_AWAY) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY));
        continue;
      }
      if (read.lost) printNotice("... older output is gone");
      output.write("stdout", read.bytes);
      after = read.position;
      if (!output.hasReader) return;
      if (read.bytes.length === 0 && !options.follow) return;
    }
  });
}

/** The codes of errors that a restart of the supervisor causes. */
const LOSSES: readonly ErrorCode[] = [
  ...["ACTOR_ENDED", "DISCONNECTED", "NO_REGISTRY", "SERVER_STOPPING", "UNKNOWN_ACTOR"] as const,
  "UNKNOWN_SERVER",
];

function isLoss(error: unknown): boolean {
  return error instanceof EnsembleError && LOSSES.includes(error.code);
}
