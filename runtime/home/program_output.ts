/**
 * What the program of a server prints.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import process from "node:process";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { type StandardStream, standardStream } from "./standard_stream.ts";

const logger = getLogger(["gxensemble", "server"]);

/** The class of Deno's console. Levels above 1 are for standard error. */
type ConsoleClass = new (print: (text: string, level: number) => void) => Console;

type Method = (this: unknown, ...values: unknown[]) => unknown;

/** The ways to call `write` of a stream of Node.js. */
type WriteArguments = [
  data: string | Uint8Array,
  encodingOrDone?: BufferEncoding | (() => void),
  done?: () => void,
];

let isInstalled = false;

/**
 * Makes `console` and `process.stdout.write` of this process print through {@linkcode StandardStream}s from now on.
 * Those of Deno throw when the terminal has closed or the disk is full, and block the whole process while a pipe is not
 * read. What the program has replaced is left alone.
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

/** What is printed to a stream. When some of it is lost the log says so, and how much when the stream takes more. */
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
      logger.warn("what is printed to {name} is lost: {reason}", { name, reason: error.message });
    } else if (!error && lost > 0) {
      logger.warn("{name} takes more; {lost} texts were lost", { name, lost });
    }
  }
}

/**
 * A console that prints as the global one does. Only that of Deno does so exactly, and this is the only way to it;
 * undefined where there is none, or where Deno sends what the console prints elsewhere too, as telemetry.
 */
function makeConsole(print: (text: string, level: number) => void): Console | undefined {
  const { internal } = Deno as unknown as { internal: symbol };
  const internals = (Deno as unknown as Record<symbol, { Console?: ConsoleClass } | undefined>)[
    internal
  ];
  if (!internals?.Console || isTelemetryOn()) return undefined;
  return new internals.Console(print);
}

function isTelemetryOn(): boolean {
  const variable = "OTEL_DENO";
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return false;
  return ["1", "true"].includes(Deno.env.get(variable) ?? "");
}

/** Whether a function is not one of the program's. */
function isBuiltIn(method: object): boolean {
  return Function.prototype.toString.call(method).endsWith("{ [native code] }");
}

/** Prints in a debugger as well. */
function alsoInDebugger(name: keyof Console, method: Method): Method {
  let debuggers: Method | undefined;
  return (...values) => {
    debuggers ??= findDebugger()?.[name] as Method | undefined ?? (() => {});
    debuggers(...values);
    return method(...values);
  };
}

/** Found when it is first needed, as it takes a few milliseconds. */
function findDebugger(): Console | undefined {
  return process.getBuiltinModule("node:inspector").console as unknown as Console | undefined;
}

/** The same function, which throws nothing. */
function silent(method: Method): Method {
  return function (...values) {
    try {
      return method.apply(this, values);
    } catch {
      // What it has to print has nowhere to go.
    }
  };
}

/** Made when it is first used, as Node's streams take a few milliseconds. */
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
