/**
 * Profiles of a server's process: what the actor `observer` answers about them.
 *
 * @module
 */
import type { Bytes } from "../server/credentials.ts";
import {
  type AnswerForms,
  bytes,
  nothing,
  parts,
  positive,
  type RequestForms,
  wholeNumber,
} from "../server/request_checks.ts";

/** The longest time that a processor profile takes, in ms. */
export const MAX_PROFILE_TIME = 300_000;

/** The largest part of a profile in an answer, in bytes. */
export const MAX_PROFILE_PART = 1 << 20;

/** A profile that is kept until all of it is fetched. */
export interface KeptProfile {
  /** Its number. */
  readonly profile: number;
  /** Its size in bytes. */
  readonly size: number;
}

/** The handlers of the actor `observer` for profiles. */
export type ProfileHandlers = {
  /** Profiles the processor for `time` ms: JSON in the form `.cpuprofile`. */
  profileProcessor(request: { time: number }): Promise<KeptProfile>;
  /**
   * Takes a snapshot of the heap: JSON in the form `.heapsnapshot`. Meanwhile the process does
   * nothing else.
   */
  snapshotHeap(): Promise<KeptProfile>;
  /** A part of a profile that was begun on the connection of the request. */
  readProfile(request: { profile: number; offset: number }): Promise<Bytes>;
  /** Gives a profile up, which is not read any more. */
  dropProfile(request: { profile: number }): Promise<void>;
};

/** The checks of their requests. */
export const profileChecks: RequestForms<ProfileHandlers> = {
  profileProcessor: parts({ time: positive }),
  snapshotHeap: nothing,
  readProfile: parts({ profile: wholeNumber, offset: wholeNumber }),
  dropProfile: parts({ profile: wholeNumber }),
};

const keptProfile = parts({ profile: wholeNumber, size: wholeNumber });

/** The checks of their answers. */
export const profileAnswers: AnswerForms<ProfileHandlers> = {
  profileProcessor: keptProfile,
  snapshotHeap: keptProfile,
  readProfile: bytes(MAX_PROFILE_PART, 1),
};
