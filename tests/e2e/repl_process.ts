/**
 * `gxensemble repl` as a process: with lines from a pipe, and with a terminal.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";

/** The project that the tutorial's module ids are of. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Whether the terminal can be tested: `expect` plays the person. */
export const hasExpect: boolean = isInstalled("expect");

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

/** What is typed, and what the terminal has to show then. */
export type Step = [keys: string, shown: string];

/** Ctrl-C, Ctrl-D, Tab and the arrow up. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";
export const TAB = "\t";
export const UP = "\x1b[A";

/**
 * Types in a terminal, each step when the one before has shown what it has to, until the process ends.
 * Gives its exit code, and all that was shown.
 */
export async function typeInTerminal(
  ensemble: TemporaryEnsemble,
  args: string[],
  steps: Step[],
): Promise<{ code: number; screen: string }> {
  const command = [...ensemble.program, "repl", ...args].map(quote).join(" ");
  const script = [
    "set timeout 20",
    "set stty_init {rows 40 columns 200}",
    `spawn -noecho ${command}`,
    ...steps.map(([keys, shown]) => `
      send -- ${quote(keys)}
      expect {
        -ex ${quote(shown)} {}
        timeout { puts stderr "not shown: ${quote(shown).slice(1, -1)}"; exit 99 }
        eof { puts stderr "ended before: ${quote(shown).slice(1, -1)}"; exit 98 }
      }`),
    "expect { eof {} timeout { exit 97 } }",
    "exit [lindex [wait] 3]",
  ].join("\n");
  const { code, stdout, stderr } = await new Deno.Command("expect", {
    args: ["-c", script],
    cwd: ROOT,
    env: { ...ensemble.environment, TERM: "xterm" },
  }).output();
  const screen = new TextDecoder().decode(stdout);
  assert.ok(code < 97, `${new TextDecoder().decode(stderr)}\n${screen}`);
  return { code, screen };
}

/** A word of Tcl, with everything escaped that could mean something. */
function quote(text: string): string {
  const escape = (character: string) =>
    `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${text.replace(/[^\w./-]/g, escape)}"`;
}

function isInstalled(program: string): boolean {
  try {
    return new Deno.Command(program, { args: ["-v"], stdout: "null" }).outputSync().success;
  } catch {
    return false;
  }
}
