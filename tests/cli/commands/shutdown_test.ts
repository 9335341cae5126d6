import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/local_store.ts";
import type { Snapshot } from "../../../registry/store.ts";
import { listServers } from "../../../runtime/ensemble/remote.ts";
import { shortInstance } from "../../../runtime/server/credentials.ts";
import type { OwnEntry, RegistryEntry } from "../../../runtime/server/registry_protocol.ts";
import { type Address, formatAddressUrl, type UnixAddress } from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { anyPort, LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { serveBlindRegistry } from "../../registry/blind_registry.ts";
import { commandsIn } from "../commands_in.ts";

/** No process listens there. */
const CLOSED: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };

/** Larger than any process id: Linux assigns at most 2^22. */
const NO_PID = 2 ** 30;

function entry(id: string, addresses: Address[], pid: number): OwnEntry {
  const instance = new Uint8Array(32);
  return { id: id, instance, addresses, roles: [], state: "up", pid, host: Deno.hostname() };
}

Deno.test("shutdown -f removes dead servers, names those that may be alive, and leaves them the registry", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const good = await ensemble.start("good");
  // It runs, and is connected to the registry, though not at the address in its entry.
  await ensemble.start("alive", { announce: [CLOSED] });
  await store.put(entry("cut-off", [ensemble.socket("nosuch")], Deno.pid), 0);
  await store.put(entry("dead", [CLOSED], Deno.pid), 0);
  await store.put(entry("dead-too", [ensemble.socket("nosuch")], NO_PID), 0);
  // This address has a listener that hangs up.
  const port = await listenAt(anyPort());
  const hangingUp = (async () => {
    for (let next; (next = await port.accept());) next.stream.close();
  })();
  await store.put(entry("strange", [port.address], NO_PID), 0);

  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  port.close();
  await hangingUp;
  assert.deepEqual(
    stdout.trimEnd().split("\n"),
    ["alive", "cut-off", "dead", "dead-too", "good", "strange"].map((id) =>
      `... shutting down ${id}`
    ),
  );
  assert.equal(code, 1, stderr);
  const process = (id: string, pid: number) => `${id} (pid ${pid} on host ${Deno.hostname()})`;
  const lines = stderr.trimEnd().split("\n").sort();
  const strange = lines.findIndex((line) => line.includes("strange"));
  assert.match(
    lines.splice(strange, 1)[0]!,
    /^gxensemble: error: strange \(pid \d+ on host \S+\) does not answer: cannot reach strange: tcp:/,
  );
  assert.deepEqual(lines, [
    `${process("dead", Deno.pid)} has ended without leaving the registry; its entry is removed`,
    `${process("dead-too", NO_PID)} has ended without leaving the registry; its entry is removed`,
    `gxensemble: error: 3 of 6 servers did not shut down`,
    `gxensemble: error: ${
      process("alive", Deno.pid)
    } does not answer: cannot reach alive: tcp://127.0.0.1:1: connection refused`,
    `gxensemble: error: ${
      process("cut-off", Deno.pid)
    } does not answer: cannot reach cut-off: unix:${ensemble.directory}/nosuch: no such socket`,
    "the registry is left running, for the servers that still run",
  ]);
  await good.stopped;
  assert.equal(registry.signal.aborted, false);
  const left = (await listServers(registry.actors)).map(({ id }) => id);
  assert.deepEqual(left, ["alive", "cut-off", "strange"]);
});

Deno.test("shutdown -f does not touch a server of another ensemble at a known address", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  await ensemble.startRegistry(store);
  const other = await ensemble.start("a", { register: false, listen: [anyPort()] });
  await store.put(entry("a", [CLOSED], NO_PID), 0);
  const [address] = other.entry.addresses.map(formatAddressUrl);
  Deno.writeTextFileSync(
    `${commands.gerbilPath}/ensemble/known-servers`,
    `registry ${formatAddressUrl(ensemble.socket("registry"))}\na ${address}\n`,
  );
  const { code, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `gxensemble: error: a: instance ${
      shortInstance(other.entry.instance)
    } at ${address} is not the registered one, 0000000000000000, and is left alone: to shut it down, ` +
      "name the server\nthe registry is left running, for the servers that still run\n" +
      "gxensemble: error: 1 of 1 servers did not shut down\n",
  );
  assert.equal(other.signal.aborted, false);
});

Deno.test("shutdown names the process of a server that does not answer", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  await store.put(entry("dead", [CLOSED], NO_PID), 0);
  const { code, stderr } = await commands.run("shutdown", "dead");
  assert.equal(code, 1);
  assert.equal(
    stderr,
    `gxensemble: error: dead (pid ${NO_PID} on host ${Deno.hostname()}) does not answer: ` +
      "cannot reach dead: tcp://127.0.0.1:1: connection refused\n",
  );
  assert.equal((await listServers(registry.actors)).length, 1, "it is not taken out");
});

Deno.test("shutdown -f looks for a server's process itself when the registry cannot", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store, {
    // As a registry on another host, which cannot try the servers' sockets.
    prepare: (server) => serveBlindRegistry(server, store),
  });
  await store.put(entry("dead", [ensemble.socket("nosuch")], NO_PID), 0);
  const { code, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^dead \(pid \d+ on host \S+\) has ended without leaving the registry; its entry is removed\n$/,
  );
  await registry.stopped;
});

Deno.test("shutdown -f says that a registry was killed, whose lease still runs", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const killed: RegistryEntry = { ...entry("registry", [CLOSED], NO_PID), revision: 0 };
  const store = new class extends MemoryStore {
    override async registries(): Promise<RegistryEntry[]> {
      return [...await super.registries(), killed];
    }
  }();
  const registry = await ensemble.startRegistry(store);
  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /^registry \(pid \d+ on host \S+\) has ended without leaving the store\n$/,
  );
  assert.equal(
    stdout,
    "... shutting down registry at tcp://127.0.0.1:1\n... shutting down registry\n",
  );
  await registry.stopped;
});

Deno.test("list-servers and shutdown -f read more entries than fit on a page", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const ids = Array.from({ length: 1_000 }, (_, n) => `s${n}`).sort();
  await Promise.all(ids.map((id) => store.put(entry(id, [CLOSED], NO_PID), 0)));
  const listed = await commands.run("list-servers");
  assert.equal(listed.code, 0, listed.stderr);
  const line = (id: string) => `(${id} () (tcp: "127.0.0.1:1"))`;
  const { path } = ensemble.socket("registry") as UnixAddress;
  const itself = `(registry () (unix: "${Deno.hostname()}" "${path}"))`;
  assert.deepEqual(listed.stdout.trimEnd().split("\n"), [itself, ...ids.map(line)]);

  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").length, 1_001);
  assert.equal(stderr.trimEnd().split("\n").length, 1_000);
  await registry.stopped;
  let left: number | undefined;
  const feed = {
    snapshot: ({ entries }: Snapshot) => void (left = [...entries].length),
    change: () => {},
    stale: () => {},
  };
  await store.start(feed);
  await store.close();
  assert.equal(left, 0);
});

Deno.test("shutdown -f does not dial what is unreachable, and removes it if it has ended", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const ids = Array.from({ length: 30 }, (_, n) => `dead${n}`);
  for (const id of ids) {
    const revision = await store.put(entry(id, [CLOSED], NO_PID), 0);
    await store.lapse(id, revision!);
  }
  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "... shutting down registry\n");
  const lines = stderr.trimEnd().split("\n");
  assert.equal(lines.length, 21, stderr);
  assert.equal(
    lines.pop(),
    "10 more have ended without leaving the registry; their entries are removed",
  );
  await registry.stopped;
});

Deno.test("shutdown -f leaves the registry to an unreachable server that may still run", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  // It accepts connections, and says nothing.
  const port = await listenAt(anyPort());
  const hung = entry("hung", [port.address], Deno.pid);
  await store.lapse(hung.id, (await store.put(hung, 0))!);
  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  await port.close();
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" });
  assert.equal(
    stderr,
    `gxensemble: error: hung (pid ${Deno.pid} on host ${Deno.hostname()}) does not answer: ` +
      "it is unreachable\nthe registry is left running, for the servers that still run\n" +
      "gxensemble: error: 1 of 1 servers did not shut down\n",
  );
  assert.equal(registry.signal.aborted, false);
});

/** A store over which another registry serves the same ensemble. */
class SharedStore extends MemoryStore {
  other: RegistryEntry | undefined;

  override async registries(): Promise<RegistryEntry[]> {
    return [...this.other ? [this.other] : [], ...await super.registries()];
  }
}

Deno.test("shutdown -f stops all registries, and not one that took the place of another", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new SharedStore();
  const registry = await ensemble.startRegistry(store);
  const other = await ensemble.startRegistry(new MemoryStore(), { listen: [anyPort()] });
  const [address] = other.entry.addresses.map(formatAddressUrl);
  const entryOf = (instance: Uint8Array): RegistryEntry => ({
    ...other.entry,
    instance,
    revision: 0,
  });
  store.other = entryOf(new Uint8Array(32));
  const refused = await commands.run("shutdown", "-f");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /registry: instance \w+ at tcp:\S+ is not the registered one/);
  assert.match(refused.stderr, /: 1 of 1 servers did not shut down\n$/);
  assert.equal(other.signal.aborted, false);
  await registry.stopped;

  const again = new SharedStore();
  again.other = entryOf(other.entry.instance);
  const second = await ensemble.startRegistry(again);
  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  assert.equal(
    stdout,
    `... shutting down registry at ${address}\n... shutting down registry\n`,
  );
  await Promise.all([other.stopped, second.stopped]);
});
