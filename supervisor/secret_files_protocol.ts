/**
 * The protocol of the actor `secrets`, which every supervisor serves: the files of the cookie and of
 * the administrators' public key on its host, while they are rotated.
 *
 * Each request does nothing if it was done before, so that a rotation that was cut off goes on.
 *
 * @module
 */
import type { Messaging } from "../runtime/actor/messaging.ts";
import { ActorRef } from "../runtime/actor/references.ts";
import { type Client, client, type RequestChecks } from "../runtime/actor/service.ts";
import { checkRotatedName, type RotatedName } from "../runtime/pki/rotated_secret.ts";
import type { Bytes } from "../runtime/server/credentials.ts";
import {
  answerChecks,
  bytes,
  type Check,
  matching,
  MAX_PATH,
  optional,
  parts,
  requestChecks,
  text,
} from "../runtime/server/request_checks.ts";

/** The name of the actor. */
export const SECRETS_ACTOR = "secrets";

/** The largest file of a secret, in bytes. */
const MAX_SECRET = 4096;

/** The length limit of the numbers of a device and an inode. */
const MAX_DIRECTORY = 50;

/** A fingerprint: a SHA-256 in hex. */
const fingerprint = matching(/^[0-9a-f]{64}$/, "a fingerprint");

/** The files of a secret on a host. */
export interface HostSecret {
  /** The fingerprint of the current one; absent if there is none. */
  readonly current?: string | undefined;
  /** The fingerprint of the next one; absent if there is none. */
  readonly next?: string | undefined;
  /** The path of the next one. */
  readonly nextPath: string;
  /** The device and the inode of their directory: on one machine, the same ones are the same files. */
  readonly directory: string;
}

/** The handlers of the actor `secrets`, for `client`. See `RotatedSecret`. */
export type SecretFileHandlers = {
  /** The state of this host. */
  state(request: { name: RotatedName }): Promise<HostSecret>;
  /** Takes the next one. */
  take(request: { name: RotatedName; contents: Bytes }): Promise<HostSecret>;
  /** Makes the next one the current one, too. */
  use(request: { name: RotatedName; fingerprint: string }): Promise<HostSecret>;
  /** Removes the file of the next one, which is the current one. */
  finish(request: { name: RotatedName; fingerprint: string }): Promise<HostSecret>;
  /** Gives the rotation up. */
  abandon(request: { name: RotatedName; fingerprint: string }): Promise<HostSecret>;
};

const oneOf = parts({ name: checkRotatedName, fingerprint });

/** The checks of requests. */
export const secretFileChecks: RequestChecks = requestChecks<SecretFileHandlers>({
  state: parts({ name: checkRotatedName }),
  take: parts({ name: checkRotatedName, contents: bytes(MAX_SECRET, 1) }),
  use: oneOf,
  finish: oneOf,
  abandon: oneOf,
});

const hostSecret: Check<HostSecret> = parts({
  current: optional(fingerprint),
  next: optional(fingerprint),
  nextPath: text(MAX_PATH),
  directory: text(MAX_DIRECTORY),
});

const secretFileAnswers = answerChecks<SecretFileHandlers>({
  state: hostSecret,
  take: hostSecret,
  use: hostSecret,
  finish: hostSecret,
  abandon: hostSecret,
});

/** The files of secrets of a supervisor's host. */
export function secretFilesClient(
  asker: Pick<Messaging, "ask">,
  supervisor: string,
): Client<SecretFileHandlers> {
  const secrets = new ActorRef<SecretFileHandlers>(supervisor, SECRETS_ACTOR);
  return client<SecretFileHandlers>(asker, secrets, { answers: secretFileAnswers });
}
