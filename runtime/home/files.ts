/**
 * The ensemble's files: read only where they are regular and, for secrets, private; written whole or not at all; and
 * locked by one process at a time.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { EnsembleError } from "../errors.ts";
import { heldLock, isAt, isOpenToOthers } from "../wire/socket_directory.ts";

/** The largest file that is read, in bytes: far more than the longest list of certificates. */
export const MAX_FILE = 16 * 1024 * 1024;

/**
 * Reads a file. What is no regular file is refused before it is opened: a named pipe would be waited on for ever.
 *
 * @throws {Deno.errors.NotFound} when there is none.
 * @throws {EnsembleError} when it cannot be read, saying why.
 */
export async function readRegularFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await read(path, path);
}

/**
 * Reads a file that holds a secret. It refuses one that anybody but this user and root can read, change, or put
 * another in the place of: a secret that others may have read, or chosen, is none.
 *
 * @param what what the secret is, for the error: `private key`.
 * @throws {Deno.errors.NotFound} when there is none.
 * @throws {EnsembleError} when it cannot be read or others can get at it, saying what to do.
 */
export async function readSecretFile(
  path: string,
  what: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = `the ${what} ${path}`;
  return await read(path, name, (info) => {
    requireOwn(info.uid, name);
    requireClosedDirectory(dirname(path), name);
    if (!isOpenToOthers(info)) return;
    const mode = info.mode! & 0o777;
    const others = (mode & 0o044) !== 0 ? "others can read" : "others have access to";
    throw new EnsembleError(
      `${others} ${name} (mode ${mode.toString(8)}): run "chmod 600 ${path}"`,
    );
  });
}

async function read(
  path: string,
  name: string,
  check: (info: Deno.FileInfo) => void = () => {},
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    requireRegular(await Deno.stat(path));
    using file = await Deno.open(path);
    // Of the file that is open: the name may lead to another by now.
    const info = await file.stat();
    requireRegular(info);
    check(info);
    return await readWhole(file);
  } catch (error) {
    if (error instanceof EnsembleError || error instanceof Deno.errors.NotFound) throw error;
    throw unreadable(name, error);
  }
}

/** The error about a file or directory that cannot be read: it names it and says why. */
export function unreadable(name: string, error: unknown): EnsembleError {
  const reason = (error as Error).message.replace(/ \(os error \d+\).*$/, "");
  return new EnsembleError(`cannot read ${name}: ${reason}`, { cause: error });
}

/**
 * Whether there is something at a path. A link that leads nowhere is something.
 *
 * @throws {EnsembleError} when that cannot be found out.
 */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw unreadable(path, error);
  }
}

/**
 * The absolute path at which a file is, or is to be made: links are followed, also those to a file that is not there yet.
 * Where they lead nowhere it is the path given.
 */
export async function fileBehind(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    // Links in a circle lead nowhere.
    if (!(error instanceof Deno.errors.NotFound)) return path;
  }
  try {
    const directory = await Deno.realPath(dirname(path));
    const target = await Deno.readLink(path).catch(() => undefined);
    return target === undefined
      ? join(directory, basename(path))
      : await fileBehind(resolve(directory, target));
  } catch {
    return path;
  }
}

/**
 * Takes what others may do with a file or a directory from them.
 *
 * @throws {Deno.errors.NotFound} when there is none.
 * @throws {EnsembleError} when that cannot be changed.
 */
export function makePrivate(path: string): void {
  const info = Deno.statSync(path);
  if (!isOpenToOthers(info)) return;
  try {
    Deno.chmodSync(path, info.isDirectory ? 0o700 : 0o600);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    const reason = (error as Error).message;
    throw new EnsembleError(`others have access to ${path}, and that cannot be changed: ${reason}`);
  }
}

/**
 * Reads what is left of an open file, to its end.
 *
 * @throws {Error} when it is larger than {@linkcode MAX_FILE}.
 */
export async function readWhole(file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  // Its size does not say where it ends: it may grow, and those of /proc have none.
  for await (const chunk of file.readable) {
    size += chunk.length;
    if (size > MAX_FILE) throw new Error(`it is larger than ${MAX_FILE / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return await new Blob(chunks).bytes();
}

function requireOwn(uid: number | null, name: string): void {
  const self = Deno.uid();
  if (self === null || uid === self || uid === 0) return;
  throw new EnsembleError(
    `${name} belongs to another user (uid ${uid}): run "chown ${self}" on it`,
  );
}

/** In a sticky directory, as /tmp is one, only the owner of a file can put another in its place. */
function requireClosedDirectory(directory: string, name: string): void {
  const { mode } = Deno.statSync(directory);
  if (mode === null || (mode & 0o002) === 0 || (mode & 0o1000) !== 0) return;
  throw new EnsembleError(
    `others can put another file in the place of ${name}: run "chmod o-w ${directory}"`,
  );
}

/**
 * Makes sure that a file is a regular one.
 *
 * @throws {Error} when it is not, saying what it is.
 */
function requireRegular({ isFile, isDirectory, isFifo }: Deno.FileInfo): void {
  if (isFile) return;
  throw new Error(
    isDirectory ? "it is a directory" : isFifo ? "it is a named pipe" : "it is not a regular file",
  );
}

/** Options of {@linkcode writeWhole}. */
export interface WriteWholeOptions {
  /** Who may read the file: 0o600 for a secret. One that is replaced passes on nothing of its mode. */
  mode: number;
  /** Whether to replace a file that exists. */
  replace: boolean;
}

/**
 * Writes a file in one step: no reader ever sees a half, it is on disk when this resolves, and of two
 * processes that make it at once exactly one does.
 *
 * @throws {Deno.errors.AlreadyExists} when it exists and is not to be replaced.
 * @throws {EnsembleError} when it cannot be written.
 */
export async function writeWhole(
  path: string,
  content: string | Uint8Array,
  { mode, replace }: WriteWholeOptions,
): Promise<void> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    await writeDraft(draft, bytes, mode);
    await (replace ? Deno.rename(draft, path) : Deno.link(draft, path));
    await syncDirectoryOf(path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    throw new EnsembleError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    await Deno.remove(draft).catch(() => {}); // A draft that was renamed is gone.
  }
}

/**
 * Waits until the names in the directory of a file are on disk: a name that was made, moved or removed there is
 * safe only then (fsync(2)).
 */
export async function syncDirectoryOf(path: string): Promise<void> {
  using directory = await Deno.open(path.slice(0, path.lastIndexOf("/")) || "/");
  await directory.sync();
}

async function writeDraft(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode });
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
  await file.sync();
}

/**
 * Does something while no other process does anything under the lock of the same file. The lock ends with
 * the process that holds it, whichever way that ends; the file stays.
 *
 * @throws {EnsembleError} when the file cannot be made; and what `action` throws.
 */
export async function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  using file = await openLock(path);
  await file.lock(true);
  return await action();
}

/**
 * Takes the lock of a file, to be kept until it is disposed of or the process ends.
 *
 * @param options.note text for the file, for those who find it locked.
 * @returns undefined when another process has it.
 * @throws {EnsembleError} when the file cannot be made.
 */
export async function takeFileLock(
  path: string,
  { note = "" }: { note?: string } = {},
): Promise<Disposable | undefined> {
  let file = await openLock(path);
  while (true) {
    if (!await file.tryLock(true)) {
      file.close();
      return undefined;
    }
    if (isAt(path, file.statSync())) break;
    // It was removed meanwhile, and locks nothing: the next process makes another.
    file.close();
    file = await openLock(path);
  }
  try {
    await file.truncate();
    await file.write(new TextEncoder().encode(note));
  } catch {
    // The disk is full. The lock holds without the note.
  }
  return heldLock(file);
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    // To open a named pipe for writing waits until it is read.
    await Deno.stat(path).then(requireRegular, () => {});
    return await Deno.open(path, { write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new EnsembleError(`cannot lock ${path}: ${(error as Error).message}`, { cause: error });
  }
}
