/**
 * What a registry costs: its memory and the share of a core that it takes, with many entries and
 * with many servers that renew their leases.
 *
 * ```sh
 * deno run -A scripts/registry_load.ts --entries 10000                # idle
 * deno run -A scripts/registry_load.ts --servers 1000 --processes 4   # renewals
 * ```
 *
 * The registry is a process of its own, and so are groups of servers. All of them are real ones: a
 * server has its own connection, registers, renews its lease, and watches what it is told to.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { serveRegistry } from "../registry/registry_actor.ts";
import { DEFAULT_LEASE, openStore, parseStoreLocation } from "../registry/store.ts";
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import { ActorServer } from "../runtime/server/actor_server.ts";
import { registryClient } from "../runtime/server/registry_protocol.ts";
import { localUnixAddress } from "../runtime/wire/address.ts";

const COOKIE = new Uint8Array(32);

/** The unit of the times in `/proc/<pid>/stat`, in ms: see `getconf CLK_TCK`. */
const TICK = 10;

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
    /** The store of the registry. */
    store: { type: "string", default: "sqlite:" },
    /** The lease, in s. */
    lease: { type: "string", default: `${DEFAULT_LEASE / 1000}` },
    /** How long to measure, in s. */
    seconds: { type: "string", default: "30" },
    /** For the processes that this one starts: where sockets are, and the number of the first server. */
    directory: { type: "string" },
    first: { type: "string", default: "0" },
  },
});

const count = (text: string) => Number(text);
const roleOf = (number: number) => `role${number % count(options.roles)}`;

/** Runs a registry. */
async function runRegistry(directory: string): Promise<void> {
  const server = await ActorServer.start({
    id: REGISTRY_ID,
    cookie: COOKIE,
    listen: [localUnixAddress(`${directory}/${REGISTRY_ID}`)],
    registry: [],
    roles: [],
    register: false,
    async prepare(server) {
      const defaultPath = `${directory}/registry.db`;
      const lease = count(options.lease) * 1000;
      await serveRegistry(
        server,
        await openStore(parseStoreLocation(options.store), { defaultPath, lease }),
      );
    },
  });
  console.log("ready");
  await server.stopped;
}

/** Runs servers that have nothing to do. */
async function runServers(directory: string): Promise<void> {
  const first = count(options.first);
  const numbers = Array.from({ length: count(options.servers) }, (_, at) => first + at);
  const queue = numbers.values();
  const startSome = async () => {
    for (const number of queue) await startServer(directory, { number, roles: [roleOf(number)] });
  };
  await Promise.all(Array.from({ length: 16 }, startSome));
  console.log("ready");
  await new Promise(() => {});
}

function startServer(
  directory: string,
  { number, roles }: { number: number; roles: string[] },
): Promise<ActorServer> {
  return ActorServer.start({
    id: `server${number}`,
    cookie: COOKIE,
    listen: [localUnixAddress(`${directory}/${number}`)],
    registry: [localUnixAddress(`${directory}/${REGISTRY_ID}`)],
    roles,
    register: true,
  });
}

/** Starts this program as one of its parts, and waits until that is ready. */
async function startPart(part: string, ...args: string[]): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", fileURLToPath(import.meta.url), part, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  void reader.cancel();
  if (done) throw new Error(`the ${part} did not start`);
  return child;
}

/** The processor time that a process has taken so far, in ms: its own, and in the kernel. */
function processorTime(pid: number): [own: number, kernel: number] {
  // proc_pid_stat(5): the fields follow the name, which may contain any character.
  const stat = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return [Number(stat[11]) * TICK, Number(stat[12]) * TICK];
}

/** The memory of a process that is resident, in MB. */
function memory(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s*(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/status`))!;
  return Number(kilobytes) / 1024;
}

/** Prints what the registry takes for a while. */
async function measure(pid: number, what: string): Promise<void> {
  const seconds = count(options.seconds);
  const [start, before] = [performance.now(), processorTime(pid)];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const time = performance.now() - start;
  const [own, kernel] = processorTime(pid).map((after, at) => 100 * (after - before[at]!) / time);
  console.log(
    `${what}: ${(own! + kernel!).toFixed(2)} % of a core (${
      kernel!.toFixed(2)
    } % in the kernel), ` +
      `${memory(pid).toFixed(0)} MB`,
  );
}

/** Registers entries of servers that do not run. */
async function addEntries(directory: string, entries: number): Promise<void> {
  const console = await ActorServer.start({
    id: "driver",
    cookie: COOKIE,
    listen: [],
    registry: [localUnixAddress(`${directory}/${REGISTRY_ID}`)],
    roles: [],
    register: false,
  });
  const { register } = registryClient(console.actors);
  const numbers = Array.from({ length: entries }, (_, at) => at).values();
  const registerSome = async () => {
    for (const number of numbers) {
      await register({
        entry: {
          id: `entry${number}`,
          instance: crypto.getRandomValues(new Uint8Array(32)),
          addresses: [{ kind: "tcp", host: "10.0.0.1", port: 4000 }],
          roles: [roleOf(number)],
          state: "up",
          pid: number,
          host: "elsewhere",
        },
      });
    }
  };
  await Promise.all(Array.from({ length: 32 }, registerSome));
  await console.stop();
}

async function main(): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "gx-load-" });
  const passedOn = Object.entries(options).flatMap(([name, value]) =>
    value === undefined || ["servers", "first", "directory"].includes(name)
      ? []
      : [`--${name}=${value}`]
  );
  const shared = [...passedOn, `--directory=${directory}`];
  const children: Deno.ChildProcess[] = [];
  try {
    const registry = await startPart("registry", ...shared);
    children.push(registry);
    await measure(registry.pid, "empty");
    const [entries, servers, processes] = [options.entries, options.servers, options.processes]
      .map(count) as [number, number, number];
    if (entries > 0) {
      const start = performance.now();
      await addEntries(directory, entries);
      const seconds = (performance.now() - start) / 1000;
      console.log(`${entries} entries registered in ${seconds.toFixed(1)} s`);
      await measure(registry.pid, `${entries} entries`);
    }
    if (servers > 0) {
      const start = performance.now();
      const size = Math.ceil(servers / processes);
      const groups = Array.from({ length: processes }, (_, n) =>
        startPart(
          "servers",
          ...shared,
          `--first=${n * size}`,
          `--servers=${Math.min(size, servers - n * size)}`,
        ));
      children.push(...await Promise.all(groups));
      const seconds = (performance.now() - start) / 1000;
      console.log(`${servers} servers started in ${seconds.toFixed(1)} s`);
      const rate = servers / (count(options.lease) / 3);
      await measure(registry.pid, `${servers} servers, ${rate.toFixed(0)} renewals a second`);
    }
  } finally {
    for (const child of children) child.kill("SIGKILL");
    await Promise.all(children.map(({ status }) => status));
    await Deno.remove(directory, { recursive: true });
  }
}

const [part] = positionals;
if (part === "registry") await runRegistry(options.directory!);
else if (part === "servers") await runServers(options.directory!);
else await main();
