/**
 * What the page shows of one server or group, asked for when its view is open.
 *
 * @module
 */
import type { ActorSystem } from "../runtime/actor/actor_system.ts";
import { checkGroupName } from "../runtime/actor/memberships.ts";
import { checkServerId } from "../runtime/actor/references.ts";
import { controlClient } from "../runtime/ensemble/remote.ts";
import { EnsembleError, InvalidInputError } from "../runtime/errors.ts";
import type { LogPosition } from "../runtime/observation/log_protocol.ts";
import { observerClient } from "../runtime/observation/observer_protocol.ts";
import { inParallel } from "../runtime/parallel.ts";
import type { ObservedEnsemble } from "./observed_ensemble.ts";
import {
  observedActor,
  observedBusyActor,
  observedLoad,
  observedRecord,
  observedTree,
  readLevel,
  shown,
} from "./observed_values.ts";
import type {
  ActorList,
  ActorSort,
  ActorTreeAnswer,
  GroupMember,
  GroupMembers,
  LoadList,
  LogTail,
  ObservedServer,
  ServerHistory,
} from "./page/page_protocol.ts";
import type { EnsembleHistory } from "./ensemble_history.ts";
import type { ServerAccess } from "./server_polls.ts";

/** How long a server may take to answer, in ms. */
const ANSWER_TIMEOUT = 5_000;

/** The default and maximum number of actors in a list. */
const USUAL_ACTORS = 100;
const MAX_ACTORS = 1_000;

/** The maximum number of actors in a tree. */
const MAX_TREE = 2_000;

/** The maximum number of log records in an answer. */
const MAX_RECORDS = 500;

/** The maximum numbers of members of a group, and of servers that are asked for them at once. */
const MAX_MEMBERS = 1_000;
const AT_ONCE = 16;

/** Answers the page's questions. */
export class ServerViews {
  readonly #access: ServerAccess;
  readonly #ensemble: ObservedEnsemble;
  readonly #history: EnsembleHistory;

  /** Asks servers through a console. */
  constructor(
    access: ServerAccess,
    { ensemble, history }: { ensemble: ObservedEnsemble; history: EnsembleHistory },
  ) {
    this.#access = access;
    this.#ensemble = ensemble;
    this.#history = history;
  }

  /**
   * Answers a question.
   *
   * @param path its path below `api/`, decoded: `["servers", "httpd1", "actors"]`.
   * @returns undefined if there is no such question.
   * @throws {EnsembleError} if a server does not answer, refuses, or is unknown.
   */
  async answer(path: readonly string[], query: URLSearchParams): Promise<object | undefined> {
    const [kind, name = "", view, ...rest] = path;
    if (rest.length > 0) return undefined;
    if (kind === "history" && path.length === 1) return this.#history.ofAll();
    if (kind === "groups" && path.length === 2) return await this.#members(checkGroupName(name));
    if (kind !== "servers" || view === undefined) return undefined;
    const server = this.#known(name);
    switch (view) {
      case "actors":
        return await this.#actors(server, query);
      case "tree":
        return await this.#tree(server);
      case "history":
        return this.#history.of(server) satisfies ServerHistory;
      case "logs":
        return await this.#logs(server, query);
      case "loads":
        return await this.#loads(server);
      default:
        return undefined;
    }
  }

  /** Only servers that are shown are asked: the page cannot have the console connect elsewhere. */
  #known(id: string): string {
    if (this.#ensemble.server(checkServerId(id))) return id;
    throw new EnsembleError(`no server ${id} is shown`, { code: "UNKNOWN_SERVER" });
  }

  get #actorSystem(): ActorSystem {
    return this.#access.actors;
  }

  async #actors(server: string, query: URLSearchParams): Promise<ActorList> {
    const sort = readSort(query.get("sort"));
    const limit = readCount(query.get("limit"), { usual: USUAL_ACTORS, most: MAX_ACTORS });
    const options = { timeout: ANSWER_TIMEOUT };
    if (sort === "name") {
      const infos = await controlClient(this.#actorSystem, server).describeActors({}, options);
      return { actors: infos.slice(0, limit).map(observedActor), total: infos.length };
    }
    await this.#access.elevate(server);
    const { busiest, actors } = await observerClient(this.#actorSystem, server)
      .busiest({ sort, limit }, options);
    return { actors: busiest.map(observedBusyActor), total: actors };
  }

  async #tree(server: string): Promise<ActorTreeAnswer> {
    const infos = await controlClient(this.#actorSystem, server)
      .describeActors({ tree: true }, { timeout: ANSWER_TIMEOUT });
    return observedTree(infos, MAX_TREE);
  }

  async #logs(server: string, query: URLSearchParams): Promise<LogTail> {
    await this.#access.elevate(server);
    const after = readPosition(query.get("after"));
    const level = readLevel(query.get("level"));
    const category = query.get("category");
    const search = query.get("search");
    const { records, position, lost } = await observerClient(this.#actorSystem, server).readLog({
      limit: MAX_RECORDS,
      ...after && { after },
      ...level && { level },
      ...category && { category },
      ...search && { text: search },
    }, { timeout: ANSWER_TIMEOUT });
    return {
      records: records.map((record) => observedRecord(server, record)),
      next: `${position.sequence} ${position.log}`,
      lost,
    };
  }

  async #loads(server: string): Promise<LoadList> {
    await this.#access.elevate(server);
    const loads = await observerClient(this.#actorSystem, server)
      .loads({}, { timeout: ANSWER_TIMEOUT });
    return { loads: loads.map(observedLoad) };
  }

  async #members(group: string): Promise<GroupMembers> {
    const servers = this.#ensemble.servers().filter(({ groups, state }) =>
      (groups[shown(group)] ?? 0) > 0 && state !== "unreachable"
    );
    const members: GroupMember[] = [];
    const errors: { server: string; error: string }[] = [];
    let total = 0;
    const work = async ({ id }: ObservedServer) => {
      try {
        const found = await controlClient(this.#actorSystem, id)
          .listMembers({ group }, { timeout: ANSWER_TIMEOUT });
        total += found.length;
        const room = Math.max(0, MAX_MEMBERS - members.length);
        for (const actor of found.slice(0, room)) {
          members.push({ server: id, actor: typeof actor === "string" ? shown(actor) : actor });
        }
      } catch (error) {
        if (!(error instanceof EnsembleError)) throw error;
        errors.push({ server: id, error: shown(error.message) });
      }
    };
    await inParallel(servers, { atOnce: AT_ONCE, work });
    members.sort((a, b) => a.server < b.server ? -1 : a.server > b.server ? 1 : 0);
    return { members, total, errors };
  }
}

function readSort(text: string | null): ActorSort {
  if (text === null) return "mailbox";
  const sorts: readonly ActorSort[] = ["mailbox", "handled", "time", "name"];
  const sort = sorts.find((each) => each === text);
  if (sort) return sort;
  throw new InvalidInputError(`cannot sort by ${shown(text)}: use ${sorts.join(", ")}`);
}

function readCount(text: string | null, { usual, most }: { usual: number; most: number }): number {
  if (text === null) return usual;
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return Math.min(count, most);
  throw new InvalidInputError(`not a number of actors: ${shown(text)}`);
}

/** Reads the `next` of an earlier answer. */
function readPosition(text: string | null): LogPosition | undefined {
  if (text === null || text === "") return undefined;
  const [, sequence, log] = /^(\d{1,15}) (.{1,64})$/.exec(text) ?? [];
  if (log === undefined) throw new InvalidInputError(`not a place in a log: ${shown(text)}`);
  return { sequence: Number(sequence), log };
}
