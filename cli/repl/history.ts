/**
 * The lines that were entered in earlier sessions.
 *
 * @module
 */
import { ensembleDirectory } from "../../runtime/ensemble/paths.ts";

/** How many lines are kept. */
export const MAX_HISTORY = 1000;

/** The file of the history: only its owner can read it, as lines may hold secrets. */
export function historyPath(): string {
  return `${ensembleDirectory()}/repl_history`;
}

/** A file of lines, the newest last. Where it cannot be read or written there is no history. */
export class History {
  readonly #path: string;
  #newest: string | undefined;
  /** The lines of the file when it was opened, the oldest first. */
  readonly lines: readonly string[];

  private constructor(path: string, lines: string[]) {
    this.#path = path;
    this.lines = lines;
    this.#newest = lines.at(-1);
  }

  /**
   * Opens the history, and cuts the oldest lines off when it has grown too long. A file that others could
   * read is for its owner alone from then on.
   */
  static async open(path: string): Promise<History> {
    await Deno.chmod(path, 0o600).catch(() => {});
    const lines = (await Deno.readTextFile(path).catch(() => "")).split("\n").filter(Boolean);
    const kept = lines.slice(-MAX_HISTORY);
    if (kept.length < lines.length) await replaceFile(path, `${kept.join("\n")}\n`);
    return new History(path, kept);
  }

  /** Adds a line, unless it is blank or the newest one again. */
  async add(line: string): Promise<void> {
    if (line.trim() === "" || line === this.#newest) return;
    this.#newest = line;
    await Deno.writeTextFile(this.#path, `${line}\n`, { append: true, mode: 0o600 })
      .catch(() => {});
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await Deno.writeTextFile(draft, text, { mode: 0o600, createNew: true });
    await Deno.rename(draft, path);
  } catch {
    await Deno.remove(draft).catch(() => {});
  }
}
