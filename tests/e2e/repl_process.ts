/**
 * `gxensemble repl` as a process, with lines from a pipe and on a terminal.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";
import { Terminal } from "../terminal.ts";

/** The project to which the tutorial's module ids belong. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Enters lines through a pipe. */
export async function pipeLines(
  ensemble: TemporaryEnsemble,
  args: string[],
  lines: string[],
): Promise<Outcome> {
  const [program, ...first] = ensemble.program;
  const child = new Deno.Command(program!, {
    args: [...first, "repl", ...args],
    cwd: ensemble.workingDirectory ?? ROOT,
    env: ensemble.environment,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A text to type, and the text that the terminal has to show first. */
export type Step = [keys: string, shown: string];

/**
 * Types in a terminal, each step when the one before has shown what it has to, until the process
 * ends. Gives its exit code, and all that was shown.
 */
export async function typeInTerminal(
  ensemble: TemporaryEnsemble,
  args: string[],
  steps: Step[],
): Promise<{ code: number; screen: string }> {
  const command = [...ensemble.program, "repl", ...args];
  await using terminal = new Terminal(ensemble, command, { cwd: ROOT });
  for (const [keys, shown] of steps) {
    terminal.type(keys);
    await terminal.shows(shown);
  }
  const { code, raw } = await terminal.end();
  return { code, screen: raw };
}
