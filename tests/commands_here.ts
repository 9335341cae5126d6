/**
 * Commands of `gxensemble` in the process of the tests: the same code, without a process for each.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** A command that is under way, and what it has in place of a process's own. */
interface Command {
  readonly environment: Record<string, string>;
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What was printed; a character may come in two pieces. */
class Output {
  text = "";
  readonly #decoder = new TextDecoder();

  write(bytes: Uint8Array): number {
    this.text += this.#decoder.decode(bytes, { stream: true });
    return bytes.length;
  }
}

const running = new AsyncLocalStorage<Command>();

let isDiverted = false;

/** Runs a command with these environment variables; gives what it leaves. Others may run at the same time. */
export async function runHere(
  environment: Record<string, string>,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }> {
  if (!isDiverted) divert();
  isDiverted = true;
  // As in main.ts; most test files do without.
  const { commandTree } = await import("../cli/command_tree.ts");
  const { runCommandLine } = await import("../cli/kit/command_line.ts");
  const [stdout, stderr] = [new Output(), new Output()];
  const command = { environment, stdout, stderr };
  const code = await running.run(command, () => runCommandLine(commandTree(), args));
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Gives commands an environment, and outputs that are no terminal. All else in this thread has what it had. */
function divert(): void {
  const { get } = Deno.env;
  Deno.env.get = (name) => running.getStore()?.environment[name] ?? get.call(Deno.env, name);
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
