/**
 * The registries and servers of the load test, each in a process with others of its kind.
 *
 * @module
 */
import { createInterface } from "node:readline";
import { stdin } from "node:process";
import { serveRegistry } from "../../registry/registry_actor.ts";
import { openStore, parseStoreLocation } from "../../registry/store.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { ActorServer } from "../../runtime/server/actor_server.ts";
import { type Address, localUnixAddress } from "../../runtime/wire/address.ts";
import { now, report } from "./part.ts";

const COOKIE = new Uint8Array(32);

/** What the ids of entries begin with that watchers report. */
export const MARKER = "marker";

/** How many servers of a process start at once. */
const STARTING = 4;

/** The address of one of the registries. */
export function registryAddress(directory: string, number: number): Address {
  return localUnixAddress(`${directory}/${REGISTRY_ID}${number}`);
}

/** The role of a server; there are `roles` of them. */
export function roleOf(number: number, roles: number): string {
  return `role${number % roles}`;
}

/** Runs a registry until it is killed, and reports what it carries when a line comes. */
export async function runRegistry(
  directory: string,
  { number, store, lease }: { number: number; store: string; lease: number },
): Promise<void> {
  const server = await ActorServer.start({
    id: REGISTRY_ID,
    cookies: [COOKIE],
    listen: [registryAddress(directory, number)],
    registry: [],
    roles: [],
    register: false,
    async prepare(server) {
      const defaultPath = `${directory}/registry.db`;
      await serveRegistry(
        server,
        await openStore(parseStoreLocation(store), { defaultPath, lease }),
      );
    },
  });
  report({ kind: "ready" });
  for await (const _ of createInterface({ input: stdin })) {
    const connections = server.connections();
    const sum = (direction: "received" | "sent") =>
      connections.reduce((sum, connection) => sum + connection[direction].messages, 0);
    report({
      kind: "carried",
      carried: { connections: connections.length, received: sum("received"), sent: sum("sent") },
    });
  }
}

/** The servers of a process. */
export interface ServersOptions {
  /** The number of the first one. */
  readonly first: number;
  /** How many there are. */
  readonly servers: number;
  /** How many of them watch. */
  readonly watchers: number;
  /** Whether they watch all servers, rather than those of their own role. */
  readonly watchAll: boolean;
  /** The number of roles. */
  readonly roles: number;
  /** The registries, in the order in which they are tried. */
  readonly registry: readonly Address[];
}

/**
 * Runs servers. Some of them begin to watch when a line comes. Reports when all of those know what
 * there is, and when they know of a marker.
 */
export async function runServers(options: ServersOptions): Promise<void> {
  const { first, servers, watchers, watchAll, roles, registry } = options;
  const numbers = Array.from({ length: servers }, (_, at) => first + at);
  const queue = numbers.values();
  const started: ActorServer[] = [];
  const startSome = async () => {
    for (const number of queue) {
      started.push(await startAtLast({ number, roles: [roleOf(number, roles)], registry }));
    }
  };
  await Promise.all(Array.from({ length: STARTING }, startSome));
  const watching = started.slice(0, watchers);
  const expected = (role: string) =>
    watchAll ? watching.length : watching.filter((server) => server.roles[0] === role).length;
  const seen = new Map<string, number>();
  const watch = async (server: ActorServer, begun: () => void) => {
    const [role] = server.roles;
    for await (const { change, id, roles } of server.view.watch(watchAll ? {} : { role })) {
      if (id === server.id) begun();
      if (change !== "up" || !id.startsWith(MARKER)) continue;
      const count = (seen.get(id) ?? 0) + 1;
      seen.set(id, count);
      if (count === expected(roles[0]!)) report({ kind: "known", id, at: now() });
    }
  };
  report({ kind: "ready" });
  for await (const _ of createInterface({ input: stdin })) {
    await Promise.all(
      watching.map((server) => new Promise<void>((begun) => void watch(server, begun))),
    );
    report({ kind: "watching" });
  }
}

/** Starts a server, which may take several attempts on a machine that does too much. */
async function startAtLast(options: Parameters<typeof startServer>[0]): Promise<ActorServer> {
  while (true) {
    try {
      return await startServer(options);
    } catch (error) {
      console.error(`server${options.number} starts again: ${(error as Error).message}`);
    }
  }
}

function startServer(
  { number, roles, registry }: { number: number; roles: string[]; registry: readonly Address[] },
): Promise<ActorServer> {
  return ActorServer.start({
    id: `server${number}`,
    cookies: [COOKIE],
    // No server connects to another one here.
    listen: [],
    announce: [{ kind: "tcp", host: "10.0.0.1", port: 4000 }],
    registry,
    roles,
    register: true,
  });
}

/** Starts a server that only asks. */
export function startClient(registry: readonly Address[]): Promise<ActorServer> {
  return ActorServer.start({
    id: "driver",
    cookies: [COOKIE],
    listen: [],
    registry,
    roles: [],
    register: false,
  });
}
