/**
 * Reports of thrown values: on one line for users, and in full for a REPL and a log, with stacks,
 * causes, and the members of an AggregateError.
 *
 * @module
 */
import {
  ActorError,
  DisconnectedError,
  EnsembleError,
  ProtocolError,
  TimeoutError,
} from "./errors.ts";
import { inspectBounded } from "./inspection.ts";
import { shorten } from "./safe_text.ts";

/** Errors that report a failure elsewhere to their caller. */
const FAILURES = [ActorError, TimeoutError, DisconnectedError, ProtocolError];

/**
 * The maximum length of a thrown value's text, in UTF-16 code units: errors of compilers are long.
 */
export const MAX_THROWN_LENGTH = 100_000;

/**
 * Describes a thrown value for users: the message of an error; any other value as inspected. Never
 * throws, even for a proxy or a getter that throws.
 */
export function describeThrown(thrown: unknown): string {
  try {
    if (thrown instanceof Error && typeof thrown.message === "string") {
      return shorten(
        thrown.message === "" ? String(thrown.name) : thrown.message,
        MAX_THROWN_LENGTH,
      );
    }
    return inspectBounded(thrown, { limit: MAX_THROWN_LENGTH });
  } catch {
    return "something that cannot be shown";
  }
}

/** Returns a thrown value if it is an error. A value that throws when inspected is not one. */
export function asError(thrown: unknown): Error | undefined {
  try {
    return thrown instanceof Error ? thrown : undefined;
  } catch {
    return undefined; // A proxy whose trap throws.
  }
}

/**
 * Whether an error was thrown on purpose, to refuse a request. Its message is complete, and its
 * stack would only show the code that checks.
 */
export function isRefusal(error: unknown): error is EnsembleError {
  return error instanceof EnsembleError && !FAILURES.some((kind) => error instanceof kind);
}

/**
 * Calls a function with unhandled errors: rejections, and errors of timers and events. Until
 * disposed, they do not end the process.
 */
export function onUnhandled(
  listener: (thrown: unknown, what: "unhandled rejection" | "uncaught error") => void,
): Disposable {
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    listener(event.reason, "unhandled rejection");
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    listener(event.error, "uncaught error");
  };
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  return {
    [Symbol.dispose]() {
      removeEventListener("unhandledrejection", onRejection);
      removeEventListener("error", onError);
    },
  };
}

/** The locations of this project's own files, whose frames are not where code failed. */
const MACHINERY = ["./", "../cli/", "../registry/"].map((path) =>
  new URL(path, import.meta.url).href
);

/** A stack line with a position. */
const FRAME = /^ +at /;

/** Positions in Deno itself, and in the command line parser. */
const INTERNAL = /(?:\(|at |async )(?:ext|node):|\/commander\/[\d.]+\/lib\/command\.js:/;

/** The maximum number of causes and members in a report, at all depths together. */
const MAX_PARTS = 20;

/** The properties of an error that a report shows in other ways. */
const OWN_LINES = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * Reports a thrown value on one or more lines: for an error, its stack without internal frames, its
 * properties, members and causes; any other value as inspected. Never throws.
 *
 * @param limit the maximum length, in UTF-16 code units.
 */
export function reportThrown(thrown: unknown, limit: number = MAX_THROWN_LENGTH): string {
  const linesOf = (error: Error) => [
    ...ownFrames(shorten(stackOf(error), limit).split("\n")),
    ...propertiesOf(error, limit),
  ];
  const report = new Report({ limit, linesOf });
  return shorten(report.of(thrown).join("\n"), limit);
}

/**
 * Reports a thrown value for users: {@linkcode describeThrown}, and on further lines the names and
 * messages of its members and causes, except repetitions, such as the cause of a failed ask. Never
 * throws.
 */
export function explainThrown(thrown: unknown): string {
  return [describeThrown(thrown), ...explainParts(thrown)].join("\n");
}

/** The further lines of {@linkcode explainThrown}. */
export function explainParts(thrown: unknown): string[] {
  const limit = MAX_THROWN_LENGTH;
  if (!asError(thrown)) return [];
  const report = new Report({
    limit,
    linesOf: (error) => [shorten(`${error.name}: ${error.message}`, limit)],
    isRepeated: (cause, error) => asError(cause)?.message === error.message,
  });
  const text = report.of(thrown).slice(1).join("\n");
  return text === "" ? [] : shorten(text, limit).split("\n");
}

/** Options of a report. */
interface ReportOptions {
  /** The maximum length of one part, in UTF-16 code units. */
  readonly limit: number;
  /** The lines for an error itself. */
  readonly linesOf: (error: Error) => string[];
  /** Whether to leave out a cause, except for its own parts. */
  readonly isRepeated?: (cause: unknown, error: Error) => boolean;
}

/**
 * A report of one thrown value. Its parts are counted together, since errors may contain each
 * other.
 */
class Report {
  readonly #options: ReportOptions;
  #left = MAX_PARTS;

  /** Creates an empty report. */
  constructor(options: ReportOptions) {
    this.#options = options;
  }

  of(thrown: unknown): string[] {
    try {
      return thrown instanceof Error ? this.#ofError(thrown) : preview(thrown, this.#options.limit);
    } catch {
      return [describeThrown(thrown)]; // A proxy, or a getter that throws.
    }
  }

  #ofError(error: Error): string[] {
    const lines = this.#options.linesOf(error);
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    for (const part of Array.isArray(errors) ? errors.slice(0, MAX_PARTS) : []) {
      if (this.#left-- > 0) lines.push(...indent(this.of(part)));
    }
    if (cause !== undefined && this.#left-- > 0) {
      const [first, ...rest] = this.of(cause);
      if (!this.#options.isRepeated?.(cause, error)) lines.push(`Caused by: ${first}`);
      lines.push(...rest);
    }
    return lines;
  }
}

function propertiesOf(error: Error, limit: number): string[] {
  const properties = Object.entries(error).filter(([key]) => !OWN_LINES.has(key));
  return properties.length === 0 ? [] : indent(preview(Object.fromEntries(properties), limit));
}

function preview(value: unknown, limit: number): string[] {
  return inspectBounded(value, { limit }).split("\n");
}

/**
 * An error's stack with its current name, since a class sets its name after the stack was captured.
 */
function stackOf({ name, message, stack }: Error): string {
  if (!stack) return `${name}: ${message}`;
  return name !== "Error" ? stack.replace(/^Error(?=[:\n]|$)/, () => name) : stack;
}

/** A stack without the frames of the runtime and of Deno, and without built-ins that they call. */
function ownFrames(stack: readonly string[]): string[] {
  const lines: string[] = [];
  let builtIns: string[] = [];
  for (const line of stack) {
    if (FRAME.test(line) && line.endsWith("(<anonymous>)")) {
      builtIns.push(line);
      continue;
    }
    if (!isOfMachinery(line)) lines.push(...builtIns, line);
    builtIns = [];
  }
  // In an executable, all code is in one place; and an error of the runtime itself has no other
  // frames.
  return lines.some((line) => FRAME.test(line)) ? lines : [...stack];
}

function isOfMachinery(line: string): boolean {
  return FRAME.test(line) &&
    (INTERNAL.test(line) || MACHINERY.some((directory) => line.includes(directory)));
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
