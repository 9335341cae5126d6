/**
 * Messages of commands to actors. Their errors say what the operator can send instead.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { ActorRef } from "../../runtime/actor/references.ts";
import { controlClient } from "../../runtime/ensemble/remote.ts";
import { ActorError, EnsembleError } from "../../runtime/errors.ts";

/** A message of a command. */
export interface Message {
  /** What the actor does with it. */
  readonly type: string;
}

/**
 * Asks an actor, and returns its answer.
 *
 * @throws {EnsembleError} if there is no answer. The message of an error that the actor answers with
 * ends with its code; that of an unknown actor suggests near names; that of an unknown type names
 * those that the actor takes.
 */
export async function askActor(
  actors: ActorSystem,
  ref: ActorRef,
  message: Message,
): Promise<unknown> {
  try {
    return await actors.ask(ref, message);
  } catch (error) {
    if (!(error instanceof ActorError)) throw error;
    throw await explained(error, { actors, ref, type: message.type });
  }
}

/**
 * Sends a message to an actor that exists. Whether it arrives is not known: the console flushes its
 * connections when it stops.
 *
 * @throws {EnsembleError} if the server cannot be reached, or has no such actor.
 */
export async function tellActor(
  actors: ActorSystem,
  ref: ActorRef,
  message: Message,
): Promise<void> {
  const { actor } = ref;
  const server = controlClient(actors, ref.server);
  const [found] = await server.describeActors({ actor }); // This also connects.
  if (!found) throw await unknownActorError(actors, ref);
  actors.tell(ref, message);
}

/** The error for an actor that a server does not have. It suggests near names. */
export async function unknownActorError(
  actors: ActorSystem,
  ref: ActorRef,
): Promise<EnsembleError> {
  const names = await controlClient(actors, ref.server).listActors();
  return new EnsembleError(`unknown actor: ${ref}${await suggest(`${ref.actor}`, names)}`, {
    code: "UNKNOWN_ACTOR",
  });
}

async function explained(
  error: ActorError,
  { actors, ref, type }: { actors: ActorSystem; ref: ActorRef; type: string },
): Promise<ActorError> {
  const { code, message } = error;
  const explanation = await explanationOf(error, { actors, ref, type }).catch(() => undefined);
  return new ActorError(`${message}${explanation ?? ` (${code})`}`, { code, cause: error });
}

/** Says what can be sent instead; undefined if nothing is known. */
async function explanationOf(
  { code }: ActorError,
  { actors, ref, type }: { actors: ActorSystem; ref: ActorRef; type: string },
): Promise<string | undefined> {
  const server = controlClient(actors, ref.server);
  // A handler that asks another actor may pass on these codes.
  if (code === "UNKNOWN_ACTOR") {
    const names = await server.listActors();
    return names.includes(`${ref.actor}`) ? undefined : await suggest(`${ref.actor}`, names);
  }
  if (code !== "UNEXPECTED_MESSAGE") return undefined;
  const [{ types } = {}] = await server.describeActors({ actor: ref.actor });
  if (!types || types.includes(type)) return undefined;
  return `; it takes ${types.join(", ") || "no requests"}${await suggest(type, types)}`;
}

async function suggest(typed: string, names: readonly string[]): Promise<string> {
  const { didYouMean, nearest } = await import("../../runtime/near_names.ts");
  return didYouMean(nearest(typed, names));
}
