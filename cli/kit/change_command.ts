/**
 * The command of `gxensemble watch --exec`.
 *
 * @module
 */
import { escapeControls } from "../../runtime/safe_text.ts";
import { within } from "../../runtime/timeout.ts";
import type { WatchedChange } from "../../runtime/server/registry_view.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { changeToJson } from "./listing.ts";
import { printError, printNotice } from "./output.ts";

/** The time after which a command that still runs is reported, in ms. */
const TOLERATED_TIME = 10_000;

/**
 * Runs a shell command for a change, and waits until it has ended. Reports a command that fails or
 * takes long.
 */
export async function runForChange(command: string, change: WatchedChange): Promise<void> {
  const what = `the command for "${change.change} ${change.id}"`;
  try {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", command],
      env: environmentOf(change),
      stdin: "piped",
    }).spawn();
    const input = feed(child.stdin, `${JSON.stringify(changeToJson(change))}\n`);
    if (!await within(TOLERATED_TIME, child.status)) {
      printNotice(`${what} (pid ${child.pid}) is still running; later changes wait for it`);
    }
    const { code, signal } = await child.status;
    await input;
    if (signal) printError(`${what} was ended by ${signal}`);
    else if (code !== 0) printError(`${what} failed with exit code ${code}`);
  } catch (error) {
    printError(`cannot run ${what}: ${(error as Error).message}`);
  }
}

/**
 * The change as environment variables. Lists are separated by spaces. Control characters are
 * escaped; the JSON has the exact texts.
 */
function environmentOf({ change, id, roles, entry }: WatchedChange): Record<string, string> {
  const addresses = entry?.addresses.map(formatAddressUrl) ?? [];
  const variables = {
    ENSEMBLE_CHANGE: change,
    ENSEMBLE_SERVER: id,
    ENSEMBLE_ROLES: roles.join(" "),
    ENSEMBLE_STATE: entry?.state ?? "",
    ENSEMBLE_ADDRESSES: addresses.join(" "),
  };
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => [name, escapeControls(value)]),
  );
}

/** Writes a text to a command that may not read it. */
async function feed(input: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = input.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It has closed its standard input, or has ended.
  }
}
