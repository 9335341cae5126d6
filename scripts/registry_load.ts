/**
 * What a registry costs: its memory, the share of a core that it takes and its messages, with many
 * entries and with many servers that renew their leases and watch; how long a change takes to reach
 * all who watch; and how long the servers take to come back after a registry was killed.
 *
 * ```sh
 * deno run -A scripts/registry_load.ts --entries 10000                # idle
 * deno run -A scripts/registry_load.ts --servers 1000 --processes 4   # renewals
 * deno run -A scripts/registry_load.ts --servers 1000 --processes 4 --watchers 100 --changes 10 --kill
 * deno run -A scripts/registry_load.ts --servers 1000 --etcd 3 --registries 2 --kill
 * ```
 *
 * Every registry is a process of its own, and so are groups of servers. All of them are real ones: a
 * server has its own connection, registers, renews its lease, and watches what it is told to. They do
 * not listen, since no server connects to another one here.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { DEFAULT_LEASE } from "../registry/store.ts";
import type { ActorServer } from "../runtime/server/actor_server.ts";
import { registryClient } from "../runtime/server/registry_protocol.ts";
import { EtcdCluster } from "../tests/etcd_cluster.ts";
import {
  MARKER,
  registryAddress,
  roleOf,
  runRegistry,
  runServers,
  startClient,
} from "./registry_load/ensemble.ts";
import { memory, now, Part, processorTime } from "./registry_load/part.ts";

/** How often is looked whether all servers are back, in ms. */
const LOOK_INTERVAL = 100;

/** How long they may take, in ms. */
const BACK_TIMEOUT = 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    /** Entries without a server. Their leases run out after `--lease`. */
    entries: { type: "string", default: "0" },
    /** Servers that register and renew. */
    servers: { type: "string", default: "0" },
    /** Processes that the servers are in. */
    processes: { type: "string", default: "1" },
    /** The number of roles. Each server and entry has one of them. */
    roles: { type: "string", default: "10" },
    /** How many servers watch those of their own role. */
    watchers: { type: "string", default: "0" },
    /** They watch all servers. */
    all: { type: "boolean", default: false },
    /** How many changes are made, one after the other, of which the watchers are told. */
    changes: { type: "string", default: "0" },
    /** A registry is killed at the end, and started again. */
    kill: { type: "boolean", default: false },
    /** The store of the registry. */
    store: { type: "string", default: "sqlite:" },
    /** The members of an etcd cluster that is started for the store. */
    etcd: { type: "string", default: "0" },
    /** How many registries there are; several need `--etcd`. */
    registries: { type: "string", default: "1" },
    /** The lease, in s. */
    lease: { type: "string", default: `${DEFAULT_LEASE / 1000}` },
    /** How long to measure, in s. */
    seconds: { type: "string", default: "30" },
    /** For the processes that this one starts: where sockets are, and the first number. */
    directory: { type: "string", default: "" },
    first: { type: "string", default: "0" },
  },
});

const count = (text: string) => Number(text);
const lease = count(options.lease) * 1000;

/** The registries and servers of a load test. */
class Load implements AsyncDisposable {
  readonly #directory: string;
  readonly #etcd: EtcdCluster | undefined;
  readonly #registries: Part[] = [];
  readonly #groups: Part[] = [];
  #client: Promise<ActorServer> | undefined;

  private constructor(directory: string, etcd: EtcdCluster | undefined) {
    this.#directory = directory;
    this.#etcd = etcd;
  }

  static async start(): Promise<Load> {
    const size = count(options.etcd);
    const etcd = size > 0 ? await EtcdCluster.start({ size }) : undefined;
    const load = new Load(await Deno.makeTempDir({ prefix: "gx-load-" }), etcd);
    for (let at = 0; at < count(options.registries); at++) await load.#startRegistry(at);
    return load;
  }

  async #startRegistry(at: number): Promise<void> {
    const store = this.#etcd?.url("load") ?? options.store;
    this.#registries[at] = await Part.start("registry", [
      `--directory=${this.#directory}`,
      `--store=${store}`,
      `--lease=${options.lease}`,
      `--first=${at}`,
    ]);
  }

  #ask(): Promise<ActorServer> {
    return this.#client ??= startClient(
      this.#registries.map((_, at) => registryAddress(this.#directory, at)),
    );
  }

  /** Registers entries of servers that do not run. */
  async addEntries(entries: number): Promise<void> {
    const start = performance.now();
    const numbers = Array.from({ length: entries }, (_, at) => at).values();
    const registerSome = async () => {
      for (const number of numbers) await this.#add(`entry${number}`, number);
    };
    await Promise.all(Array.from({ length: 32 }, registerSome));
    console.log(`${entries} entries registered in ${secondsSince(start)}`);
  }

  async #add(id: string, number: number): Promise<void> {
    await registryClient((await this.#ask()).actors).register({
      entry: {
        id,
        instance: crypto.getRandomValues(new Uint8Array(32)),
        addresses: [{ kind: "tcp", host: "10.0.0.1", port: 4000 }],
        roles: [roleOf(number, count(options.roles))],
        state: "up",
        pid: number,
        host: "elsewhere",
      },
    });
  }

  /** Starts the servers. */
  async startServers(servers: number): Promise<void> {
    const start = performance.now();
    const processes = count(options.processes);
    const shares = (total: number, at: number) =>
      Math.floor(total * (at + 1) / processes) - Math.floor(total * at / processes);
    let first = 0;
    const groups: Promise<Part>[] = [];
    for (let at = 0; at < processes; at++) {
      groups.push(Part.start("servers", [
        `--directory=${this.#directory}`,
        `--first=${first}`,
        `--servers=${shares(servers, at)}`,
        `--watchers=${shares(count(options.watchers), at)}`,
        `--roles=${options.roles}`,
        `--registries=${options.registries}`,
        ...options.all ? ["--all"] : [],
      ]));
      first += shares(servers, at);
    }
    this.#groups.push(...await Promise.all(groups));
    const [group] = this.#groups;
    console.log(
      `${servers} servers started in ${secondsSince(start)}; ${
        (memory(group!.pid) / shares(servers, 0)).toFixed(2)
      } MB each`,
    );
  }

  /** Prints what the registries and etcd take for a while. */
  async measure(what: string): Promise<void> {
    const parts = [
      ...this.#registries.map(({ pid }, at) => ({ name: `registry ${at}`, pid })),
      ...this.#etcd?.members.map(({ pid }, at) => ({ name: `etcd ${at}`, pid: pid! })) ?? [],
    ];
    const times = () => parts.map(({ pid }) => processorTime(pid));
    const carried = () => Promise.all(this.#registries.map((registry) => registry.carried()));
    const [start, before, counted] = [performance.now(), times(), await carried()];
    await new Promise((resolve) => setTimeout(resolve, count(options.seconds) * 1000));
    const [after, recounted] = [times(), await carried()];
    const elapsed = performance.now() - start;
    parts.forEach(({ name, pid }, at) => {
      const [own, kernel] = after[at]!.map((time, of) => 100 * (time - before[at]![of]!) / elapsed);
      const [old, fresh] = [counted[at], recounted[at]];
      const rate = (direction: "received" | "sent") =>
        (1000 * (fresh![direction] - old![direction]) / elapsed).toFixed(0);
      const messages = fresh && old
        ? `, ${fresh.connections} connections, ${rate("received")} messages/s in, ${
          rate("sent")
        } out`
        : "";
      console.log(
        `${what}: ${name}: ${(own! + kernel!).toFixed(2)} % of a core (${
          kernel!.toFixed(2)
        } % in the kernel), ${memory(pid).toFixed(0)} MB${messages}`,
      );
    });
  }

  /** Has the watchers begin, all at once, and prints how long that takes. */
  async watch(watchers: number): Promise<void> {
    const pids = this.#registries.map(({ pid }) => pid);
    const spent = () => pids.map((pid) => processorTime(pid).reduce((a, b) => a + b) / 1000);
    const [start, before] = [performance.now(), spent()];
    await Promise.all(this.#groups.map((group) => group.watch()));
    const took = spent().map((time, at) => (time - before[at]!).toFixed(1));
    console.log(
      `${watchers} watchers know their servers after ${secondsSince(start)}; processor ${
        took.join(", ")
      } s`,
    );
  }

  /** Makes changes, and prints how long each takes to reach all who watch. */
  async change(changes: number): Promise<void> {
    const watching = Math.min(count(options.watchers), count(options.servers));
    const known: number[] = [];
    const registered: number[] = [];
    for (let at = 0; at < changes; at++) {
      const id = `${MARKER}${at}`;
      const start = now();
      await this.#add(id, at);
      registered.push(now() - start);
      const reports = this.#groups.map((group) =>
        group.reported("known", (known) => known.id === id)
      );
      const times = (await Promise.all(reports)).map(({ at }) => at - start);
      known.push(Math.max(...times));
    }
    const who = options.all ? `${watching}` : `${watching} / ${options.roles}`;
    console.log(
      `a change reaches ${who} watchers in ${median(known).toFixed(0)} ms, ${
        Math.max(...known).toFixed(0)
      } at most; registering takes ${median(registered).toFixed(1)} ms`,
    );
  }

  /** Kills the first registry, starts it again, and prints how its servers come back. */
  async kill(servers: number): Promise<void> {
    const registry = this.#registries[0]!;
    const others = this.#registries.slice(1);
    const { connections } = await registry.carried();
    await (await this.#client)?.stop();
    this.#client = undefined;
    await registry.kill();
    const start = performance.now();
    const milestones = [0.01, 0.5, 0.9, 1].map((share) => Math.ceil(share * servers));
    const back: string[] = [];
    if (others.length === 0) await this.#startRegistry(0);
    const listens = performance.now();
    const left = others.length === 0 ? this.#registries : others;
    const spent = () => left.map(({ pid }) => processorTime(pid).reduce((a, b) => a + b) / 1000);
    const before = spent();
    while (milestones.length > 0 && performance.now() - start < BACK_TIMEOUT) {
      const carried = await Promise.all(left.map((part) => part.carried()));
      const sum = carried.reduce((sum, { connections }) => sum + connections, 0);
      while (milestones[0]! <= sum) back.push(`${milestones.shift()} ${secondsSince(listens)}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_INTERVAL));
    }
    const took = spent().map((time, at) => time - before[at]!);
    console.log(
      `killed with ${connections} connections; ${
        others.length === 0
          ? `listens again after ${((listens - start) / 1000).toFixed(1)} s, and`
          : ""
      } has connections again: ${back.join(", ")}; processor ${
        took.map((each) => each.toFixed(1)).join(", ")
      } s`,
    );
    const states = new Map<string, number>();
    const client = registryClient((await this.#ask()).actors);
    let after: string | undefined;
    do {
      const { entries, next } = await client.list({ after });
      for (const { id, state } of entries) {
        if (id.startsWith("server")) states.set(state, (states.get(state) ?? 0) + 1);
      }
      after = next;
    } while (after !== undefined);
    console.log(
      `states: ${Array.from(states, ([state, count]) => `${state} ${count}`).join(", ")}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#groups, ...this.#registries].map((part) => part.kill()));
    await this.#etcd?.[Symbol.asyncDispose]();
    await (await this.#client)?.stop();
    await Deno.remove(this.#directory, { recursive: true });
  }
}

function secondsSince(start: number): string {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

async function main(): Promise<void> {
  await using load = await Load.start();
  const [entries, servers, changes] = [options.entries, options.servers, options.changes]
    .map(count) as [number, number, number];
  await load.measure("empty");
  if (entries > 0) {
    await load.addEntries(entries);
    await load.measure(`${entries} entries`);
  }
  if (servers > 0) {
    await load.startServers(servers);
    await load.measure(`${servers} servers`);
    const watchers = count(options.watchers);
    if (watchers > 0) {
      await load.watch(watchers);
      await load.measure(`${servers} servers, ${watchers} watchers`);
    }
    if (changes > 0) await load.change(changes);
    if (options.kill) await load.kill(servers);
  }
}

const [part] = positionals;
const { directory } = options;
if (part === "registry") {
  await runRegistry(directory, { number: count(options.first), store: options.store, lease });
} else if (part === "servers") {
  const registries = Array.from(
    { length: count(options.registries) },
    (_, at) => registryAddress(directory, at),
  );
  const near = Math.round(count(options.first) / count(options.servers)) % registries.length;
  await runServers({
    first: count(options.first),
    servers: count(options.servers),
    watchers: count(options.watchers),
    watchAll: options.all,
    roles: count(options.roles),
    registry: [...registries.slice(near), ...registries.slice(0, near)],
  });
} else await main();
