/**
 * Notices changes of files, many at once as one change.
 *
 * @module
 */
import { dirname } from "node:path";

/** How long nothing has to happen until a change is complete, in ms: editors write in several steps. */
const QUIET = 100;

/** How long a change may go on, in ms, until it is reported all the same. */
const LONGEST = 2_000;

/** Names of files whose appearance may change how imports are resolved. */
const RELEVANT = /\.(?:[cm]?[jt]sx?|jsonc?|wasm)$|^deno\.lock$/;

/**
 * Watches the directories of files. It reports that something may have changed, and the files themselves tell
 * what: some editors replace a file, links lead elsewhere, and whole directories go and come back.
 */
export class FileWatch implements Disposable {
  readonly #onChange: () => void;
  readonly #onFailure: (error: Error) => void;
  #files: ReadonlyMap<string, string> = new Map();
  /** The watched directories. */
  #identity = "";
  #watcher: Deno.FsWatcher | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #check: ReturnType<typeof setTimeout> | undefined;
  #begun = 0;

  /**
   * Watches nothing yet.
   *
   * @param onChange is called after each change, once for all files of it.
   * @param onFailure is called if the system cannot watch.
   */
  constructor(onChange: () => void, onFailure: (error: Error) => void) {
    this.#onChange = onChange;
    this.#onFailure = onFailure;
  }

  /**
   * Watches these files from now on.
   *
   * @param files their paths, also of missing ones.
   */
  watch(files: Iterable<string>): void {
    this.#files = new Map(Array.from(files, (path) => [path, fingerprint(path)]));
    this.#arrange();
  }

  /**
   * Watches the directories in which the files are, or will be.
   *
   * @param options.isLost whether one of them was removed: a new one may look like it.
   */
  #arrange({ isLost = false } = {}): void {
    const directories = new Set<string>();
    for (const path of this.#files.keys()) {
      directories.add(existing(dirname(path)));
      const target = realPath(path);
      if (target !== undefined) directories.add(dirname(target));
      // A directory above may be a link to another one, such as `current`.
      for (const link of linksAbove(path)) directories.add(dirname(link));
    }
    const paths = [...directories].sort();
    const identity = paths.map((path) => `${path}\0${inode(path)}`).join("\0");
    if (identity === this.#identity && !isLost) return;
    this.#identity = identity;
    this.#watcher?.close();
    this.#watcher = undefined;
    if (paths.length > 0) void this.#follow(paths);
    // What changed in between has no event.
    if (this.#hasChanged()) this.#note();
  }

  /** Reports a change as if there had been an event. */
  #note(): void {
    const now = performance.now();
    if (this.#timer === undefined) this.#begun = now;
    else clearTimeout(this.#timer);
    const delay = Math.max(0, Math.min(QUIET, this.#begun + LONGEST - now));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#onChange();
    }, delay);
  }

  async #follow(directories: string[]): Promise<void> {
    const watched = new Set(directories);
    try {
      const watcher = Deno.watchFs(directories, { recursive: false });
      this.#watcher = watcher;
      for await (const { kind, paths } of watcher) {
        if (kind === "access") continue;
        if (paths.some((path) => this.#matters(path, kind))) this.#note();
        else this.#checkSoon();
        const isLost = kind === "remove" && paths.some((path) => watched.has(path));
        if (isLost || paths.some((path) => this.#isAbove(path))) this.#arrange({ isLost });
      }
    } catch (error) {
      this.#onFailure(error as Error);
    }
  }

  /** Whether an event is of one of the files, or of one that may become part of the program. */
  #matters(path: string, kind: Deno.FsEvent["kind"]): boolean {
    return this.#files.has(path) || kind !== "modify" && RELEVANT.test(path);
  }

  /** Looks at the files, since an event of something else may be of a link or a directory above them. */
  #checkSoon(): void {
    // A program may write to a log beside its modules all the time.
    this.#check ??= setTimeout(() => {
      this.#check = undefined;
      if (this.#hasChanged()) this.#note();
    }, QUIET);
  }

  /** Whether one of the files is below a directory. */
  #isAbove(directory: string): boolean {
    for (const path of this.#files.keys()) if (path.startsWith(`${directory}/`)) return true;
    return false;
  }

  #hasChanged(): boolean {
    for (const [path, known] of this.#files) if (fingerprint(path) !== known) return true;
    return false;
  }

  /** Watches no longer. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#check);
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}

/** What tells one state of a file from another, without reading it. */
export function fingerprint(path: string): string {
  try {
    const { mtime, size, ino, dev } = Deno.statSync(path);
    return `${dev} ${ino} ${size} ${mtime?.getTime()}`;
  } catch {
    return "";
  }
}

function inode(path: string): string {
  try {
    const { ino, dev } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch {
    return "";
  }
}

/** The nearest directory that exists. */
function existing(directory: string): string {
  let path = directory;
  while (inode(path) === "" && dirname(path) !== path) path = dirname(path);
  return path;
}

function realPath(path: string): string | undefined {
  try {
    const target = Deno.realPathSync(path);
    return target === path ? undefined : target;
  } catch {
    return undefined;
  }
}

/** The path and those above it that are links. */
function linksAbove(path: string): string[] {
  if (realPath(path) === undefined) return [];
  const links: string[] = [];
  for (let each = path; dirname(each) !== each; each = dirname(each)) {
    try {
      if (Deno.lstatSync(each).isSymlink) links.push(each);
    } catch {
      // It is missing.
    }
  }
  return links;
}
