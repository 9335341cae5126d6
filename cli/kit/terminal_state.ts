/**
 * The state of the terminal that a line editor or a prompt changes.
 *
 * @module
 */
import { constants } from "node:os";
import { hangupMeaning } from "../../runtime/home/hangup.ts";

/** The signals that end a command at a terminal. (SIGUSR1 does not: it has Deno wait for a debugger.) */
const ENDING = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR2", "SIGALRM", "SIGTERM"] as const;

/** Shows the cursor, which prompts hide; the next prompt is on a line of its own. */
const SHOW_CURSOR = "\x1b[?25h\n";

/** Options of {@linkcode TerminalState}. */
export interface TerminalStateOptions {
  /**
   * Called when the process was stopped and goes on. It is for what hides the cursor, and leaves to this class to show
   * it while the process is stopped.
   */
  readonly onContinue?: () => void;
}

/**
 * While this lasts, the process gives the terminal back as it was when it ends early: by a signal, or
 * because of an unhandled error. Deno restores the settings of a terminal when a process
 * exits, but not when a signal kills it, and knows nothing of the cursor.
 */
export class TerminalState implements Disposable {
  readonly #listeners = new DisposableStack();

  /** Starts to watch over the terminal. */
  constructor({ onContinue }: TerminalStateOptions = {}) {
    for (const signal of ENDING) {
      if (signal === "SIGHUP" && hangupMeaning() === "nothing") continue;
      // As a shell has it for a program that a signal ended.
      this.#listen(signal, () => Deno.exit(128 + constants.signals[signal]));
    }
    addEventListener("unload", showCursor);
    this.#listeners.defer(() => removeEventListener("unload", showCursor));
    if (!onContinue) return;
    this.#listen("SIGTSTP", () => {
      showCursor();
      // What SIGTSTP does without a listener.
      Deno.kill(Deno.pid, "SIGSTOP");
    });
    this.#listen("SIGCONT", onContinue);
  }

  /** Who changed the terminal has given it back. */
  [Symbol.dispose](): void {
    this.#listeners.dispose();
  }

  #listen(signal: Deno.Signal, listener: () => void): void {
    Deno.addSignalListener(signal, listener);
    this.#listeners.defer(() => Deno.removeSignalListener(signal, listener));
  }
}

function showCursor(): void {
  try {
    if (Deno.stderr.isTerminal()) Deno.stderr.writeSync(new TextEncoder().encode(SHOW_CURSOR));
  } catch {
    // The terminal has gone.
  }
}
