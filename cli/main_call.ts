/**
 * Calling the `main` of a module.
 *
 * @module
 */
import { explainParts } from "../runtime/error_report.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { asError, describeThrown } from "../runtime/thrown.ts";

/** The runtime, which programs call, and what calls them: their frames are not where a program failed. */
const MACHINERY = ["../runtime/", "./"].map((path) => new URL(path, import.meta.url).href);

/**
 * Calls `main` with the arguments of a command line, and waits for its end.
 *
 * @param whose what its errors call it: `main of httpd_svc.ts`.
 * @param hint what else a person should know when it fails.
 * @throws {EnsembleError} when it is no function, or it fails: with what it threw, and the place in the author's
 * files where that was.
 */
export async function callMain(
  main: unknown,
  { whose, args, hint }: { whose: string; args: readonly string[]; hint?: string },
): Promise<void> {
  if (typeof main !== "function") throw new EnsembleError(`${whose} is no function`);
  try {
    await main(...args);
  } catch (thrown) {
    const lines = [`${whose} failed: ${describeFailure(thrown)}`, ...hint ? [hint] : []];
    throw new EnsembleError(lines.join("\n"), { cause: thrown });
  }
}

/** What was thrown, the place in the author's files where it was, and why. */
function describeFailure(thrown: unknown): string {
  const [place] = (stackOf(thrown).match(/\bfile:\S+:\d+:\d+/g) ?? [])
    .filter((place) => !MACHINERY.some((directory) => place.startsWith(directory)));
  const reason = place ? `${describeThrown(thrown)}, at ${place}` : describeThrown(thrown);
  return [reason, ...explainParts(thrown)].join("\n");
}

function stackOf(thrown: unknown): string {
  try {
    return String(asError(thrown)?.stack ?? "");
  } catch {
    return ""; // A proxy, or a getter that throws.
  }
}
