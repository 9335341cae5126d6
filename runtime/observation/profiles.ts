/**
 * The profiles of a server's process, each kept until its console has fetched it.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { HandlerContext } from "../actor/handler_context.ts";
import type { Envelope } from "../actor/messaging.ts";
import type { HandlersOf } from "../actor/service.ts";
import { EnsembleError } from "../errors.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { ADMIN, type Session, sessionOf } from "../server/capabilities.ts";
import type { Bytes } from "../server/credentials.ts";
import { profileProcessor } from "./processor_profile.ts";
import {
  type KeptProfile,
  MAX_PROFILE_PART,
  MAX_PROFILE_TIME,
  type ProfileHandlers,
} from "./profile_protocol.ts";

const logger = getLogger(["gxensemble", "observer"]);

/** How long a profile is kept of which nothing is fetched, in ms. */
const LEASE = 60_000;

/** A profile that is taken, or waits to be fetched. */
interface Kept {
  readonly number: number;
  /** The connection of its console; undefined for an actor of this server. */
  readonly session: Session | undefined;
  /** Aborted when it is given up. */
  readonly abort: AbortController;
  /** Reads a part. */
  read: ((offset: number) => Promise<Bytes>) | undefined;
  /** Removes what is kept. */
  remove: (() => Promise<void>) | undefined;
  /** Gives it up. */
  lease: ReturnType<typeof setTimeout> | undefined;
}

/** Takes and keeps the profiles of a server, one at a time. */
export class Profiles {
  readonly #server: ActorServer;
  readonly #directory: string;
  #kept: Kept | undefined;
  #last = 0;

  /** Keeps nothing yet. A snapshot is written into the server's directory. */
  constructor(server: ActorServer, { directory }: { readonly directory: string }) {
    this.#server = server;
    this.#directory = directory;
    server.onDisconnected(async (session) => {
      if (this.#kept?.session === session) await this.#drop(this.#kept);
    });
    server.hold({
      [Symbol.asyncDispose]: async () => {
        if (this.#kept) await this.#drop(this.#kept);
      },
    });
  }

  /** See {@linkcode ProfileHandlers.profileProcessor}. */
  profileProcessor({ time }: { time: number }, context: HandlerContext): Promise<KeptProfile> {
    const details = { time };
    return this.#take(context.envelope, { what: "profile", details }, async (kept) => {
      const text = await profileProcessor(Math.min(time, MAX_PROFILE_TIME), kept.abort.signal);
      const bytes = new TextEncoder().encode(text);
      kept.read = (offset) => Promise.resolve(bytes.subarray(offset, offset + MAX_PROFILE_PART));
      return bytes.length;
    });
  }

  /** See {@linkcode ProfileHandlers.snapshotHeap}. */
  snapshotHeap(context: HandlerContext): Promise<KeptProfile> {
    const path = `${this.#directory}/heap.heapsnapshot`;
    return this.#take(context.envelope, { what: "heap snapshot", details: {} }, async (kept) => {
      const { writeHeapSnapshot } = await import("node:v8");
      logger.info(
        "{id} writes a snapshot of its heap for {source}, and does nothing else meanwhile",
        {
          id: this.#server.id,
          source: `${context.sender}`,
        },
      );
      kept.remove = () => Deno.remove(path).catch(() => {});
      // Everything that the program knows is in it. The name is always the same, so that one that
      // was left by a process that was killed does not stay.
      await kept.remove();
      (await Deno.open(path, { write: true, createNew: true, mode: 0o600 })).close();
      writeHeapSnapshot(path);
      kept.read = (offset) => readPart(path, offset);
      return (await Deno.stat(path)).size;
    });
  }

  /**
   * See {@linkcode ProfileHandlers.readProfile}.
   *
   * @throws {EnsembleError} if there is no such profile, or no such part of it.
   */
  async read(
    { profile, offset }: { profile: number; offset: number },
    { envelope }: HandlerContext,
  ): Promise<Bytes> {
    const kept = this.#find(profile, envelope);
    this.#renew(kept);
    const part = await kept.read!(offset);
    if (part.length === 0) throw new EnsembleError(`profile ${profile} ends before ${offset}`);
    return part;
  }

  /** See {@linkcode ProfileHandlers.dropProfile}. */
  async drop({ profile }: { profile: number }, { envelope }: HandlerContext): Promise<void> {
    await this.#drop(this.#find(profile, envelope));
  }

  #find(number: number, envelope: Envelope): Kept {
    const kept = this.#kept;
    if (kept?.number !== number || !kept.read || kept.session !== sessionOf(envelope)) {
      throw new EnsembleError(`${this.#server.id} has no profile ${number} of this connection`);
    }
    return kept;
  }

  #take(
    envelope: Envelope,
    { what, details }: { what: string; details: Readonly<Record<string, unknown>> },
    make: (kept: Kept) => Promise<number>,
  ): Promise<KeptProfile> {
    const work = async () => {
      const { id } = this.#server;
      if (this.#kept) {
        throw new EnsembleError(`${id} is profiled already: wait until that is done`);
      }
      const number = ++this.#last;
      const session = sessionOf(envelope);
      const abort = new AbortController();
      const kept: Kept = {
        number,
        session,
        abort,
        read: undefined,
        remove: undefined,
        lease: undefined,
      };
      this.#kept = kept;
      try {
        const size = await make(kept);
        if (abort.signal.aborted) throw new EnsembleError(`the profile of ${id} was given up`);
        this.#renew(kept);
        return { profile: number, size };
      } catch (error) {
        await this.#drop(kept);
        if (error instanceof EnsembleError) throw error;
        throw new EnsembleError(`cannot profile ${id}: ${(error as Error).message}`, {
          cause: error,
        });
      }
    };
    const action = { capability: ADMIN, what, details };
    return this.#server.capabilities.attempt(envelope, { ...action, work });
  }

  #renew(kept: Kept): void {
    clearTimeout(kept.lease);
    kept.lease = setTimeout(() => void this.#drop(kept), LEASE);
    Deno.unrefTimer(kept.lease as unknown as number);
  }

  async #drop(kept: Kept): Promise<void> {
    clearTimeout(kept.lease);
    kept.abort.abort();
    await kept.remove?.();
    // While it is still taken, there must be no other.
    if (this.#kept === kept) this.#kept = undefined;
  }
}

async function readPart(path: string, offset: number): Promise<Bytes> {
  using file = await Deno.open(path);
  await file.seek(offset, Deno.SeekMode.Start);
  const part = new Uint8Array(MAX_PROFILE_PART);
  let length = 0;
  while (length < part.length) {
    const count = await file.read(part.subarray(length));
    if (count === null) break;
    length += count;
  }
  return part.subarray(0, length);
}

/** The handlers of profiles, for the actor `observer`. */
export function profileHandlers(
  server: ActorServer,
  options: { readonly directory: string },
): HandlersOf<ProfileHandlers> {
  const profiles = new Profiles(server, options);
  return {
    profileProcessor: (request, context) => profiles.profileProcessor(request, context),
    snapshotHeap: (_request, context) => profiles.snapshotHeap(context),
    readProfile: (request, context) => profiles.read(request, context),
    dropProfile: (request, context) => profiles.drop(request, context),
  };
}
