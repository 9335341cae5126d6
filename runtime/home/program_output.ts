/**
 * The output of a server's program.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { type StandardStream, standardStream } from "./standard_stream.ts";
import { isTelemetryOn } from "./telemetry_variables.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The class of Deno's console. Levels above 1 go to standard error. */
type ConsoleClass = new (print: (text: string, level: number) => void) => Console;

type Method = (this: unknown, ...values: unknown[]) => unknown;

/** The parameter lists of `write` of a Node.js stream. */
type WriteArguments = [
  data: string | Uint8Array,
  encodingOrDone?: BufferEncoding | (() => void),
  done?: () => void,
];

let isInstalled = false;

/**
 * Makes `console` and `process.stdout.write` of this process print through {@linkcode
 * StandardStream}s from now on. Deno's own throw when the terminal has closed or the disk is full,
 * and block the whole process while a pipe is not read. What the program itself has replaced is
 * left alone.
 */
export function installProgramOutput(): void {
  if (isInstalled) return;
  isInstalled = true;
  const output = new PrintedOutput("stdout", "standard output");
  const errors = new PrintedOutput("stderr", "standard error");
  const made = makeConsole((text, level) => (level > 1 ? errors : output).print(text));
  for (const [name, method] of Object.entries(console) as [keyof Console, unknown][]) {
    if (typeof method !== "function" || !isBuiltIn(method)) continue;
    const own = made?.[name] as Method | undefined;
    const replacement = own ? alsoInDebugger(name, own.bind(made)) : silent(method as Method);
    Object.assign(console, { [name]: replacement });
  }
  replaceWrite("stdout", output);
  replaceWrite("stderr", errors);
}

/**
 * Prints to a stream, and logs when output is lost, and how much when the stream accepts output
 * again.
 */
class PrintedOutput {
  readonly #name: string;
  readonly #stream: StandardStream;
  #lost = 0;

  constructor(stream: "stdout" | "stderr", name: string) {
    this.#name = name;
    this.#stream = standardStream(stream);
  }

  print(data: string | Uint8Array): void {
    const error = this.#stream.write(data);
    const lost = this.#lost;
    this.#lost = error ? lost + 1 : 0;
    const name = this.#name;
    if (error && lost === 0) {
      logger.warn("output to {name} is lost: {reason}", { name, reason: error.message });
    } else if (!error && lost > 0) {
      logger.warn("{name} accepts output again; {lost} texts were lost", { name, lost });
    }
  }
}

/**
 * Makes a console that prints as the global one does. Only Deno's own class does so exactly, and
 * this is the only access to it. Returns undefined if there is none, or if Deno also sends console
 * output elsewhere, as telemetry.
 */
function makeConsole(print: (text: string, level: number) => void): Console | undefined {
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = (Deno as unknown as Record<symbol, { Console?: ConsoleClass } | undefined>)[
    internal
  ];
  if (!internals?.Console || isTelemetryOn()) return undefined;
  return new internals.Console(print);
}

/** Whether a function is built in, rather than the program's. */
function isBuiltIn(method: object): boolean {
  return Function.prototype.toString.call(method).endsWith("{ [native code] }");
}

/** Prints in an attached debugger, too. */
function alsoInDebugger(name: keyof Console, method: Method): Method {
  let debuggers: Method | undefined;
  return (...values) => {
    debuggers ??= findDebugger()?.[name] as Method | undefined ?? (() => {});
    debuggers(...values);
    return method(...values);
  };
}

/** Found on first use, as it takes a few milliseconds. */
function findDebugger(): Console | undefined {
  return process.getBuiltinModule("node:inspector").console as unknown as Console | undefined;
}

/** Wraps a function so that it never throws. */
function silent(method: Method): Method {
  return function (...values) {
    try {
      return method.apply(this, values);
    } catch {
      // Its output has nowhere to go.
    }
  };
}

/** Created on first use, as Node's streams take a few milliseconds. */
function replaceWrite(name: "stdout" | "stderr", output: PrintedOutput): void {
  const { get, ...descriptor } = Object.getOwnPropertyDescriptor(process, name)!;
  if (!get) return;
  const write = (...[data, encodingOrDone, done]: WriteArguments) => {
    const encoding = typeof encodingOrDone === "string" ? encodingOrDone : "utf8";
    output.print(typeof data === "string" ? Buffer.from(data, encoding) : data);
    const callback = typeof encodingOrDone === "function" ? encodingOrDone : done;
    if (callback) queueMicrotask(callback);
    return true;
  };
  Object.defineProperty(process, name, {
    ...descriptor,
    get: () => Object.assign(get.call(process), { write }),
  });
}
