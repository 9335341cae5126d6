/**
 * Random changes of groups, servers, connections and the registry, and a model of who is a member.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type EnsembleServer, startServer, type StartServerOptions } from "@gxensemble/ensemble";
import { serveRegistry } from "../../../registry/registry_actor.ts";
import type { RegistryStore } from "../../../registry/store.ts";
import { REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { type Address, formatAddressUrl } from "../../../runtime/wire/address.ts";
import { freePort } from "../../free_port.ts";
import type { SeededRandom } from "../../seeded_random.ts";
import { eventually } from "../server/captured_logs.ts";
import { anyPort } from "../server/local_ensemble.ts";
import { Proxy } from "../server/proxy.ts";

const SERVERS = ["a", "b", "c", "d"];
const GROUPS = ["g", "h", "i"];
const ACTORS = ["v", "w", "x", "y", "z"];

/** The longest time until all servers see the same, in ms: a registry that is back takes some seconds. */
const REST_TIMEOUT = 30_000;

/** A server, with the proxy that its peers go through, and its members by the model. */
interface Member {
  readonly server: EnsembleServer;
  readonly proxy: Proxy;
  /** The members of each group, in the order in which they joined. */
  readonly groups: Map<string, string[]>;
  isDraining: boolean;
}

/** An ensemble whose groups change at random. */
export class GroupChurn implements AsyncDisposable {
  /** How often each kind of change was made. */
  readonly counts = new Map<string, number>();
  readonly #random: SeededRandom;
  readonly #openStore: () => Promise<RegistryStore>;
  readonly #directory = Deno.makeTempDirSync({ prefix: "gx-" });
  readonly #members = new Map<string, Member>();
  #registry!: EnsembleServer;
  #client!: EnsembleServer;

  private constructor(random: SeededRandom, openStore: () => Promise<RegistryStore>) {
    this.#random = random;
    this.#openStore = openStore;
  }

  /** Starts the ensemble. The store is opened again whenever the registry is restarted. */
  static async start(
    random: SeededRandom,
    openStore: () => Promise<RegistryStore>,
  ): Promise<GroupChurn> {
    const churn = new GroupChurn(random, openStore);
    await churn.#startRegistry();
    await Promise.all(SERVERS.map((id) => churn.#startMember(id)));
    churn.#client = await startServer(churn.#options);
    return churn;
  }

  /** Makes a change. */
  async step(): Promise<void> {
    const id = this.#random.pick(SERVERS);
    const member = this.#members.get(id)!;
    const group = this.#random.pick(GROUPS);
    const actor = this.#random.pick(ACTORS);
    const chance = this.#random.below(100);
    if (chance < 45) this.#join(member, group, actor);
    else if (chance < 65) this.#leave(member, group, actor);
    else if (chance < 80) await this.#end(member, actor);
    else if (chance < 84) await this.#drain(member);
    else if (chance < 88) await this.#use(group);
    else if (chance < 94) this.#cut(member);
    else if (chance < 98) await this.#restart(id);
    else await this.#restartRegistry();
  }

  /** Waits until every server, and a client, sees the members that the model has. */
  async rest(): Promise<void> {
    const all = [this.#client, ...Array.from(this.#members.values(), ({ server }) => server)];
    let seen: unknown;
    let wanted: unknown;
    try {
      await eventually(
        async () => {
          for (const group of GROUPS) {
            wanted = this.#model(group);
            for (const server of all) {
              seen = await look(server, group);
              if (JSON.stringify(seen) !== JSON.stringify(wanted)) return false;
            }
          }
          return true;
        },
        "all see the same",
        REST_TIMEOUT,
      );
    } catch {
      assert.deepEqual(seen, wanted);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const members = [...this.#members.values()];
    await Promise.all(
      [this.#client, ...members.map(({ server }) => server)].map((each) => each.stop()),
    );
    await Promise.all(members.map(({ proxy }) => proxy[Symbol.asyncDispose]()));
    await this.#registry.stop();
    await Deno.remove(this.#directory, { recursive: true });
  }

  get #options(): StartServerOptions {
    const socketDirectory = `${this.#directory}/sockets`;
    return {
      directory: `${this.#directory}/ensemble`,
      socketDirectory,
      registry: [`unix:${socketDirectory}/${REGISTRY_ID}`],
      cookie: "the cookie of a test",
      adminKey: false,
      grace: 1_000,
      log: false,
    };
  }

  #count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** The members of a group in the servers that are up, and their numbers. */
  #model(group: string): [members: string[], counts: [string, number][]] {
    const up = SERVERS.map((id) => [id, this.#members.get(id)!] as const)
      .filter(([, { isDraining, groups }]) => !isDraining && groups.get(group)?.length);
    return [
      up.flatMap(([id, { groups }]) => groups.get(group)!.map((actor) => `${actor}@${id}`)),
      up.map(([id, { groups }]) => [id, groups.get(group)!.length]),
    ];
  }

  async #startRegistry(): Promise<void> {
    const store = await this.#openStore();
    this.#registry = await startServer(REGISTRY_ID, {
      ...this.#options,
      prepare: async (server) => void await serveRegistry(server, store),
    });
  }

  async #startMember(id: string): Promise<void> {
    // Its peers go through the proxy, since that is the address that it announces.
    const target: Address = { kind: "tcp", host: "127.0.0.1", port: freePort() };
    const proxy = await Proxy.start({ at: anyPort(), target });
    const server = await startServer(id, {
      ...this.#options,
      listen: [formatAddressUrl(target)],
      announce: [formatAddressUrl(proxy.address)],
    });
    this.#members.set(id, { server, proxy, groups: new Map(), isDraining: false });
  }

  #join({ server, groups }: Member, group: string, name: string): void {
    this.#count("joins");
    const actor = server.actors.find(name) ??
      server.serve(name, { who: () => `${name}@${server.id}`, note: () => {} });
    server.join(group, actor);
    const members = groups.get(group) ?? [];
    groups.set(group, members);
    if (!members.includes(name)) members.push(name);
  }

  #leave({ server, groups }: Member, group: string, name: string): void {
    this.#count("leaves");
    server.leave(group, name);
    forget(groups, name, group);
  }

  async #end({ server, groups }: Member, name: string): Promise<void> {
    const actor = server.actors.find(name);
    if (!actor) return;
    this.#count("ends of actors");
    if (this.#random.below(2) === 0) await server.exit(name);
    else await server.ask(name, { type: "shutdown" });
    await eventually(() => server.actors.find(name) === undefined, "the end of an actor");
    forget(groups, name);
  }

  async #drain(member: Member): Promise<void> {
    this.#count("drains");
    // The registry may be away, and is told later.
    if (member.isDraining) void member.server.undrain();
    else await member.server.drain({ timeout: 0 });
    member.isDraining = !member.isDraining;
  }

  /** Uses a group while it changes. No use may hang, or fail in a way that is not expected. */
  async #use(group: string): Promise<void> {
    this.#count("uses");
    const options = { timeout: 5_000 };
    await this.#client.publish(group, { type: "note" }).catch(checkExpected);
    await this.#client.askAny(group, { type: "who" }, options).catch(checkExpected);
    for await (const { error } of this.#client.askAll(group, { type: "who" }, options)) {
      if (error) checkExpected(error);
    }
  }

  #cut({ proxy }: Member): void {
    this.#count("cuts");
    proxy.cut();
  }

  async #restart(id: string): Promise<void> {
    this.#count("restarts of servers");
    const { server, proxy } = this.#members.get(id)!;
    await server.stop();
    await proxy[Symbol.asyncDispose]();
    await this.#startMember(id);
  }

  async #restartRegistry(): Promise<void> {
    this.#count("restarts of the registry");
    await this.#registry.stop();
    for (let n = this.#random.below(8); n > 0; n--) {
      const member = this.#members.get(this.#random.pick(SERVERS))!;
      const [group, name] = [this.#random.pick(GROUPS), this.#random.pick(ACTORS)];
      if (this.#random.below(2) === 0) this.#join(member, group, name);
      else this.#leave(member, group, name);
    }
    await this.#startRegistry();
  }
}

/** The members of a group as a server sees them, and the numbers that it knows. */
async function look(
  server: EnsembleServer,
  group: string,
): Promise<[members: string[], counts: [string, number][]] | Error> {
  try {
    const members = (await server.members(group)).map((each) => `${each}`);
    const servers = await server.lookup({ group });
    return [members, servers.map(({ id, groups }) => [id, groups[group]!])];
  } catch (error) {
    return error as Error;
  }
}

function forget(groups: Map<string, string[]>, name: string, only?: string): void {
  for (const [group, members] of groups) {
    if (only !== undefined && group !== only) continue;
    const at = members.indexOf(name);
    if (at >= 0) members.splice(at, 1);
  }
}

function checkExpected(error: unknown): void {
  const codes = [
    ...["ACTOR_ENDED", "DISCONNECTED", "NO_MEMBER", "SERVER_STOPPING"],
    ...["UNKNOWN_ACTOR", "UNKNOWN_SERVER"],
  ];
  assert.ok(codes.includes((error as { code: string }).code), `${error}`);
}
