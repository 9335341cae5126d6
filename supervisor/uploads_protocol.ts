/**
 * The requests of a host's supervisor about files that operators upload to it.
 *
 * @module
 */
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  type AnswerForms,
  bytes,
  flag,
  matching,
  MAX_PATH,
  oneOf,
  optional,
  parts,
  type RequestForms,
  text,
  wholeNumber,
} from "../runtime/server/request_checks.ts";
import { operator } from "./supervised_servers_protocol.ts";

/** The largest part of an upload in a request, in bytes. */
export const UPLOAD_PART = 1 << 18;

/** The kinds of uploads. */
export const UPLOAD_KINDS = ["executable", "file", "environment"] as const;

/** What an upload is: a program, any file, or a file of variables, which only its owner may read. */
export type UploadKind = typeof UPLOAD_KINDS[number];

/** A file to upload. */
export interface Upload {
  /** Its name below the directory of uploads. */
  readonly name: string;
  /** What it is. */
  readonly kind: UploadKind;
  /** Its size, in bytes. */
  readonly size: number;
  /** The SHA-256 of its contents, in hex. */
  readonly sha256: string;
  /** Its mode. Default: by its kind. */
  readonly mode?: number | undefined;
  /** Who asks, for the log: `user@host`, as the console says. */
  readonly by: string;
}

/** An upload that has begun. */
export interface UploadProgress {
  /** Names the upload in further requests. */
  readonly upload: string;
  /** How many of its bytes the host has: an upload that was cut goes on there. */
  readonly offset: number;
  /** Whether the host has the file already, with these contents. */
  readonly complete: boolean;
}

/** The handlers of a supervisor for uploads. They take the capability `filesystem`. */
export type UploadHandlers = {
  /** Begins an upload, or goes on with one of the same name and contents. */
  beginUpload(request: Upload): Promise<UploadProgress>;
  /** Adds a part. */
  writeUpload(request: { upload: string; offset: number; bytes: Bytes }): Promise<UploadProgress>;
  /**
   * Checks the contents, and puts the file in its place at once. The file that was there is kept
   * beside it. Returns the path on the host.
   */
  commitUpload(
    request: { upload: string },
  ): Promise<{ path: string; previous?: string | undefined }>;
  /** Drops an upload that is not finished. */
  dropUpload(request: { upload: string }): Promise<void>;
};

const upload = text(128);

const sha256 = matching(/^[0-9a-f]{64}$/, "a SHA-256 in hex");

/** The checks of their requests. */
export const uploadChecks: RequestForms<UploadHandlers> = {
  beginUpload: parts({
    name: text(1_024),
    kind: oneOf(...UPLOAD_KINDS),
    size: wholeNumber,
    sha256,
    mode: optional((value) => wholeNumber(value) & 0o777),
    by: operator,
  }),
  writeUpload: parts({ upload, offset: wholeNumber, bytes: bytes(UPLOAD_PART, 1) }),
  commitUpload: parts({ upload }),
  dropUpload: parts({ upload }),
};

const progress = parts({ upload, offset: wholeNumber, complete: flag });

/** The checks of their answers. */
export const uploadAnswers: AnswerForms<UploadHandlers> = {
  beginUpload: progress,
  writeUpload: progress,
  commitUpload: parts({ path: text(MAX_PATH), previous: optional(text(MAX_PATH)) }),
};
