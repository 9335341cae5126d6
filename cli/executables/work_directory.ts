/**
 * A directory for what is only needed until an executable is made.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";

/** Signals that end a command, and the exit codes that shells give for them. */
const SIGNALS =
  (Deno.build.os === "windows"
    ? [["SIGINT", 130]]
    : [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]]) as [Deno.Signal, number][];

/** A directory that goes when it is disposed of, and when the process is told to end before. */
export class WorkDirectory implements Disposable {
  /** Its absolute path. */
  readonly path: string;
  readonly #controller = new AbortController();
  readonly #listeners = SIGNALS.map(([signal, code]) => ({ signal, end: () => this.#end(code) }));

  /**
   * Makes one beside a file, so that what was made in it can be renamed to that.
   *
   * @throws {EnsembleError} when nothing can be written there.
   */
  constructor(file: string) {
    const directory = dirname(file);
    for (const { signal, end } of this.#listeners) Deno.addSignalListener(signal, end);
    try {
      this.path = Deno.makeTempDirSync({ dir: directory, prefix: ".compiling-" });
    } catch (error) {
      this.#stopListening();
      const reason = error instanceof Deno.errors.NotFound
        ? "there is no such directory"
        : (error as Error).message.replace(/: \w+ '.*$/, "");
      throw new EnsembleError(`cannot write to ${directory}: ${reason}`, { cause: error });
    }
  }

  /** Aborts when the process is told to end: for programs that write into the directory. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#stopListening();
    Deno.removeSync(this.path, { recursive: true });
  }

  #stopListening(): void {
    for (const { signal, end } of this.#listeners) Deno.removeSignalListener(signal, end);
  }

  #end(code: number): never {
    this.#controller.abort();
    Deno.removeSync(this.path, { recursive: true });
    Deno.exit(code);
  }
}
