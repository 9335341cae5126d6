/**
 * A person at a terminal, played by `expect`.
 *
 * @module
 */
import type { TemporaryEnsemble } from "./temporary_ensemble.ts";

/** What Ctrl-C and Ctrl-D send. */
export const CTRL_C = "\x03";
export const CTRL_D = "\x04";

/** What somebody saw, and how it ended. */
export interface Seen {
  /** The exit code. */
  code: number;
  /** All that appeared on the terminal, without its control sequences. */
  screen: string;
  /** The same with them. */
  raw: string;
}

/** Options of {@linkcode onTerminal}. */
export interface TerminalOptions {
  /** How wide the terminal is, in characters; 0 for one that does not say. */
  columns?: number;
}

/**
 * Runs a program on a terminal of its own: waits for each prompt in turn, and types what belongs to it.
 * Fails when one does not come within 30 s.
 */
export async function onTerminal(
  ensemble: TemporaryEnsemble,
  command: string[],
  dialogue: [prompt: string, typed: string][] = [],
  options: TerminalOptions = {},
): Promise<Seen> {
  const script = [
    "set timeout 30",
    `set stty_init {columns ${options.columns ?? 200}}`,
    `spawn -noecho ${command.map(quote).join(" ")}`,
    ...dialogue.flatMap(([prompt, typed]) => [
      `expect -ex ${quote(prompt)} {} timeout {exit 124} eof {exit 125}`,
      `send -- ${quote([CTRL_C, CTRL_D].includes(typed) ? typed : `${typed}\r`)}`,
    ]),
    "expect eof {} timeout {exit 124}",
    "exit [lindex [wait] 3]",
  ].join("\n");
  const { NO_COLOR: _, ...coloured } = ensemble.environment;
  const { code, stdout, stderr } = await new Deno.Command("expect", {
    args: ["-c", script],
    env: { ...coloured, TERM: "xterm" },
    stdin: "null",
  }).output();
  const raw = new TextDecoder().decode(stdout);
  if (code === 124 || code === 125) {
    throw new Error(`a prompt did not come: ${raw}${new TextDecoder().decode(stderr)}`);
  }
  // deno-lint-ignore no-control-regex -- control sequences are what has to be found
  return { code, raw, screen: raw.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "") };
}

/** Runs `gxensemble` on a terminal of its own. */
export function gxensembleOnTerminal(
  ensemble: TemporaryEnsemble,
  args: string[],
  dialogue?: [prompt: string, typed: string][],
): Promise<Seen> {
  return onTerminal(ensemble, [...ensemble.program, ...args], dialogue);
}

/** A word of Tcl. */
function quote(text: string): string {
  return `"${text.replaceAll(/[\\"$[\]{}]/g, "\\$&").replaceAll("\r", "\\r")}"`;
}
