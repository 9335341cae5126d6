/**
 * The archive of a package: a tar file, compressed with gzip. Its first entry lists the files with
 * their modes and hashes, so that a truncated or changed archive is noticed before anything is
 * written.
 *
 * @module
 */
import { packTar, unpackTar } from "npm:modern-tar@^0.8.6";
import { EnsembleError } from "../../runtime/errors.ts";
import { fingerprintOf } from "../../runtime/server/credentials.ts";
import { quoted } from "../../runtime/safe_text.ts";
import {
  checkPackagedFile,
  MAX_PACKAGED_FILE,
  MAX_PACKAGED_FILES,
  modeOf,
  type PackagedFile,
} from "./package_files.ts";

/** The largest archive that is read, in bytes: before and after it is decompressed. */
const MAX_ARCHIVE = 32 * 2 ** 20;

/** The name of the first entry. */
const LIST = "package.json";

/** What the first entry says of its form. */
const FORMAT = "gxensemble package 1";

/** A package. */
export interface Package {
  /** The server that it is for. */
  readonly server: string;
  /** The user and host that made it. */
  readonly by: string;
  /** When it was made: `2026-01-31T12:00:00.000Z`. */
  readonly made: string;
  /** Its files. */
  readonly files: readonly PackagedFile[];
}

/** The first entry of the archive. */
interface List extends Omit<Package, "files"> {
  readonly format: string;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
}

/** Makes the archive of a package. */
export async function packArchive(
  { files, ...about }: Package,
): Promise<Uint8Array<ArrayBuffer>> {
  const listed = await Promise.all(
    files.map(async ({ name, contents }) => ({ name, sha256: await fingerprintOf(contents) })),
  );
  const list: List = { format: FORMAT, ...about, files: listed };
  const text = new TextEncoder().encode(`${JSON.stringify(list, undefined, 2)}\n`);
  const mtime = new Date(about.made);
  const entries = [
    { header: { name: LIST, size: text.length, mode: 0o600, mtime, type: "file" }, body: text },
    ...files.map(({ name, contents }) => ({
      header: { name, size: contents.length, mode: modeOf(name), mtime, type: "file" as const },
      body: contents,
    })),
  ] as const;
  const tar = new Blob([await packTar(entries)]);
  const compressed = tar.stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

/**
 * Reads the archive of a package. Nothing in it is trusted: only regular files with the names, modes
 * and contents that a package has are accepted, each once.
 *
 * @throws {EnsembleError} if it is not such an archive, with what is wrong.
 */
export async function readArchive(archive: Uint8Array<ArrayBuffer>): Promise<Package> {
  const [first, ...entries] = await entriesOf(archive);
  if (first?.name !== LIST) throw notAPackage(`its first entry is not ${LIST}`);
  const { files: listed, ...about } = readList(first.contents);
  const files: PackagedFile[] = [];
  const expected = new Map(listed.map(({ name, sha256 }) => [name, sha256]));
  if (expected.size !== listed.length) throw notAPackage("it lists a file twice");
  for (const file of entries) {
    const sha256 = expected.get(file.name);
    // Each is removed, so that a second one of the same name is not in the list either.
    if (!expected.delete(file.name)) {
      throw notAPackage(`${quoted(file.name)} is there twice, or not in its list`);
    }
    if (await fingerprintOf(file.contents) !== sha256) {
      throw notAPackage(`${file.name} was changed`);
    }
    await checkPackagedFile(file);
    files.push(file);
  }
  const [missing] = expected.keys();
  if (missing !== undefined) throw notAPackage(`${quoted(missing)} is missing`);
  return { ...about, files };
}

async function entriesOf(archive: Uint8Array<ArrayBuffer>): Promise<PackagedFile[]> {
  const entries = await untar(await decompress(archive));
  if (entries.length > MAX_PACKAGED_FILES) throw notAPackage(`it has ${entries.length} entries`);
  return entries.map(({ header, data = new Uint8Array() }) => {
    const { name, type = "file", mode = 0, size } = header;
    if (type !== "file") throw notAPackage(`${quoted(name)} is not a regular file: ${type}`);
    const wanted = name === LIST ? 0o600 : modeOf(name);
    if ((mode & 0o7777) !== wanted) {
      const octal = (mode & 0o7777).toString(8);
      throw notAPackage(`${name} has the mode ${octal} instead of ${wanted.toString(8)}`);
    }
    if (data.length !== size) throw notAPackage(`${name} was truncated`);
    if (size > MAX_PACKAGED_FILE) throw notAPackage(`${name} has ${size} bytes`);
    return { name, contents: data };
  });
}

async function untar(tar: Uint8Array<ArrayBuffer>) {
  try {
    return await unpackTar(tar, { strict: true });
  } catch (error) {
    throw notAPackage(`not a tar file, or truncated: ${(error as Error).message}`, error);
  }
}

/** Decompresses an archive, which may claim to be far larger than it is. */
async function decompress(archive: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (archive.length > MAX_ARCHIVE) throw notAPackage(`it has ${archive.length} bytes`);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  try {
    const stream = new Blob([archive]).stream().pipeThrough(new DecompressionStream("gzip"));
    for await (const part of stream) {
      size += part.length;
      if (size > MAX_ARCHIVE) {
        throw notAPackage(`it has more than ${MAX_ARCHIVE / 2 ** 20} MiB when decompressed`);
      }
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    throw notAPackage(`not compressed with gzip, or truncated`, error);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

function readList(contents: Uint8Array): List {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(contents));
  } catch (error) {
    throw notAPackage(`${LIST} is not JSON`, error);
  }
  const list = value as Partial<List> | null;
  const isText = (text: unknown): text is string => typeof text === "string" && text.length < 1_000;
  const isList = Array.isArray(list?.files) &&
    list.files.every((file: Partial<List["files"][number]> | null) =>
      isText(file?.name) && isText(file.sha256)
    );
  if (list?.format !== FORMAT) {
    throw notAPackage(`it has another form, ${quoted(String(list?.format).slice(0, 100))}`);
  }
  if (!isList || !isText(list.server) || !isText(list.by) || !isText(list.made)) {
    throw notAPackage(`${LIST} is not complete`);
  }
  const { format, server, by, made, files } = list as List;
  return { format, server, by, made, files };
}

function notAPackage(reason: string, cause?: unknown): EnsembleError {
  return new EnsembleError(
    `this is not a package of gxensemble: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
