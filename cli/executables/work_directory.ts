/**
 * The temporary directory in which an executable is made.
 *
 * @module
 */
import { basename, dirname, join } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { onEndingSignal } from "../../runtime/home/signals.ts";
import { isAt } from "../../runtime/wire/socket_directory.ts";

/**
 * A directory that is removed on disposal, or when a signal ends the process.
 *
 * Its name is always the same, because bundles contain the paths of modules. Two processes that
 * build the same program take turns. Files that a killed process has left are removed.
 */
export class WorkDirectory implements Disposable {
  /** Its absolute path. */
  readonly path: string;
  #lock: Deno.FsFile | undefined;
  readonly #controller = new AbortController();
  readonly #listeners = new DisposableStack();

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Creates one beside a file, so that results can be renamed to the file.
   *
   * @throws {EnsembleError} if nothing can be written there.
   */
  static async beside(file: string): Promise<WorkDirectory> {
    const work = new WorkDirectory(join(dirname(file), `.compiling-${basename(file)}`));
    work.#listeners.use(onEndingSignal(() => {
      work.#controller.abort();
      work.#remove();
    }));
    try {
      await work.#open();
      return work;
    } catch (error) {
      work.#close();
      if (error instanceof EnsembleError) throw error;
      const reason = error instanceof Deno.errors.NotFound
        ? "there is no such directory"
        : (error as Error).message.replace(/: \w+ '.*$/, "");
      throw new EnsembleError(`cannot write to ${dirname(file)}: ${reason}`, { cause: error });
    }
  }

  /** Aborts when a signal ends the process, for programs that write to the directory. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    this.#remove();
    this.#close();
  }

  async #open(): Promise<void> {
    const path = join(this.path, "lock");
    while (!this.#lock) {
      const lock = openOwn(this.path, "lock");
      if (!lock) continue;
      // Synchronously if possible, since a signal could come between creating the directory and
      // owning it.
      if (!lock.tryLockSync(true)) await lock.lock(true);
      // The previous owner has removed the directory.
      if (isAt(path, lock.statSync())) this.#lock = lock;
      else lock.close();
    }
    this.#empty();
  }

  #empty(): void {
    for (const { name } of Deno.readDirSync(this.path)) {
      if (name !== "lock") Deno.removeSync(join(this.path, name), { recursive: true });
    }
  }

  #remove(): void {
    if (!this.#lock) return;
    // Renamed first, since a waiting process may create the directory again at any time.
    const removed = `${this.path}~${crypto.randomUUID().slice(0, 8)}`;
    try {
      Deno.renameSync(this.path, removed);
      Deno.removeSync(removed, { recursive: true });
    } catch (error) {
      // If it cannot be renamed, it stays, empty.
      if (!(error instanceof Deno.errors.NotFound)) this.#empty();
    }
  }

  #close(): void {
    this.#listeners.dispose();
    this.#lock?.close();
    this.#lock = undefined;
  }
}

/**
 * Creates a directory that only this user may write to, or checks an existing one, and opens a file
 * in it; undefined if another process removes it meanwhile.
 */
function openOwn(path: string, name: string): Deno.FsFile | undefined {
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  try {
    const { isDirectory, mode, uid } = Deno.lstatSync(path);
    const isOurs = mode === null || ((mode & 0o022) === 0 && uid === Deno.uid());
    if (!isDirectory || !isOurs) throw new EnsembleError(`${path} is in the way: remove it`);
    return Deno.openSync(join(path, name), { create: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** The paths of all files below a directory, sorted. */
export async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) files.push(...await filesBelow(path));
    else files.push(path);
  }
  return files.sort();
}
