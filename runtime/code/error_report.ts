/**
 * What evaluated code throws, as a REPL shows it.
 *
 * @module
 */
import { cut, previewValue } from "./preview.ts";
import { describeThrown } from "../thrown.ts";

/** Where the files of the runtime are: their frames say nothing about the code that failed. */
const RUNTIME = new URL("../", import.meta.url).href;

/** The places of Deno itself. */
const INTERNAL = /(?:\(|at |async )(?:ext|node):/;

/** How many causes are shown. */
const MAX_CAUSES = 20;

/** Shown by themselves. */
const OWN_LINES = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * `Uncaught ` and what was thrown: of an error its stack without the frames of the machinery, its
 * properties, the errors it is made of and its causes; of anything else its preview.
 */
export function reportThrown(thrown: unknown): string {
  return cut(`Uncaught ${report(thrown, MAX_CAUSES).join("\n")}`);
}

function report(thrown: unknown, left: number): string[] {
  try {
    return thrown instanceof Error ? reportError(thrown, left) : previewValue(thrown).split("\n");
  } catch {
    return [describeThrown(thrown)]; // A proxy, or a getter that throws.
  }
}

function reportError(error: Error, left: number): string[] {
  const lines = ownFrames(error.stack || `${error.name}: ${error.message}`);
  const properties = Object.entries(error).filter(([key]) => !OWN_LINES.has(key));
  if (properties.length > 0) {
    lines.push(...indent(previewValue(Object.fromEntries(properties)).split("\n")));
  }
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  if (left === 0) return lines;
  for (const part of Array.isArray(errors) ? errors.slice(0, left) : []) {
    lines.push(...indent(report(part, left - 1)));
  }
  if (cause !== undefined) {
    const [first, ...rest] = report(cause, left - 1);
    lines.push(`Caused by: ${first}`, ...rest);
  }
  return lines;
}

/** A stack without the frames of the runtime and of Deno, and without the built-ins that these call. */
function ownFrames(stack: string): string[] {
  const lines: string[] = [];
  let builtIns: string[] = [];
  for (const line of cut(stack).split("\n")) {
    if (/^ +at /.test(line) && line.endsWith("(<anonymous>)")) {
      builtIns.push(line);
      continue;
    }
    const isMachinery = /^ +at /.test(line) && (line.includes(RUNTIME) || INTERNAL.test(line));
    if (!isMachinery) lines.push(...builtIns, line);
    builtIns = [];
  }
  return lines;
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
