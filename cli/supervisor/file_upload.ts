/**
 * Sends files to hosts.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { EnsembleError } from "../../runtime/errors.ts";
import { unreadable } from "../../runtime/home/files.ts";
import { supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import {
  MAX_UPLOAD_PART,
  type UploadedFile,
  type UploadRequest,
} from "../../supervisor/uploads_protocol.ts";
import type { WorkContext } from "../kit/server_set.ts";

/** The number of parts that are sent before the first is answered. */
const WINDOW = 4;

/** How long the host may take for a part, and for the check of a whole file, in ms. */
const PART_TIMEOUT = 30_000;
const CHECK_TIMEOUT = 600_000;

/** A file of this host that is sent to others. */
export class SentFile implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  /** Its size in bytes. */
  readonly size: number;
  /** The SHA-256 of its bytes. */
  readonly hash: Uint8Array<ArrayBuffer>;

  private constructor(
    path: string,
    parts: { file: Deno.FsFile; size: number; hash: Uint8Array<ArrayBuffer> },
  ) {
    this.#path = path;
    this.#file = parts.file;
    this.size = parts.size;
    this.hash = parts.hash;
  }

  /**
   * Opens and reads a file once.
   *
   * @throws {EnsembleError} if it cannot be read, or is not a regular file.
   */
  static async open(path: string): Promise<SentFile> {
    try {
      // A named pipe would block.
      if (!(await Deno.stat(path)).isFile) throw new Error("it is not a regular file");
      const file = await Deno.open(path);
      const hash = createHash("sha256");
      const part = new Uint8Array(MAX_UPLOAD_PART);
      let size = 0;
      for (let count; (count = await file.read(part)) !== null; size += count) {
        hash.update(part.subarray(0, count));
      }
      return new SentFile(path, { file, size, hash: new Uint8Array(hash.digest()) });
    } catch (error) {
      throw unreadable(path, error);
    }
  }

  /** Reads a part. */
  async read(offset: number): Promise<Uint8Array<ArrayBuffer>> {
    const part = new Uint8Array(Math.min(MAX_UPLOAD_PART, this.size - offset));
    let length = 0;
    // Both are one step of the same descriptor, which several uploads share.
    while (length < part.length) {
      this.#file.seekSync(offset + length, Deno.SeekMode.Start);
      const count = this.#file.readSync(part.subarray(length));
      if (count === null) throw new EnsembleError(`${this.#path} has become shorter meanwhile`);
      length += count;
    }
    return await Promise.resolve(part);
  }

  /** Closes it. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Where a file goes. */
export interface UploadTarget extends Pick<UploadRequest, "kind" | "name" | "mode"> {
  /** The supervisor of the host. */
  readonly supervisor: string;
  /** Called with the number of bytes that the host has. */
  onProgress(done: number): void;
}

/** A file that a host has now. */
export interface SentUpload extends UploadedFile {
  /** The number of bytes that were sent; the host had the others. */
  readonly sent: number;
}

/**
 * Sends a file to a host, or what the host lacks of it.
 *
 * @throws {EnsembleError} if the host refuses it, or the connection is lost: then it goes on there
 * the next time.
 */
export async function sendFile(
  { actors }: Pick<WorkContext, "actors">,
  file: SentFile,
  { supervisor, onProgress, kind, name, mode }: UploadTarget,
): Promise<SentUpload> {
  const client = supervisorClient(actors, supervisor);
  const request = { kind, name, mode, size: file.size, hash: file.hash };
  const begun = await client.beginUpload(request, { timeout: CHECK_TIMEOUT });
  if ("stored" in begun) return { ...begun.stored, sent: 0 };
  const { upload, have } = begun;
  onProgress(have);
  const waiting: Promise<number>[] = [];
  for (let offset = have; offset < file.size;) {
    const part = await file.read(offset);
    const written = client.writeUpload({ upload, offset, part }, { timeout: PART_TIMEOUT });
    written.catch(() => {}); // It may fail while an earlier one is waited for.
    waiting.push(written);
    offset += part.length;
    if (waiting.length >= WINDOW) onProgress(await waiting.shift()!);
  }
  for (const written of waiting) onProgress(await written);
  const stored = await client.commitUpload({ upload }, { timeout: CHECK_TIMEOUT });
  return { ...stored, sent: file.size - have };
}
