/**
 * Groups: actors on any servers that share a name.
 *
 * The registry has how many members of a group each server has; the servers know which. A message
 * to a group goes once to each of these servers, at an address that {@linkcode groupAddress} makes.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { Actor } from "../actor/actor.ts";
import { endsWithServer, unknownActor } from "../actor/actor_system.ts";
import { checkGroupName, groupAddress } from "../actor/memberships.ts";
import { type AskOptions, DEFAULT_ASK_TIMEOUT, type Destination } from "../actor/messaging.ts";
import { ActorRef, SERVER_ACTOR } from "../actor/references.ts";
import { client } from "../actor/service.ts";
import { ActorError, DisconnectedError, EnsembleError, InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { controlAnswers, type ControlHandlers } from "../server/control.ts";
import { membersIn, type RegistryEntry } from "../server/registry_protocol.ts";
import { Balance, type Candidate, STRATEGIES, type Strategy } from "./balance.ts";

const logger = getLogger(["gxensemble", "groups"]);

/**
 * The answer of one member of a group, or its failure, as `server.askAll` gives it. If a server does
 * not tell its members, there is one failure without a member.
 *
 * @example Describe an answer
 * ```ts
 * import type { GroupReply } from "@gxensemble/ensemble";
 *
 * function describe({ server, member, reply, error }: GroupReply<number>): string {
 *   return error ? `${member ?? server} failed: ${error.message}` : `${member} has ${reply}`;
 * }
 * ```
 */
export type GroupReply<Reply = unknown> =
  | {
    /** The member's server. */
    readonly server: string;
    /** The member. */
    readonly member: ActorRef;
    /** Its answer. */
    readonly reply: Reply;
    /** Absent: it did not fail. */
    readonly error?: undefined;
  }
  | {
    /** The server. */
    readonly server: string;
    /** The member; undefined if the server did not tell its members. */
    readonly member: ActorRef | undefined;
    /** Absent: there is no answer. */
    readonly reply?: undefined;
    /** Why there is none. */
    readonly error: Error;
  };

/** The groups as one server sees and uses them. */
export class Groups {
  readonly #server: ActorServer;
  readonly #balances = new Map<string, Balance>();
  /** What is published in groups of which the registry was asked, and has not answered. */
  readonly #publishing = new Map<string, Promise<unknown>>();

  /** The groups for a server. */
  constructor(server: ActorServer) {
    this.#server = server;
  }

  /** See `EnsembleServer.join`. */
  join(group: string, destination: Destination): void {
    checkGroupName(group);
    const { actors, id } = this.#server;
    const ref = actors.refOf(destination);
    if (ref.server !== id) {
      throw new InvalidInputError(
        `${ref} cannot join ${group} here: it is an actor of ${ref.server}, not of ${id}`,
      );
    }
    const actor = this.#find(destination);
    if (!actor) throw unknownActor(ref);
    if (actor.name === SERVER_ACTOR || actors.essential.has(actor)) throw endsWithServer(actor);
    if (!this.#server.isRegistered) {
      throw new EnsembleError(
        `${ref} cannot join ${group}: ${id} is not registered, so that no server would find it`,
      );
    }
    actors.groups.join(group, actor);
  }

  /** See `EnsembleServer.leave`. */
  leave(group: string, destination: Destination): void {
    checkGroupName(group);
    const actor = this.#find(destination);
    if (actor) this.#server.actors.groups.leave(group, actor);
  }

  /** See `EnsembleServer.members`. */
  async members(group: string, options?: AskOptions): Promise<ActorRef[]> {
    const servers = await this.#serversOf(group, options);
    const members = servers.map(async ({ id }) => {
      try {
        return await this.#membersIn(id, group, options);
      } catch (error) {
        if (options?.signal?.aborted) throw error;
        if (!this.#server.actors.lines.allows(id, "unknown members of groups")) return [];
        logger.warn("the members of {group} in {server} are not known: {reason}", {
          group,
          server: id,
          reason: (error as Error).message,
        });
        return [];
      }
    });
    return (await Promise.all(members)).flat();
  }

  /** See `EnsembleServer.publish`. */
  async publish(
    group: string,
    message: unknown,
    options?: { readonly timeout?: number },
  ): Promise<number> {
    const waiting = this.#publishing.get(group);
    if (!waiting) {
      const known = this.#known(group);
      if (known) return this.#send(known, group, { message, options });
    }
    // In the order of the calls.
    const sent = Promise.resolve(waiting).then(async () =>
      this.#send(await this.#serversOf(group), group, { message, options })
    );
    const settled = sent.then(() => {}, () => {});
    this.#publishing.set(group, settled);
    void settled.then(() => {
      if (this.#publishing.get(group) === settled) this.#publishing.delete(group);
    });
    return await sent;
  }

  /** See `EnsembleServer.askAny`. */
  async askAny<Reply>(
    group: string,
    message: unknown,
    options: AskOptions & { readonly strategy?: Strategy } = {},
  ): Promise<Reply> {
    const { strategy = "round-robin", timeout = DEFAULT_ASK_TIMEOUT, ...others } = options;
    if (!STRATEGIES.includes(strategy)) {
      throw new InvalidInputError(
        `not a strategy: ${describeValue(strategy)}: use ${STRATEGIES.join(", ")}`,
      );
    }
    const until = performance.now() + timeout;
    const balance = this.#balanceOf(group);
    const failed = new Set<string>();
    let last: Error | undefined;
    while (true) {
      const left = Math.max(0, until - performance.now());
      const servers = this.#known(group) ??
        await this.#serversOf(group, { timeout: left, ...others });
      const id = balance.choose(servers.filter(({ id }) => !failed.has(id)), strategy);
      if (id === undefined) throw last ?? noMember(group);
      const end = balance.begin(id);
      try {
        return await this.#server.ask<Reply>(addressIn(id, group), message, {
          timeout: failed.size === 0 ? timeout : left,
          ...others,
        });
      } catch (error) {
        if (this.#server.signal.aborted || !isUndelivered(error)) throw error;
        failed.add(id);
        last = error instanceof DisconnectedError ? error : noMember(group);
      } finally {
        end();
      }
    }
  }

  /** See `EnsembleServer.askAll`. */
  async *askAll<Reply>(
    group: string,
    message: unknown,
    options: AskOptions = {},
  ): AsyncGenerator<GroupReply<Reply>, void, undefined> {
    const { timeout = DEFAULT_ASK_TIMEOUT, signal } = options;
    const until = performance.now() + timeout;
    const left = () => ({
      timeout: Math.max(0, until - performance.now()),
      ...signal && { signal },
    });
    const replies: GroupReply<Reply>[] = [];
    let wake = () => {};
    const add = (reply: GroupReply<Reply>) => {
      replies.push(reply);
      wake();
    };
    const askMember = (member: ActorRef) =>
      this.#server.ask<Reply>(member, message, left()).then(
        (reply) => add({ server: member.server, member, reply }),
        (error) => add({ server: member.server, member, error }),
      );
    const askServer = async (server: string) => {
      let members: ActorRef[];
      try {
        members = await this.#membersIn(server, group, left());
      } catch (error) {
        return add({ server, member: undefined, error: error as Error });
      }
      await Promise.all(members.map(askMember));
    };
    const servers = await this.#serversOf(group, left());
    let isOver = false;
    void Promise.all(servers.map(({ id }) => askServer(id))).then(() => {
      isOver = true;
      wake();
    });
    while (true) {
      // All that have come, since a shift of each would take longer the more there are.
      for (const reply of replies.splice(0)) yield reply;
      signal?.throwIfAborted();
      if (replies.length > 0) continue;
      if (isOver) return;
      await new Promise<void>((resolve) => wake = resolve);
    }
  }

  #find(destination: Destination): Actor | undefined {
    const { actors, id } = this.#server;
    // Its name may be another actor's by now.
    if (destination instanceof Actor) return actors.find(destination.serial);
    const ref = actors.refOf(destination);
    return ref.server === id ? actors.find(ref.actor) : undefined;
  }

  /** The servers that are up and have members of a group, sorted by id; undefined if the registry has to be asked. */
  #known(group: string): Candidate[] | undefined {
    checkGroupName(group);
    const entries = this.#server.view.knownWithGroup(group);
    return entries && this.#withOwn(group, candidates(entries, group));
  }

  /** The same, from the registry if need be. */
  async #serversOf(group: string, options?: AskOptions): Promise<Candidate[]> {
    checkGroupName(group);
    const entries = await this.#server.view.withGroup(group, options);
    return this.#withOwn(group, candidates(entries, group));
  }

  /** Replaces what the registry knows of this server by what is true. */
  #withOwn(group: string, servers: Candidate[]): Candidate[] {
    const { id, actors } = this.#server;
    const others = servers.filter((server) => server.id !== id);
    const members = this.#server.isUp ? actors.groups.count(group) : 0;
    if (members === 0) return others;
    const at = others.findIndex((server) => server.id > id);
    return others.toSpliced(at === -1 ? others.length : at, 0, { id, members });
  }

  async #membersIn(server: string, group: string, options?: AskOptions): Promise<ActorRef[]> {
    const { id, actors } = this.#server;
    if (server === id) return actors.groups.members(group).map(({ ref }) => ref);
    const control = client<ControlHandlers>(actors, new ActorRef(server, SERVER_ACTOR), {
      answers: controlAnswers,
    });
    const members = await control.listMembers({ group }, options);
    return members.map((member) => ActorRef.unchecked(server, member));
  }

  #send(
    servers: readonly Candidate[],
    group: string,
    { message, options }: {
      message: unknown;
      options: { readonly timeout?: number } | undefined;
    },
  ): number {
    let sent = 0;
    for (const { id } of servers) {
      const nonce = this.#server.tell(addressIn(id, group), message, options);
      if (nonce !== undefined) sent++;
    }
    return sent;
  }

  #balanceOf(group: string): Balance {
    let balance = this.#balances.get(group);
    if (!balance) this.#balances.set(group, balance = new Balance());
    return balance;
  }
}

/** The address of a group in a server. */
function addressIn(server: string, group: string): ActorRef {
  return ActorRef.unchecked(server, groupAddress(group));
}

/** The servers among some entries that are up. */
function candidates(
  entries: readonly RegistryEntry[],
  group: string,
): Candidate[] {
  return entries.filter(({ state }) => state === "up")
    .map((entry) => ({ id: entry.id, members: membersIn(entry, group) }));
}

/** Whether a request has certainly not reached an actor. */
function isUndelivered(error: unknown): boolean {
  if (error instanceof DisconnectedError) return !error.wasConnected;
  return error instanceof ActorError && error.hadNoReceiver === true;
}

function noMember(group: string): EnsembleError {
  return new EnsembleError(`no server that is up has a member of ${group}`, { code: "NO_MEMBER" });
}
