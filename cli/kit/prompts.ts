/**
 * Prompts for passphrases, for yes or no, and for choices, and restoring the terminal's state afterwards.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { readSecretFile, readWhole, unreadable } from "../../runtime/home/files.ts";
import { onEndingSignal, onSignal } from "../../runtime/home/signals.ts";
import { printNotice } from "./output.ts";

/** The option of the commands that may need a passphrase. */
export interface PassphraseOptions {
  /** The file whose first line is the passphrase. By default, the user is asked. */
  passphraseFile?: string;
}

/**
 * Asks for a passphrase.
 *
 * @throws {EnsembleError} if there is no terminal, or the user cancels.
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
    if (passphrase === "") throw new EnsembleError("the passphrase must not be empty");
    if (options.passphraseFile !== undefined) return passphrase;
    if (await prompt("repeat the passphrase:") === passphrase) return passphrase;
    printNotice("the passphrases differ; try again");
  }
}

async function readPassphrase(path: string): Promise<string> {
  try {
    // An open descriptor of this process, such as a shell's <(pass show key), was given to it and
    // to no other.
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
      `cannot ask for the passphrase: there is no terminal; use --passphrase-file`,
    );
  }
  const { default: password } = await import("npm:@inquirer/password@^5.3.0");
  const answer = await ask((context) =>
    password({ message, mask: false, toggleMask: false }, context)
  );
  if (answer === undefined) throw new EnsembleError("canceled: no passphrase was given");
  return answer;
}

/**
 * Asks the user yes or no. Canceling, or pressing Enter, means no.
 *
 * @param options.signal ends the question, which means no.
 */
export async function askYesOrNo(
  message: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  const { default: confirm } = await import("npm:@inquirer/confirm@^6.4.0");
  const theme = { style: { defaultAnswer: (hint: string) => `[${hint}]` } };
  return await ask((context) =>
    confirm({ message, default: false, theme }, {
      ...context,
      ...signal && { signal: AbortSignal.any([signal, context.signal]) },
    })
  ) ?? false;
}

/** Asks the user to choose one of several answers. Returns undefined if the user cancels. */
export async function askChoice<Value extends string>(
  message: string,
  choices: readonly { readonly value: Value; readonly name: string }[],
): Promise<Value | undefined> {
  const { default: select } = await import("npm:@inquirer/select@^5.3.0");
  return await ask((context) => select<Value>({ message, choices }, context));
}

/** The output of a prompt, and the signal that ends it. */
interface PromptContext {
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** Shows a prompt until it is answered. Returns undefined if the user cancels. */
async function ask<Answer>(
  prompt: (context: PromptContext) => Promise<Answer>,
): Promise<Answer | undefined> {
  for (;;) {
    const answer = await askOnce(prompt);
    if (answer !== "continued") return answer;
  }
}

/**
 * Shows a prompt once. Returns `"continued"` if the process was suspended and continued: the shell
 * has turned echo on, and a new prompt turns it off again.
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
    // The prompt does not notice the end of its input.
    if (key.ctrl && key.name === "d") controller.abort();
    // Node would turn echo on, even without a shell that suspends the process. Map it to a key that
    // does nothing.
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

/** Shows the cursor, which prompts hide, and starts a new line. */
const SHOW_CURSOR = "\x1b[?25h\n";

/** Options of {@linkcode TerminalState}. */
export interface TerminalStateOptions {
  /**
   * Called when the process continues after it was suspended. Pass it if the caller hides the
   * cursor: this class then shows the cursor while the process is suspended.
   */
  readonly onContinue?: () => void;
}

/**
 * Restores the terminal if the process ends early, by a signal or an unhandled error, until it is
 * disposed of. Deno restores a terminal's settings when a process exits, but not when a signal
 * kills it, and it never restores the cursor.
 */
export class TerminalState implements Disposable {
  readonly #listeners = new DisposableStack();

  /** Starts listening for the end of the process. */
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

  /** Stops listening. The caller has restored the terminal itself. */
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
