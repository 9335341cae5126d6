/**
 * The ensemble's files: read only where they are regular and, for secrets, private; written whole or not at all.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../errors.ts";

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
  return await read(path, `the ${what} ${path}`, ({ mode, uid }) => {
    requireOwn(uid, `the ${what} ${path}`);
    requireClosedDirectory(dirname(path), `the ${what} ${path}`);
    if (mode === null || (mode & 0o077) === 0) return;
    const others = (mode & 0o044) !== 0 ? "others can read" : "others have access to";
    throw new EnsembleError(
      `${others} the ${what} ${path} (mode ${(mode & 0o777).toString(8)}): run "chmod 600 ${path}"`,
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
    const reason = (error as Error).message.replace(/ \(os error \d+\).*$/, "");
    throw new EnsembleError(`cannot read ${name}: ${reason}`, { cause: error });
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
export function requireRegular({ isFile, isDirectory, isFifo }: Deno.FileInfo): void {
  if (isFile) return;
  throw new Error(
    isDirectory ? "it is a directory" : isFifo ? "it is a named pipe" : "it is no regular file",
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
