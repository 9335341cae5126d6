/**
 * Runs `gxensemble` commands in the tests' process: the same code, without a process for each.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** A running command, and its replacements for a process's own facilities. */
interface Command {
  readonly environment: Record<string, string>;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Its signal listeners, until its process would end. */
  readonly listeners: Parameters<typeof removeEventListener>[];
}

/** Its output. A character can arrive in two pieces. */
class Output {
  text = "";
  readonly #decoder = new TextDecoder();

  write(bytes: Uint8Array): number {
    this.text += this.#decoder.decode(bytes, { stream: true });
    return bytes.length;
  }
}

const running = new AsyncLocalStorage<Command>();

/** The output, and the result of the work. */
interface Printed<Result> {
  readonly result: Result;
  readonly stdout: string;
  readonly stderr: string;
}

let isDiverted = false;

/**
 * Runs a command with these environment variables, and returns its result. Others can run at the
 * same time.
 */
export async function runHere(
  environment: Record<string, string>,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  // As in main.ts. Most test files do not need it.
  const { commandTree } = await import("../cli/command_tree.ts");
  const { runCommandLine } = await import("../cli/kit/command_line.ts");
  const { result, ...printed } = await workHere(
    environment,
    () => runCommandLine(commandTree(), args),
  );
  return { code: result, ...printed };
}

/** Runs work with these environment variables. All other code sees the process's own. */
export async function workHere<Result>(
  environment: Record<string, string>,
  work: () => Promise<Result>,
): Promise<Printed<Result>> {
  if (!isDiverted) divert();
  isDiverted = true;
  const [stdout, stderr] = [new Output(), new Output()];
  const listeners: Command["listeners"] = [];
  try {
    const command = { environment: { ...environment }, stdout, stderr, listeners };
    const result = await running.run(command, work);
    return { result, stdout: stdout.text, stderr: stderr.text };
  } finally {
    for (const listener of listeners) removeEventListener(...listener);
  }
}

/** Installs the environment of commands, and outputs that are not terminals. */
function divert(): void {
  const { get, set } = Deno.env;
  const { addEventListener: listen } = globalThis;
  globalThis.addEventListener = (...listener: Parameters<typeof addEventListener>) => {
    running.getStore()?.listeners.push(listener as Parameters<typeof removeEventListener>);
    listen(...listener);
  };
  Deno.env.get = (name) => running.getStore()?.environment[name] ?? get.call(Deno.env, name);
  Deno.env.set = (name, value) => {
    const command = running.getStore();
    if (command) command.environment[name] = value;
    else set.call(Deno.env, name, value);
  };
  for (const name of ["stdout", "stderr"] as const) {
    const { writeSync } = Deno[name];
    Deno[name].writeSync = (bytes) =>
      running.getStore()?.[name].write(bytes) ?? writeSync.call(Deno[name], bytes);
  }
  for (const name of ["stdin", "stdout", "stderr"] as const) {
    const { isTerminal } = Deno[name];
    Deno[name].isTerminal = () => !running.getStore() && isTerminal.call(Deno[name]);
  }
}
