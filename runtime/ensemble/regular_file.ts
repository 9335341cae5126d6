/**
 * Reading the ensemble's files: regular files only, and secrets only where nobody else can read them.
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
