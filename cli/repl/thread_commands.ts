/**
 * The control commands that look at a server's actors.
 *
 * @module
 */
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { formatActor, formatBacktrace, formatGroup } from "../thread_listing.ts";
import type { ControlCommand, ControlContext } from "./control_command.ts";

/** `,(thread-state)`, `,(thread-state -g)`, `,(thread-state sn)`. */
export const threadState: ControlCommand = {
  names: ["thread-state"],
  forms: [
    [",(thread-state)", "display the thread state for the primordial thread group"],
    [",(thread-state -g)", "display the thread state for all thread groups recursively"],
    [
      ",(thread-state sn)",
      "display the thread state for a thread or group identified by its serial number",
    ],
  ],
  run([which, ...rest], context) {
    if (rest.length > 0) return;
    if (which === undefined || which === "-g") return show(undefined, which === "-g", context);
    const serial = readSerial(which);
    return serial === undefined ? undefined : show(serial, false, context);
  },
};

/** `,(thread-backtrace sn)`. */
export const threadBacktrace: ControlCommand = {
  names: ["thread-backtrace"],
  forms: [
    [
      ",(thread-backtrace sn)",
      "display a backtrace for a thread identified by its serial number",
    ],
  ],
  run([which, ...rest], context) {
    const serial = readSerial(which ?? "");
    return serial === undefined || rest.length > 0 ? undefined : trace(serial, context);
  },
};

async function show(
  serial: number | undefined,
  recursive: boolean,
  { actors, server, print }: ControlContext,
): Promise<void> {
  const request = serial === undefined ? {} : { serial };
  const info = await controlClient(actors, server).threadState(request);
  const lines = "state" in info ? formatActor(info) : formatGroup(info, { recursive });
  lines.forEach(print);
}

async function trace(serial: number, { actors, server, print }: ControlContext): Promise<void> {
  const backtrace = await controlClient(actors, server).threadBacktrace({ serial });
  formatBacktrace(backtrace).forEach(print);
}

function readSerial(text: string): number | undefined {
  return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
