/**
 * Access to the ensemble's files: reading only regular and, for secrets, private files; atomic
 * writes; and locks.
 *
 * @module
 */
import { basename, dirname, join, resolve } from "node:path";
import { EnsembleError } from "../errors.ts";
import { directoryOf, heldLock, isAt, isOpenToOthers } from "../wire/socket_directory.ts";

/** The maximum size of a file, in bytes: far more than the longest revocation list. */
export const MAX_FILE = 16 * 1024 * 1024;

/**
 * Reads a file. Checks that it is a regular file before opening it, since opening a named pipe
 * would block.
 *
 * @throws {Deno.errors.NotFound} if there is none.
 * @throws {EnsembleError} if it cannot be read, with the reason.
 */
export async function readRegularFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  return await read(path, path);
}

/**
 * Reads a file that contains a secret. Refuses a file that users other than this one and root can
 * read, change or replace, because the secret may then be known or forged.
 *
 * @param what the kind of secret, for the error: `private key`.
 * @throws {Deno.errors.NotFound} if there is none.
 * @throws {EnsembleError} if it cannot be read or other users have access, with what to do.
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
    const others = (mode & 0o044) !== 0 ? "other users can read" : "other users have access to";
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
    // Checks the open file, since its path may lead to another by now.
    const info = await file.stat();
    requireRegular(info);
    check(info);
    return await readWhole(file);
  } catch (error) {
    if (error instanceof EnsembleError || error instanceof Deno.errors.NotFound) throw error;
    throw unreadable(name, error);
  }
}

/** Makes the error for an unreadable file or directory, with its name and the reason. */
export function unreadable(name: string, error: unknown): EnsembleError {
  const message = (error as Error).message.replace(/ \(os error \d+\).*$/, "");
  return new EnsembleError(`cannot read ${name}: ${message}`, { cause: error });
}

/**
 * Whether a path exists. A dangling link counts.
 *
 * @throws {EnsembleError} if that cannot be determined.
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
 * The absolute path of a file, with links resolved, including dangling ones. In a cycle of links,
 * it is the given path.
 */
export async function fileBehind(path: string): Promise<string> {
  try {
    return await Deno.realPath(path);
  } catch (error) {
    // A cycle of links.
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
 * Removes other users' access to a file or directory.
 *
 * @throws {Deno.errors.NotFound} if there is none.
 * @throws {EnsembleError} if its mode cannot be changed.
 */
export function makePrivate(path: string): void {
  const info = Deno.statSync(path);
  if (!isOpenToOthers(info)) return;
  try {
    Deno.chmodSync(path, info.isDirectory ? 0o700 : 0o600);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    const { message } = error as Error;
    throw new EnsembleError(
      `other users have access to ${path}, and its mode cannot be changed: ${message}`,
    );
  }
}

/**
 * Reads the rest of an open file.
 *
 * @throws {Error} if it is larger than {@linkcode MAX_FILE}.
 */
export async function readWhole(file: Deno.FsFile): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(4096);
  let size = 0;
  // Not as a stream, since a command that needs no other would load streams for its cookie. The
  // size is not reliable: the file may grow, and files in /proc have none.
  for (let count; (count = await file.read(bytes.subarray(size))) !== null;) {
    size += count;
    if (size > MAX_FILE) throw new Error(`it is larger than ${MAX_FILE / 1024 / 1024} MiB`);
    if (size === bytes.length) {
      const larger = new Uint8Array(2 * size);
      larger.set(bytes);
      bytes = larger;
    }
  }
  return bytes.slice(0, size);
}

function requireOwn(uid: number | null, name: string): void {
  const self = Deno.uid();
  if (self === null || uid === self || uid === 0) return;
  throw new EnsembleError(
    `${name} belongs to another user (uid ${uid}): run "chown ${self}" on it`,
  );
}

/** In a sticky directory such as /tmp, only the owner of a file can replace it. */
function requireClosedDirectory(directory: string, name: string): void {
  const { mode } = Deno.statSync(directory);
  if (mode === null || (mode & 0o002) === 0 || (mode & 0o1000) !== 0) return;
  throw new EnsembleError(
    `other users can replace ${name}: run "chmod o-w ${directory}"`,
  );
}

/**
 * Checks that a file is a regular file.
 *
 * @throws {Error} if not, with the kind of file.
 */
function requireRegular({ isFile, isDirectory, isFifo }: Deno.FileInfo): void {
  if (isFile) return;
  throw new Error(
    isDirectory ? "it is a directory" : isFifo ? "it is a named pipe" : "it is not a regular file",
  );
}

/** Options of {@linkcode writeWhole}. */
export interface WriteWholeOptions {
  /** The mode of the file: 0o600 for a secret. The mode of a replaced file is not kept. */
  mode: number;
  /** Whether to replace an existing file. */
  replace: boolean;
}

/**
 * Writes a file atomically: readers never see a part of it, it is on disk when this resolves, and
 * of two processes that create it at once, exactly one succeeds.
 *
 * @throws {Deno.errors.AlreadyExists} if it exists and must not be replaced.
 * @throws {EnsembleError} if it cannot be written.
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
    await Deno.remove(draft).catch(() => {}); // A renamed draft no longer exists.
  }
}

/**
 * Removes a file. It is removed on disk, too, when this resolves.
 *
 * @throws {Deno.errors.NotFound} if there is none.
 * @throws {EnsembleError} if it cannot be removed, with the reason.
 */
export async function removeDurably(path: string): Promise<void> {
  try {
    await Deno.remove(path);
    await syncDirectoryOf(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    throw new EnsembleError(`cannot remove ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Waits until the directory of a file is on disk. Only then are created, moved and removed names
 * durable (fsync(2)).
 */
export async function syncDirectoryOf(path: string): Promise<void> {
  using directory = await Deno.open(directoryOf(path));
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
 * Runs `action` under the lock of a file, which one process can hold at a time. The lock ends with
 * its process, however that ends. The file remains.
 *
 * @throws {EnsembleError} if the file cannot be created; and whatever `action` throws.
 */
export async function withFileLock<T>(path: string, action: () => Promise<T>): Promise<T> {
  using file = await openLock(path);
  await file.lock(true);
  return await action();
}

/**
 * Takes the lock of a file until it is disposed of or the process ends.
 *
 * @param options.note text to write to the file, for processes that find it locked.
 * @returns undefined if another process has the lock.
 * @throws {EnsembleError} if the file cannot be created.
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
    // It was removed meanwhile, so its lock is worthless: the next process creates another.
    file.close();
    file = await openLock(path);
  }
  try {
    await file.truncate();
    await file.write(new TextEncoder().encode(note));
  } catch {
    // The disk is full. The lock is valid without the note.
  }
  return heldLock(file);
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    // Opening a named pipe for writing blocks until it has a reader.
    await Deno.stat(path).then(requireRegular, () => {});
    return await Deno.open(path, { write: true, create: true, mode: 0o600 });
  } catch (error) {
    throw new EnsembleError(`cannot lock ${path}: ${(error as Error).message}`, { cause: error });
  }
}
