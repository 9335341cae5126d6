/**
 * Questions to the person at the terminal, passphrases and yes or no; and the state of the terminal, which is
 * given back.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { readSecretFile, readWhole, unreadable } from "../../runtime/home/files.ts";
import { exitCodeOf, hangupMeaning, onSignal } from "../../runtime/home/signals.ts";
import { printNotice, printPrompt } from "./output.ts";

/** The option of the commands that may need a passphrase. */
export interface PassphraseOptions {
  /** The file whose first line is the passphrase; when absent the person is asked. */
  passphraseFile?: string;
}

/**
 * Asks for a passphrase.
 *
 * @throws {EnsembleError} when nobody can be asked, or the person breaks off.
 */
export async function askPassphrase(
  message: string,
  { passphraseFile }: PassphraseOptions,
): Promise<string> {
  if (passphraseFile !== undefined) return await readPassphrase(passphraseFile);
  return await prompt(message);
}

/**
 * Asks for a new passphrase, twice, until the answers agree.
 *
 * @throws {EnsembleError} as {@linkcode askPassphrase} does, and for an empty one.
 */
export async function askNewPassphrase(
  message: string,
  options: PassphraseOptions,
): Promise<string> {
  while (true) {
    const passphrase = await askPassphrase(message, options);
    if (passphrase === "") throw new EnsembleError("an empty passphrase protects nothing");
    if (options.passphraseFile !== undefined) return passphrase;
    if (await prompt("the same again:") === passphrase) return passphrase;
    printNotice("the two differ; once more");
  }
}

async function readPassphrase(path: string): Promise<string> {
  try {
    // An open descriptor of this process, such as a shell's <(pass show key), was given to it and to no other.
    const bytes = /^\/dev\/(?:stdin|fd\/\d+)$/.test(path)
      ? await readWhole(await Deno.open(path))
      : await readSecretFile(path, "passphrase file");
    return new TextDecoder().decode(bytes).split(/\r?\n/)[0]!;
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    throw unreadable(`the passphrase file ${path}`, error);
  }
}

async function prompt(message: string): Promise<string> {
  if (!Deno.stdin.isTerminal()) {
    throw new EnsembleError(
      `nobody is there to be asked for the passphrase: give it with --passphrase-file`,
    );
  }
  for (;;) {
    const answer = await promptOnce(message);
    if (answer !== undefined) return answer;
  }
}

/**
 * Gives undefined when the process was stopped and goes on: the shell has let the terminal show what is typed, and a new
 * prompt does not.
 */
async function promptOnce(message: string): Promise<string | undefined> {
  const { default: password } = await import("npm:@inquirer/password@^5.3.0");
  const { stderr, stdin } = await import("node:process");
  const controller = new AbortController();
  let isContinued = false;
  using _state = new TerminalState({
    onContinue() {
      isContinued = true;
      controller.abort();
    },
  });
  const onKey = (_: string, key: { ctrl?: boolean; name?: string }) => {
    // The prompt does not notice that its input has come to an end.
    if (key.ctrl && key.name === "d") controller.abort();
    // Node would let the terminal show what is typed, also where no shell stops the process. This key does nothing.
    if (key.ctrl && key.name === "z") Object.assign(key, { ctrl: false, name: "up" });
  };
  stdin.on("keypress", onKey);
  try {
    // On standard error: standard output is for results.
    const context = { output: stderr, signal: controller.signal };
    return await password({ message, mask: false, toggleMask: false }, context);
  } catch (error) {
    if (!["ExitPromptError", "AbortPromptError"].includes((error as Error).name)) throw error;
    if (isContinued) return undefined;
    throw new EnsembleError("broken off at the passphrase");
  } finally {
    stdin.off("keypress", onKey);
  }
}

/** Asks on standard error, for standard output is for results; no answer is a no. */
export async function askYesOrNo(question: string): Promise<boolean> {
  printPrompt(`${question} [y/N] `);
  const buffer = new Uint8Array(256);
  const count = await Deno.stdin.read(buffer) ?? 0;
  const answer = new TextDecoder().decode(buffer.subarray(0, count)).trim();
  return /^y(es)?$/i.test(answer);
}

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
      this.#listeners.use(onSignal(signal, () => Deno.exit(exitCodeOf(signal))));
    }
    addEventListener("unload", showCursor);
    this.#listeners.defer(() => removeEventListener("unload", showCursor));
    if (!onContinue) return;
    this.#listeners.use(onSignal("SIGTSTP", () => {
      showCursor();
      // What SIGTSTP does without a listener.
      Deno.kill(Deno.pid, "SIGSTOP");
    }));
    this.#listeners.use(onSignal("SIGCONT", onContinue));
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
