/**
 * The files that operators have stored on a host, and the parts of those that are on their way.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import { isThere, syncDirectoryOf } from "../runtime/home/files.ts";
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  isUploadName,
  MAX_UPLOADED_FILES,
  UPLOAD_KINDS,
  UPLOAD_NAME_FORM,
  type UploadedFile,
  type UploadKind,
  type UploadPlace,
  type UploadRequest,
} from "./uploads_protocol.ts";

/** The directories of the kinds. */
const DIRECTORIES: Readonly<Record<UploadKind, string>> = {
  executable: "executables",
  file: "files",
  environment: "environments",
};

/** The directories of files on their way, and of previous versions. No name begins with a dot. */
const PARTIAL = ".partial";
const PREVIOUS = ".previous";

/** Space that no upload takes, in bytes, so that servers can still write their logs. */
const RESERVED_SPACE = 64 << 20;

/** How long the parts of an upload that was cut are kept, in ms, and how many uploads. */
const PARTIAL_LIFETIME = 86_400_000;
const MAX_PARTIALS = 32;

/** How much of a file is read at once for its hash, in bytes. */
const HASHED_AT_ONCE = 256 * 1024;

/** Options of an {@linkcode UploadStore}. */
export interface UploadStoreOptions {
  /** The size of everything in it, previous versions included, in bytes. */
  readonly limit: number;
  /** The free space of a file system in bytes; for tests. */
  readonly freeSpace?: (directory: string) => Promise<number>;
}

/**
 * Stores files below one directory: `executables`, `files` and `environments`. A file is replaced at
 * once, and its previous version is kept.
 */
export class UploadStore {
  /** The directory. */
  readonly directory: string;
  readonly #limit: number;
  readonly #freeSpace: (directory: string) => Promise<number>;
  /** The files on their way, by path. */
  readonly #partials = new Map<string, PartialFile>();
  /** What begins uploads and changes stored files, one after the other. */
  #changes: Promise<unknown> = Promise.resolve();

  /** Stores files below an absolute directory, which is made when the first is stored. */
  constructor(directory: string, { limit, freeSpace = freeSpaceOf }: UploadStoreOptions) {
    this.directory = directory;
    this.#limit = limit;
    this.#freeSpace = freeSpace;
  }

  /** The directory of executables. */
  get programs(): string {
    return `${this.directory}/${DIRECTORIES.executable}`;
  }

  /** All stored files, sorted by kind and path. */
  async list(): Promise<UploadedFile[]> {
    const files: UploadedFile[] = [];
    for (const kind of UPLOAD_KINDS) {
      for await (const name of namesBelow(`${this.directory}/${DIRECTORIES[kind]}`)) {
        if (!isUploadName(name)) continue;
        const file = await this.#find({ kind, name });
        if (file) files.push(file);
        if (files.length === MAX_UPLOADED_FILES) return files;
      }
    }
    return files;
  }

  /**
   * Begins to store a file, or goes on where an upload of the same bytes to the same place was cut,
   * or still goes on: then this one takes it over.
   *
   * @returns the stored file if it has these bytes already.
   * @throws {EnsembleError} if it is too large, there are too many, or there is no space.
   */
  async begin(request: UploadRequest): Promise<PartialFile | UploadedFile> {
    return await this.#change(() => this.#begin(request));
  }

  async #begin(request: UploadRequest): Promise<PartialFile | UploadedFile> {
    const { size, hash, mode } = request;
    const path = this.#pathOf(request);
    await this.#makeDirectories(dirname(path));
    const current = await this.#find(request);
    if (current?.size === size && sameBytes(await hashOf(path), hash)) {
      await Deno.chmod(path, mode);
      return { ...current, mode };
    }
    if (!current) await this.#requireRoom();
    const partial = `${this.directory}/${PARTIAL}/${partialName(request)}`;
    await this.#makeDirectories(dirname(partial));
    await this.#partials.get(partial)?.close();
    await this.#removeOldPartials();
    const file = await PartialFile.open(partial, request, () => this.#partials.delete(partial));
    this.#partials.set(partial, file);
    try {
      await this.#requireSpace(file);
    } catch (error) {
      await file.close();
      if (file.have === 0) await Deno.remove(partial);
      throw error;
    }
    return file;
  }

  /**
   * Stores a complete file. A program that reads it meanwhile gets the earlier version or this one,
   * and never a part.
   *
   * @throws {EnsembleError} if it is not complete, or its bytes are not those that were announced.
   */
  async commit(file: PartialFile): Promise<UploadedFile> {
    const { request } = file;
    const path = this.#pathOf(request);
    return await this.#change(async () => {
      await file.finish();
      await this.#makeDirectories(dirname(path));
      if (await this.#find(request)) await this.#keepPrevious(request);
      await Deno.chmod(file.path, request.mode);
      await Deno.rename(file.path, path);
      await syncDirectoryOf(path);
      return (await this.#find(request))!;
    });
  }

  /**
   * Exchanges a file and its previous version.
   *
   * @throws {EnsembleError} if there is no previous version.
   */
  async restore(place: UploadPlace): Promise<UploadedFile> {
    const path = this.#pathOf(place);
    const previous = this.#previousOf(place);
    return await this.#change(async () => {
      if (!await this.#find(place) || !await isThere(previous)) {
        throw new EnsembleError(`there is no previous version of the ${place.kind} ${place.name}`);
      }
      const draft = `${previous}.${crypto.randomUUID()}`;
      await Deno.rename(previous, draft);
      await this.#keepPrevious(place);
      await Deno.rename(draft, path);
      await syncDirectoryOf(path);
      return (await this.#find(place))!;
    });
  }

  #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const change = this.#changes.then(work);
    this.#changes = change.catch(() => {});
    return change;
  }

  /** Makes the current version the previous one, too. There is a current one at any moment. */
  async #keepPrevious(place: UploadPlace): Promise<void> {
    const path = this.#pathOf(place);
    const previous = this.#previousOf(place);
    await this.#makeDirectories(dirname(previous));
    const draft = `${previous}.${crypto.randomUUID()}`;
    await Deno.link(path, draft);
    await Deno.rename(draft, previous);
    // If both were the same file, rename(2) has done nothing.
    await Deno.remove(draft).catch(() => {});
  }

  #pathOf({ kind, name }: UploadPlace): string {
    if (!isUploadName(name)) throw new InvalidInputError(`not ${UPLOAD_NAME_FORM}`);
    return `${this.directory}/${DIRECTORIES[kind]}/${name}`;
  }

  #previousOf({ kind, name }: UploadPlace): string {
    // The slashes go, so that the previous version of a file is never where a directory has to be.
    return `${this.directory}/${PREVIOUS}/${DIRECTORIES[kind]}/${name.replaceAll("/", ":")}`;
  }

  async #find(place: UploadPlace): Promise<UploadedFile | undefined> {
    const path = this.#pathOf(place);
    let info: Deno.FileInfo;
    try {
      info = await Deno.lstat(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    if (!info.isFile) {
      throw new EnsembleError(
        `${path} is ${info.isDirectory ? "a directory" : "not a regular file"}: remove it, or ` +
          "choose another name",
      );
    }
    return {
      kind: place.kind,
      name: place.name,
      path,
      size: info.size,
      mode: (info.mode ?? 0) & 0o777,
      at: info.mtime?.getTime() ?? 0,
      hasPrevious: await isThere(this.#previousOf(place)),
    };
  }

  /**
   * Makes the directories that lead to a file. None of them may be a link, which would lead out of
   * the directory of uploads.
   */
  async #makeDirectories(path: string): Promise<void> {
    await Deno.mkdir(this.directory, { recursive: true });
    let directory = this.directory;
    for (const word of path.slice(directory.length + 1).split("/")) {
      directory += `/${word}`;
      try {
        await Deno.mkdir(directory, word.startsWith(".") ? { mode: 0o700 } : {});
        continue;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      }
      if ((await Deno.lstat(directory)).isDirectory) continue;
      throw new EnsembleError(`${directory} is not a directory: remove it, or choose another name`);
    }
  }

  async #requireRoom(): Promise<void> {
    const { length } = await this.list();
    if (length < MAX_UPLOADED_FILES) return;
    throw new EnsembleError(
      `${this.directory} has ${length} files, which is the limit: remove some of them there`,
      { code: "LIMIT_REACHED" },
    );
  }

  async #requireSpace(file: PartialFile): Promise<void> {
    let needed = 0;
    for (const { request, have } of this.#partials.values()) needed += request.size - have;
    const { name, size } = file.request;
    const free = Math.max(0, await this.#freeSpace(this.directory) - RESERVED_SPACE);
    if (needed > free) {
      throw new EnsembleError(
        `no space for ${name} in ${this.directory}: it takes ${size - file.have} bytes more, and ` +
          `uploads may take ${free}`,
        { code: "LIMIT_REACHED" },
      );
    }
    const used = await sizeBelow(this.directory);
    if (used + needed <= this.#limit) return;
    throw new EnsembleError(
      `${name} is too large: it takes ${
        size - file.have
      } bytes more, ${this.directory} has ${used}, ` +
        `and the limit is ${this.#limit}: raise supervisor.uploads.limit, or remove files there`,
      { code: "LIMIT_REACHED" },
    );
  }

  /** Removes what was cut long ago, and the oldest if there are too many. */
  async #removeOldPartials(): Promise<void> {
    const left: { path: string; at: number }[] = [];
    for await (const { name } of Deno.readDir(`${this.directory}/${PARTIAL}`)) {
      const path = `${this.directory}/${PARTIAL}/${name}`;
      if (this.#partials.has(path)) continue;
      const info = await Deno.lstat(path);
      left.push({ path, at: info.mtime?.getTime() ?? 0 });
    }
    left.sort((a, b) => b.at - a.at);
    const isOld = ({ at }: { at: number }) => Date.now() - at > PARTIAL_LIFETIME;
    for (const [index, each] of left.entries()) {
      if (index >= MAX_PARTIALS || isOld(each)) await Deno.remove(each.path);
    }
  }
}

/** A file on its way. One upload writes it at a time. */
export class PartialFile {
  /** What it becomes. */
  readonly request: UploadRequest;
  /** Its path. */
  readonly path: string;
  readonly #file: Deno.FsFile;
  readonly #onClosed: () => void;
  #have: number;
  #isClosed = false;
  /** Its writes, one after the other. */
  #writes: Promise<unknown> = Promise.resolve();

  private constructor(
    { path, file, have }: { path: string; file: Deno.FsFile; have: number },
    { request, onClosed }: { request: UploadRequest; onClosed: () => void },
  ) {
    this.path = path;
    this.request = request;
    this.#file = file;
    this.#have = have;
    this.#onClosed = onClosed;
  }

  /** Opens or creates it. */
  static async open(
    path: string,
    request: UploadRequest,
    onClosed: () => void,
  ): Promise<PartialFile> {
    const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
    let { size: have } = await file.stat();
    // The size that was announced with these bytes earlier was another.
    if (have > request.size) await file.truncate(have = 0);
    await file.seek(have, Deno.SeekMode.Start);
    return new PartialFile({ path, file, have }, { request, onClosed });
  }

  /** The bytes that are there. */
  get have(): number {
    return this.#have;
  }

  /**
   * Appends a part, after those that came before.
   *
   * @returns the bytes that are there then.
   * @throws {EnsembleError} if it does not follow what is there, or is too much.
   */
  append(part: Bytes, offset: number): Promise<number> {
    return this.#inOrder(async () => {
      this.#requireOpen();
      const { name, size } = this.request;
      if (offset !== this.#have || offset + part.length > size) {
        throw new InvalidInputError(
          `not the next part of ${name}: ${part.length} bytes at ${offset}, but ${this.#have} of ` +
            `${size} are there`,
        );
      }
      try {
        for (let written = 0; written < part.length;) {
          const count = await this.#file.write(part.subarray(written));
          written += count;
          this.#have += count;
        }
      } catch (error) {
        throw new EnsembleError(`cannot write ${this.path}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      return this.#have;
    });
  }

  /**
   * Waits until it is on disk, checks its bytes, and closes it. If they are wrong, it is removed.
   *
   * @throws {EnsembleError} if it is not complete, or has other bytes than were announced.
   */
  async finish(): Promise<void> {
    await this.#inOrder(async () => {
      this.#requireOpen();
      const { name, size, hash } = this.request;
      if (this.#have < size) {
        throw new InvalidInputError(`${name} is not complete: ${this.#have} of ${size} bytes`);
      }
      await this.#file.sync();
      const found = await hashOf(this.path);
      this.#close();
      if (sameBytes(found, hash)) return;
      await Deno.remove(this.path);
      throw new InvalidInputError(
        `the upload of ${name} is damaged: its SHA-256 is ${found.toHex()}, not ${hash.toHex()}. ` +
          "Nothing was stored; upload it again",
      );
    });
  }

  /** Closes it. What is there is kept for an upload that goes on. */
  async close(): Promise<void> {
    await this.#inOrder(() => Promise.resolve(this.#close()));
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#file.close();
    this.#onClosed();
  }

  #requireOpen(): void {
    if (!this.#isClosed) return;
    throw new EnsembleError(
      `another upload of the same ${this.request.kind} ${this.request.name} goes on with this one`,
    );
  }

  #inOrder<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#writes.then(work);
    this.#writes = result.catch(() => {});
    return result;
  }
}

/** The name of a file on its way: the same for the same bytes at the same place. */
function partialName({ kind, name, hash }: UploadRequest): string {
  return createHash("sha256").update(`${kind}\0${name}\0`).update(hash).digest("hex");
}

/** The SHA-256 of a file. */
async function hashOf(path: string): Promise<Bytes> {
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const part = new Uint8Array(HASHED_AT_ONCE);
  for (let count; (count = await file.read(part)) !== null;) hash.update(part.subarray(0, count));
  return new Uint8Array(hash.digest());
}

function sameBytes(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

async function freeSpaceOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** The names of all files below a directory, as paths from there, sorted. */
async function* namesBelow(directory: string, prefix = ""): AsyncGenerator<string> {
  const entries: Deno.DirEntry[] = [];
  try {
    for await (const entry of Deno.readDir(directory)) entries.push(entry);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  for (const { name, isDirectory, isFile } of entries) {
    if (isFile) yield prefix + name;
    else if (isDirectory) yield* namesBelow(`${directory}/${name}`, `${prefix}${name}/`);
  }
}

/** The size of all files below a directory, in bytes. */
async function sizeBelow(directory: string): Promise<number> {
  let size = 0;
  for await (const name of namesBelow(directory)) {
    const info = await Deno.lstat(`${directory}/${name}`).catch(() => undefined);
    size += info?.size ?? 0;
  }
  return size;
}
