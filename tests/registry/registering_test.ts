import assert from "node:assert/strict";
import { MemoryStore } from "../../registry/local_store.ts";
import { DEFAULT_LEASE, type Removal, UNREACHABLE_LEASES } from "../../registry/store.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import {
  type OwnEntry,
  registryClient,
  type RegistryEntry,
} from "../../runtime/server/registry_protocol.ts";
import type { Presence } from "../../runtime/server/presence.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { RoguePeer } from "../rogue_peer.ts";
import { AdministeredEnsemble, elevated } from "../runtime/server/administered_ensemble.ts";
import { CapturedLogs, eventually } from "../runtime/server/captured_logs.ts";
import { ChildServer } from "../runtime/server/child_server.ts";
import { anyPort, LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { Proxy } from "../runtime/server/proxy.ts";
import { serveBlindRegistry } from "./blind_registry.ts";
import { LeaseClock } from "./lease_clock.ts";

const CLOSED = { kind: "tcp", host: "127.0.0.1", port: 1 } as const;

/** How late the end of a lease is noticed at most. */
const NOTICED = 500;

function ownEntry(id: string, options: Partial<OwnEntry> = {}): OwnEntry {
  const instance = new Uint8Array(32).fill(1);
  return { id, instance, addresses: [], roles: [], state: "up", ...options };
}

/** A registry with a store on a clock of the test. */
class ClockedRegistry implements AsyncDisposable {
  readonly ensemble: LocalEnsemble;
  readonly clock = new LeaseClock();
  readonly store = new MemoryStore({ clock: this.clock });
  #server: ActorServer | undefined;

  constructor(ensemble: LocalEnsemble = new LocalEnsemble()) {
    this.ensemble = ensemble;
  }

  async start(): Promise<ActorServer> {
    return this.#server = await this.ensemble.startRegistry(this.store);
  }

  async find(id: string): Promise<RegistryEntry | undefined> {
    return (await registryClient(this.#server!.actors).lookup({ id })).entry;
  }

  async until(id: string, state: RegistryEntry["state"] | undefined): Promise<void> {
    await eventually(async () => (await this.find(id))?.state === state, `${id} is ${state}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.ensemble[Symbol.asyncDispose]();
  }
}

Deno.test("register answers the revision and the lease, and again the same when nothing has changed", async () => {
  await using registry = new ClockedRegistry();
  const { actors } = await registry.start();
  const { register, renew } = registryClient(actors);
  const entry = ownEntry("a", { state: "starting", startedAt: 5, version: "1.0.0" });
  const first = await register({ entry });
  assert.equal(first.lease, DEFAULT_LEASE);
  assert.deepEqual(await register({ entry }), first);
  const { revision, leaseLeft, ...found } = (await registry.find("a"))!;
  assert.deepEqual([found, revision, leaseLeft], [entry, first.revision, DEFAULT_LEASE]);
  const second = await register({ entry: { ...entry, state: "up" } });
  assert.ok(second.revision > first.revision);
  assert.equal(await renew({ ...entry, revision: first.revision }), false);
  assert.equal(await renew({ ...entry, revision: second.revision }), true);
});

Deno.test("register of what is there renews the lease", async () => {
  await using registry = new ClockedRegistry();
  const { actors } = await registry.start();
  const { register } = registryClient(actors);
  const entry = ownEntry("a");
  await register({ entry });
  registry.clock.pass(DEFAULT_LEASE - 1);
  await register({ entry });
  registry.clock.pass(DEFAULT_LEASE - 1);
  assert.equal((await registry.find("a"))!.leaseLeft, 1);
});

Deno.test("renew is false for an entry that was removed, overwritten or is unreachable, and register puts it back", async () => {
  await using registry = new ClockedRegistry();
  const { actors } = await registry.start();
  const { register, renew, remove, forget } = registryClient(actors);
  const entry = ownEntry("a", { addresses: [CLOSED], roles: ["r"] });
  let { revision } = await register({ entry });
  const isRenewed = () => renew({ ...entry, revision });
  const ways: Record<string, () => Promise<unknown>> = {
    removed: () => remove(entry),
    forgotten: () => forget({ id: "a", force: true }),
    "overwritten by the same instance": () => register({ entry: { ...entry, roles: [] } }),
    // Nothing listens at its address.
    "overwritten by another": () =>
      register({ entry: { ...entry, instance: new Uint8Array(32).fill(2) } }),
    unreachable: async () => {
      registry.clock.pass(DEFAULT_LEASE + NOTICED);
      await registry.until("a", "unreachable");
    },
    gone: async () => {
      registry.clock.pass(DEFAULT_LEASE + NOTICED);
      await registry.until("a", "unreachable");
      registry.clock.pass(UNREACHABLE_LEASES * DEFAULT_LEASE + NOTICED);
      await registry.until("a", undefined);
    },
  };
  for (const [what, change] of Object.entries(ways)) {
    assert.equal(await isRenewed(), true, what);
    await change();
    assert.equal(await isRenewed(), false, what);
    ({ revision } = await register({ entry }));
    const found = (await registry.find("a"))!;
    assert.deepEqual(found.instance, entry.instance, what);
    assert.deepEqual(found.roles, ["r"], what);
    assert.equal(found.state, "up", what);
  }
});

Deno.test("only a server itself, or an administrator, renews its lease", async () => {
  await using registry = new ClockedRegistry(new AdministeredEnsemble());
  const server = await registry.start();
  const [a, b] = await Promise.all(["a", "b"].map((id) => registry.ensemble.start(id)));
  const { revision } = (await registry.find("b"))!;
  const ofB = { id: "b", instance: b!.entry.instance, revision };
  assert.equal(await registryClient(b!.actors).renew(ofB), true);
  const { renew } = registryClient(a!.actors);
  await assert.rejects(renew(ofB), { remoteName: "NotAuthorizedError" });
  await elevated(a!, server, "admin");
  assert.equal(await renew(ofB), true);
});

Deno.test("a second live server of an id is refused, and told where both are", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const first = await ensemble.start("a");
  const [own] = first.entry.addresses.map(formatAddressUrl);
  const started = ensemble.start("a", { listen: [anyPort()] });
  await assert.rejects(started, (error: Error & { code?: unknown }) => {
    assert.equal(error.code, "ID_TAKEN");
    const host = Deno.hostname();
    assert.match(
      error.message,
      new RegExp(
        `^a is already running: pid ${Deno.pid} on host ${host} at ${own}; this one is pid ` +
          `${Deno.pid} on host ${host} at tcp://127.0.0.1:\\d+: stop that one, or choose another id$`,
      ),
    );
    return true;
  });
  const { entry } = await registryClient(registry.actors).lookup({ id: "a" });
  assert.deepEqual(entry!.instance, first.entry.instance);
  await ensemble.stop(first);
  await ensemble.start("a");
});

Deno.test("an id does not pass on while the lease of a server elsewhere runs, and then it does", async () => {
  await using registry = new ClockedRegistry();
  const { actors } = await registry.start();
  const { register } = registryClient(actors);
  // It cannot be tried from here.
  await register({ entry: ownEntry("a", { pid: 7, host: "elsewhere" }) });
  registry.clock.pass(5_000);
  await assert.rejects(registry.ensemble.start("a"), {
    code: "ID_TAKEN",
    message: /^a is already running: pid 7 on host elsewhere; its lease ends in 10 s; this one is /,
  });
  registry.clock.pass(10_000 + NOTICED);
  await registry.until("a", "unreachable");
  const a = await registry.ensemble.start("a");
  assert.deepEqual((await registry.find("a"))!.instance, a.entry.instance);
});

Deno.test("an id does not pass on while a connection of its instance stands, even without a lease", async () => {
  await using registry = new ClockedRegistry();
  await registry.start();
  const { ensemble } = registry;
  using first = await RoguePeer.join(ensemble.socket("registry"), {
    cookie: ensemble.cookie,
    id: "a",
  });
  await first.register([CLOSED]);
  registry.clock.pass(DEFAULT_LEASE + NOTICED);
  await registry.until("a", "unreachable");
  await assert.rejects(ensemble.start("a"), { code: "ID_TAKEN" });
  first[Symbol.dispose]();
  await eventually(async () => {
    try {
      await ensemble.start("a");
      return true;
    } catch {
      return false;
    }
  }, "the connection has ended");
});

Deno.test("a server that is killed is unreachable at once, and gone a minute later", async () => {
  await using registry = new ClockedRegistry();
  await registry.start();
  await using child = await ChildServer.start(registry.ensemble, "a");
  assert.equal((await registry.find("a"))!.state, "up");
  child.signal("SIGKILL");
  await registry.until("a", "unreachable");
  registry.clock.pass(UNREACHABLE_LEASES * DEFAULT_LEASE + NOTICED);
  await registry.until("a", undefined);
});

Deno.test("a server that leaves is removed at once, and nothing looks for it", async () => {
  using logs = await CapturedLogs.start();
  await using registry = new ClockedRegistry();
  await registry.start();
  const a = await registry.ensemble.start("a");
  await registry.ensemble.stop(a);
  assert.equal(await registry.find("a"), undefined);
  assert.deepEqual(logs.matching(/unreachable/), []);
});

Deno.test("a server whose connection breaks is looked for, and keeps its state if it answers or may run", async () => {
  await using ensemble = new LocalEnsemble();
  const looked: [id: string, presence: Presence][] = [];
  const registry = await ensemble.startRegistry(undefined, {
    prepare: (server) =>
      serveBlindRegistry(server, new MemoryStore(), async (entry) => {
        const presence = await server.presence(entry);
        looked.push([entry.id, presence]);
        return presence;
      }),
  });
  const way = await Proxy.start({
    at: ensemble.socket("way"),
    target: ensemble.socket("registry"),
  });
  await ensemble.start("a", { registry: [way.address] });
  using b = await RoguePeer.join(way.address, { cookie: ensemble.cookie, id: "b" });
  await b.register();
  using _unregistered = await RoguePeer.join(way.address, { cookie: ensemble.cookie, id: "c" });
  await way[Symbol.asyncDispose]();
  await eventually(() => looked.length === 2, "both are looked for");
  assert.deepEqual(looked.sort(), [["a", "running"], ["b", "unknown"]]);
  for (const [id] of looked) {
    const { entry } = await registryClient(registry.actors).lookup({ id });
    assert.equal(entry!.state, "up");
  }
});

Deno.test("forget removes what is not alive, and anything when it is forced to", async () => {
  using logs = await CapturedLogs.start();
  await using registry = new ClockedRegistry();
  const { actors } = await registry.start();
  const { register, forget } = registryClient(actors);
  await assert.rejects(forget({ id: "a" }), {
    code: "UNKNOWN_SERVER",
    message: "no server a is registered",
  });
  await register({ entry: ownEntry("dead", { addresses: [CLOSED] }) });
  await forget({ id: "dead" });
  assert.equal(await registry.find("dead"), undefined);

  await register({ entry: ownEntry("away", { pid: 7, host: "elsewhere", state: "draining" }) });
  await assert.rejects(forget({ id: "away" }), {
    message: "away is draining, as pid 7 on host elsewhere: stop it, or use -f",
  });
  registry.clock.pass(DEFAULT_LEASE + NOTICED);
  await registry.until("away", "unreachable");
  await forget({ id: "away" });
  assert.equal(await registry.find("away"), undefined);

  const a = await registry.ensemble.start("a");
  await assert.rejects(
    forget({ id: "a" }),
    /^ActorError: a is up, as pid \d+ on host \S+ at unix:/,
  );
  await forget({ id: "a", force: true });
  assert.equal(await registry.find("a"), undefined);
  assert.equal(logs.matching(/INFO registry: a was removed by registry$/).length, 1);
  await registryClient(a.actors).register({ entry: a.entry });
});

Deno.test("forget takes the capability admin, and is in the audit log", async () => {
  using logs = await CapturedLogs.start();
  await using registry = new ClockedRegistry(new AdministeredEnsemble());
  const server = await registry.start();
  const a = await registry.ensemble.start("a");
  await registryClient(server.actors).register({
    entry: ownEntry("dead", { addresses: [CLOSED] }),
  });
  const { forget } = registryClient(a.actors);
  await assert.rejects(forget({ id: "dead" }), { remoteName: "NotAuthorizedError" });
  await elevated(a, server, "admin");
  await forget({ id: "dead" });
  await assert.rejects(forget({ id: "dead" }), { code: "UNKNOWN_SERVER" });
  assert.deepEqual(
    logs.matching(/ audit: forget /).map((line) =>
      line.replace(/ who=.* server=dead/, "").replace(/.*audit: /, "")
    ),
    [
      "forget refused",
      "forget allowed",
      'forget failed reason="no server dead is registered"',
    ],
  );
});

Deno.test("registries has the registry's own entry", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const console = await ensemble.startConsole();
  const found = await registryClient(console.actors).registries();
  assert.deepEqual(found, [{ ...registry.entry, revision: 0 }]);
});

Deno.test("a change looks again when the entry is another one by then", async () => {
  await using ensemble = new LocalEnsemble();
  /** A store in which the lease of an entry runs out just before each change. */
  class OvertakenStore extends MemoryStore {
    readonly #overtaken = new Set<string>();

    override async put(entry: OwnEntry, expected: number): Promise<number | undefined> {
      await this.#overtake(`put ${entry.id}`, entry.id, expected);
      return await super.put(entry, expected);
    }

    override async delete(
      id: string,
      options: { readonly expected: number; readonly as: Removal },
    ): Promise<boolean> {
      await this.#overtake(`${options.as} ${id}`, id, options.expected);
      return await super.delete(id, options);
    }

    async #overtake(what: string, id: string, expected: number): Promise<void> {
      if (this.#overtaken.has(what)) return;
      this.#overtaken.add(what);
      await this.lapse(id, expected);
    }
  }
  const registry = await ensemble.startRegistry(new OvertakenStore());
  const { register, remove, forget, lookup } = registryClient(registry.actors);
  for (const id of ["a", "b"]) await register({ entry: ownEntry(id) });
  await register({ entry: ownEntry("a", { roles: ["r"] }) });
  assert.deepEqual((await lookup({ id: "a" })).entry!.roles, ["r"]);
  assert.equal(await remove(ownEntry("a")), true);
  await forget({ id: "b", force: true });
  for (const id of ["a", "b"]) assert.equal((await lookup({ id })).entry, undefined);
});
