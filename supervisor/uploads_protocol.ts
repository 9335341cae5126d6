/**
 * Uploads: what the actor `supervisor` answers about the files that operators store on its host.
 *
 * @module
 */
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  type AnswerForms,
  bytes,
  type Check,
  flag,
  listOf,
  matching,
  MAX_PATH,
  nothing,
  oneOf,
  optional,
  parts,
  type RequestForms,
  text,
  timestamp,
  wholeNumber,
  wholeNumberUpTo,
} from "../runtime/server/request_checks.ts";

/** The largest part of a file in a request, in bytes: what a message holds without pieces. */
export const MAX_UPLOAD_PART = 256 * 1024 - 1024;

/** The largest number of files that a host keeps. */
export const MAX_UPLOADED_FILES = 1_000;

/** The kinds of files, each with a directory of its own: programs, other files, and `KEY=value`. */
export const UPLOAD_KINDS = ["executable", "file", "environment"] as const;

/** A kind of file. */
export type UploadKind = typeof UPLOAD_KINDS[number];

/**
 * A name: words with `/` between them. No word begins with a dot, so that a name leads nowhere else
 * and never to the supervisor's own files.
 */
const NAME = /^(?=.{1,200}$)[A-Za-z0-9_][\w.+@-]*(?:\/[A-Za-z0-9_][\w.+@-]*){0,7}$/;

/** What a name looks like, for errors. */
export const UPLOAD_NAME_FORM = "a name such as shop or assets/logo.png: letters, digits and " +
  "_ . + @ -, with up to 7 slashes between words that begin with a letter, digit or _";

/** Whether a text can be the name of an uploaded file. */
export function isUploadName(name: string): boolean {
  return NAME.test(name);
}

/** The place of a file. */
export interface UploadPlace {
  /** Its kind. */
  readonly kind: UploadKind;
  /** Its name among those of its kind. */
  readonly name: string;
}

/** What is uploaded. */
export interface UploadRequest extends UploadPlace {
  /** Its size in bytes. */
  readonly size: number;
  /** The SHA-256 of its bytes. */
  readonly hash: Bytes;
  /** Its mode, such as 0o755; at most 0o777. */
  readonly mode: number;
}

/** Where an upload begins or goes on. */
export interface BegunUpload {
  /** Its number on this connection. */
  readonly upload: number;
  /** The number of bytes that the host has already, of an upload that was cut. */
  readonly have: number;
}

/** A stored file. */
export interface UploadedFile extends UploadPlace {
  /** Its path on the host. */
  readonly path: string;
  /** Its size in bytes. */
  readonly size: number;
  /** Its mode. */
  readonly mode: number;
  /** When it was stored, in ms since 1970. */
  readonly at: number;
  /** Whether the version before it is kept. */
  readonly hasPrevious: boolean;
}

/** The handlers of the actor `supervisor` for uploads. */
export type UploadHandlers = {
  /**
   * Begins an upload, or goes on with one of the same bytes to the same place that was cut.
   * Answers without a number if the host has that file already; its mode is then the given one.
   */
  beginUpload(request: UploadRequest): Promise<BegunUpload | { readonly stored: UploadedFile }>;
  /** Appends a part at the offset, which is what the host has. Answers what it has then. */
  writeUpload(request: { upload: number; offset: number; part: Bytes }): Promise<number>;
  /** Checks the SHA-256 of an upload that is complete, and stores it in place of the earlier. */
  commitUpload(request: { upload: number }): Promise<UploadedFile>;
  /** Exchanges a file and its previous version. */
  restoreUpload(request: UploadPlace): Promise<UploadedFile>;
  /** All stored files, sorted by kind and name. */
  listUploads(): Promise<UploadedFile[]>;
};

const kind = oneOf(...UPLOAD_KINDS);
const name = matching(NAME, UPLOAD_NAME_FORM);

const mode = wholeNumberUpTo(0o777, "a mode up to 777");

/** The checks of their requests. */
export const uploadChecks: RequestForms<UploadHandlers> = {
  beginUpload: parts({ kind, name, size: wholeNumber, hash: bytes(32, 32), mode }),
  writeUpload: parts({ upload: wholeNumber, offset: wholeNumber, part: bytes(MAX_UPLOAD_PART, 1) }),
  commitUpload: parts({ upload: wholeNumber }),
  restoreUpload: parts({ kind, name }),
  listUploads: nothing,
};

const uploadedFile: Check<UploadedFile> = parts({
  kind,
  name,
  path: text(MAX_PATH),
  size: wholeNumber,
  mode: wholeNumber,
  at: timestamp,
  hasPrevious: flag,
});

const begun = parts({ upload: wholeNumber, have: wholeNumber });
const stored = parts({ stored: optional(uploadedFile) });

/** The checks of their answers. */
export const uploadAnswers: AnswerForms<UploadHandlers> = {
  beginUpload: (value) => {
    const found = stored(value).stored;
    return found ? { stored: found } : begun(value);
  },
  writeUpload: wholeNumber,
  commitUpload: uploadedFile,
  restoreUpload: uploadedFile,
  listUploads: listOf(uploadedFile, MAX_UPLOADED_FILES),
};
