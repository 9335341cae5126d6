/**
 * What was thrown, which may be anything: in one line, for people who did not write the code, and in full, as a
 * REPL and a log show it, with stacks, causes, and the members of an AggregateError.
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

/** Errors that report a failure elsewhere to the code that they reach. */
const FAILURES = [ActorError, TimeoutError, DisconnectedError, ProtocolError];

/** The longest text of something thrown, in UTF-16 code units: errors of compilers are long. */
export const MAX_THROWN_LENGTH = 100_000;

/**
 * What was thrown, for people: the message of an error, the rest as inspection shows it. Never throws,
 * though a proxy or a getter may when it is looked at.
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

/** A thrown value if it is an error. A value that throws when it is looked at counts as none. */
export function asError(thrown: unknown): Error | undefined {
  try {
    return thrown instanceof Error ? thrown : undefined;
  } catch {
    return undefined; // A proxy whose trap throws.
  }
}

/**
 * Whether an error was thrown on purpose, to refuse a request or to say why it cannot be done. Its message says
 * everything: its stack would show the code that checks, and not code that failed.
 */
export function isRefusal(error: unknown): error is EnsembleError {
  return error instanceof EnsembleError && !FAILURES.some((kind) => error instanceof kind);
}

/**
 * Calls a function with what is thrown and handled nowhere: rejections, and errors of timers and events. Until this is
 * disposed of, they do not end the process.
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

/** Where this project's own files are: their frames say nothing about the code that failed. */
const MACHINERY = ["./", "../cli/", "../registry/"].map((path) =>
  new URL(path, import.meta.url).href
);

/** A line of a stack that names a place. */
const FRAME = /^ +at /;

/** The places of Deno itself, and of what reads command lines. */
const INTERNAL = /(?:\(|at |async )(?:ext|node):|\/commander\/[\d.]+\/lib\/command\.js:/;

/** How many causes and members are shown, at all depths together. */
const MAX_PARTS = 20;

/** The properties of an error that a report shows in another way. */
const OWN_LINES = new Set(["name", "message", "stack", "cause", "errors"]);

/**
 * What was thrown, on one or more lines: of an error its stack without the frames of the machinery, its
 * properties, the errors it is made of and its causes; of anything else what inspection shows. Never throws.
 *
 * @param limit the longest text, in UTF-16 code units.
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
 * What was thrown, for a person who did not write it: as {@linkcode describeThrown} says it, and on further lines the
 * names and messages of the errors it is made of and of its causes, but for those that say the same, as the cause
 * of a failed ask does. Never throws.
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

/** What is reported. */
interface ReportOptions {
  /** The longest text of one part, in UTF-16 code units. */
  readonly limit: number;
  /** What an error has besides its parts. */
  readonly linesOf: (error: Error) => string[];
  /** Whether a cause is left out, but for its own parts. */
  readonly isRepeated?: (cause: unknown, error: Error) => boolean;
}

/** A report of one thing that was thrown. Its parts are counted together, for errors may contain each other. */
class Report {
  readonly #options: ReportOptions;
  #left = MAX_PARTS;

  /** Makes an empty one. */
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

/** An error's stack, with the name that it has now: a class that sets its name does so after the stack was captured. */
function stackOf({ name, message, stack }: Error): string {
  if (!stack) return `${name}: ${message}`;
  return name !== "Error" ? stack.replace(/^Error(?=[:\n]|$)/, () => name) : stack;
}

/** A stack without the frames of the runtime and of Deno, and without the built-ins that these call. */
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
  // In an executable all code is in one place; and an error of the runtime itself has no other frames.
  return lines.some((line) => FRAME.test(line)) ? lines : [...stack];
}

function isOfMachinery(line: string): boolean {
  return FRAME.test(line) &&
    (INTERNAL.test(line) || MACHINERY.some((directory) => line.includes(directory)));
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `    ${line}`);
}
