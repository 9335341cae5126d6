/**
 * Single keys that are typed while a command runs.
 *
 * @module
 */
import { onSignal } from "../../runtime/home/signals.ts";

/** Calls a function for each typed character, until disposed. Ctrl-C stays a signal. */
export class TerminalKeys implements Disposable {
  readonly #listeners = new DisposableStack();
  #isOver = false;

  /** Reads nothing if standard input is not this command's terminal. */
  constructor(onKey: (key: string) => void) {
    if (!ownsTerminal()) return;
    const setUp = () => ownsTerminal() && Deno.stdin.setRaw(true, { cbreak: true });
    setUp();
    // The shell may have changed the terminal meanwhile.
    this.#listeners.use(onSignal("SIGCONT", setUp));
    void this.#read(onKey);
  }

  async #read(onKey: (key: string) => void): Promise<void> {
    const buffer = new Uint8Array(64);
    try {
      for (let count; !this.#isOver && (count = await Deno.stdin.read(buffer)) !== null;) {
        const typed = new TextDecoder().decode(buffer.subarray(0, count));
        // Keys such as arrows send several characters, which mean nothing here.
        if (!this.#isOver && !typed.startsWith("\x1b")) { for (const key of typed) onKey(key); }
      }
    } catch {
      // The terminal has closed.
    }
  }

  /** Leaves the terminal as it was. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#listeners.dispose();
    try {
      if (ownsTerminal()) Deno.stdin.setRaw(false);
    } catch {
      // It has closed.
    }
  }
}

/** Whether keys are for this command: its standard input is a terminal, and it does not run in the background. */
export function ownsTerminal(): boolean {
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return false;
  if (Deno.build.os !== "linux") return true;
  try {
    const text = Deno.readTextFileSync("/proc/self/stat");
    // proc_pid_stat(5): state, ppid, pgrp, session, tty_nr, tpgid.
    const [, , group, , , foreground] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return group === foreground;
  } catch {
    return true;
  }
}
