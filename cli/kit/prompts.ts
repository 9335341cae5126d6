/**
 * Questions to the person at the terminal, passphrases and yes or no; and the state of the terminal, which is
 * given back.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { readSecretFile, readWhole, unreadable } from "../../runtime/home/files.ts";
import { onEndingSignal, onSignal } from "../../runtime/home/signals.ts";
import { printNotice } from "./output.ts";

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
  const { default: password } = await import("npm:@inquirer/password@^5.3.0");
  const answer = await ask((context) =>
    password({ message, mask: false, toggleMask: false }, context)
  );
  if (answer === undefined) throw new EnsembleError("broken off at the passphrase");
  return answer;
}

/** Asks the person at the terminal; who breaks off, or just presses Enter, says no. */
export async function askYesOrNo(message: string): Promise<boolean> {
  const { default: confirm } = await import("npm:@inquirer/confirm@^6.4.0");
  const theme = { style: { defaultAnswer: (hint: string) => `[${hint}]` } };
  return await ask((context) => confirm({ message, default: false, theme }, context)) ?? false;
}

/** Where a prompt is shown, and what ends it. */
interface PromptContext {
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** Shows a prompt until it is answered; gives undefined when the person breaks off. */
async function ask<Answer>(
  prompt: (context: PromptContext) => Promise<Answer>,
): Promise<Answer | undefined> {
  for (;;) {
    const answer = await askOnce(prompt);
    if (answer !== "continued") return answer;
  }
}

/**
 * Gives `"continued"` when the process was stopped and goes on: the shell has let the terminal show what is typed, and a
 * new prompt does not.
 */
async function askOnce<Answer>(
  prompt: (context: PromptContext) => Promise<Answer>,
): Promise<Answer | "continued" | undefined> {
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
    return await prompt({ output: stderr, signal: controller.signal });
  } catch (error) {
    if (!["ExitPromptError", "AbortPromptError"].includes((error as Error).name)) throw error;
    return isContinued ? "continued" : undefined;
  } finally {
    stdin.off("keypress", onKey);
  }
}

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
    this.#listeners.use(onEndingSignal());
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
