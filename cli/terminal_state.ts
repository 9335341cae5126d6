/**
 * The state of the terminal that a line editor or a prompt changes.
 *
 * @module
 */

import { hangupMeaning } from "../runtime/ensemble/hangup.ts";

/** The signals that end a command at a terminal, and what it exits with then. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Shows the cursor, which prompts hide; the next prompt is on a line of its own. */
const SHOW_CURSOR = "\x1b[?25h\n";

/**
 * While this lasts, the process gives the terminal back as it was when it ends early: by a signal, or
 * because something failed that nobody waits for. Deno restores the settings of a terminal when a process
 * exits, but not when a signal kills it, and knows nothing of the cursor.
 */
export class TerminalState implements Disposable {
  readonly #listeners = new DisposableStack();

  /** Starts to watch over the terminal. */
  constructor() {
    for (const [name, code] of Object.entries(SIGNALS)) {
      if (name === "SIGHUP" && hangupMeaning() === "nothing") continue;
      const exit = () => Deno.exit(code);
      Deno.addSignalListener(name as Deno.Signal, exit);
      this.#listeners.defer(() => Deno.removeSignalListener(name as Deno.Signal, exit));
    }
    addEventListener("unload", showCursor);
    this.#listeners.defer(() => removeEventListener("unload", showCursor));
  }

  /** Who changed the terminal has given it back. */
  [Symbol.dispose](): void {
    this.#listeners.dispose();
  }
}

function showCursor(): void {
  try {
    if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(SHOW_CURSOR));
  } catch {
    // The terminal has gone.
  }
}
