import assert from "node:assert/strict";
import { type Journal, LocalStore, MemoryStore } from "../../registry/local_store.ts";
import type { Removal, Snapshot, StoredChange } from "../../registry/store.ts";
import { MAX_GROUP_NAME, MAX_GROUPS } from "../../runtime/actor/memberships.ts";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { type Asker, listServers } from "../../runtime/ensemble/remote.ts";
import type { Presence } from "../../runtime/server/presence.ts";
import { MAX_HOST } from "../../runtime/server/request_checks.ts";
import {
  MAX_ADDRESS,
  MAX_ADDRESSES,
  MAX_ROLE,
  MAX_ROLES,
  type OwnEntry,
  PAGE_SIZE,
  registryClient,
  type RegistryEntry,
} from "../../runtime/server/registry_protocol.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { listenAt } from "../../runtime/wire/transport.ts";
import { frame, rogueBody, rogueFrame, RoguePeer } from "../rogue_peer.ts";
import { AdministeredEnsemble, elevated } from "../runtime/server/administered_ensemble.ts";
import { CapturedLogs, eventually } from "../runtime/server/captured_logs.ts";
import { anyPort, LocalEnsemble, refTo } from "../runtime/server/local_ensemble.ts";
import { serveBlindRegistry } from "./blind_registry.ts";

const TCP: Address = { kind: "tcp", host: "10.0.0.1", port: 4000 };

function entry(id: string, options: Partial<OwnEntry> = {}): OwnEntry {
  const instance = new Uint8Array(32).fill(1);
  return { id, instance, addresses: [TCP], roles: [], state: "up", ...options };
}

/** A store whose changes are made when the test says so. */
class SlowStore extends MemoryStore {
  readonly changes: PromiseWithResolvers<void>[] = [];

  override async put(entry: OwnEntry, expected: number): Promise<number | undefined> {
    await this.#change();
    return await super.put(entry, expected);
  }

  override async delete(
    id: string,
    options: { readonly expected: number; readonly as: Removal },
  ): Promise<boolean> {
    await this.#change();
    return await super.delete(id, options);
  }

  #change(): Promise<void> {
    const change = Promise.withResolvers<void>();
    this.changes.push(change);
    return change.promise;
  }
}

/** Whether a promise is settled when all that is under way has been done. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = () => void (settled = true);
  promise.then(note, note);
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

Deno.test("a change is answered when the store has made it, and fails when the store fails", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new SlowStore();
  const registry = await ensemble.startRegistry(store);
  const { register, remove, lookup } = registryClient(registry.actors);
  const a = entry("a");
  for (const change of [() => register({ entry: a }), () => remove(a)]) {
    const failing = change();
    await eventually(() => store.changes.length === 1, "a change");
    assert.equal(await isSettled(failing), false);
    store.changes.pop()!.reject(new Error("the disk is full"));
    await assert.rejects(failing, { name: "ActorError", message: "the disk is full" });
    const succeeding = change();
    await eventually(() => store.changes.length === 1, "a change");
    assert.equal(await isSettled(succeeding), false);
    // Meanwhile it answers what it knows.
    assert.deepEqual(
      (await lookup(a)).entry?.id,
      change.toString().includes("register") ? undefined : "a",
    );
    store.changes.pop()!.resolve();
    await succeeding;
  }
  assert.equal((await lookup(a)).entry, undefined);
});

Deno.test("changes are made in the order they came", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new SlowStore();
  const registry = await ensemble.startRegistry(store);
  const { register, remove } = registryClient(registry.actors);
  const a = entry("a");
  const [added, removed] = [register({ entry: a }), remove(a)];
  await eventually(() => store.changes.length === 1, "the first change");
  assert.equal(await isSettled(added), false);
  assert.equal(store.changes.length, 1, "the second waits for the first");
  store.changes[0]!.resolve();
  await added;
  await eventually(() => store.changes.length === 2, "the second change");
  store.changes[1]!.resolve();
  assert.equal(await removed, true);
});

/** Groups with the longest names. */
function manyGroups(count: number): Record<string, number> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`${n}`.padEnd(MAX_GROUP_NAME, "g"), 1e15]),
  );
}

Deno.test("an entry has limits", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const console = await ensemble.startConsole();
  const { register, lookup } = registryClient(console.actors);
  const path = (length: number) => "/".padEnd(length, "x");
  const host = "h".repeat(MAX_HOST);
  // (unix: "h" "/...")
  const longest: Address = { kind: "unix", host: "h", path: path(MAX_ADDRESS - 14) };
  const largest = entry("a", {
    addresses: [longest, ...Array(MAX_ADDRESSES - 1).fill(TCP)],
    roles: ["ü".repeat(MAX_ROLE / 2), ...Array(MAX_ROLES - 1).fill("r".repeat(MAX_ROLE))],
    groups: manyGroups(MAX_GROUPS),
    pid: 1,
    host,
  });
  const found = async () => {
    const { revision: _, leaseLeft: __, ...entry } = (await lookup(largest)).entry!;
    return entry;
  };
  await register({ entry: largest });
  assert.deepEqual(await found(), largest);
  const tooLarge: Partial<OwnEntry>[] = [
    { addresses: Array(MAX_ADDRESSES + 1).fill(TCP) },
    { addresses: [{ kind: "unix", host: "h", path: path(MAX_ADDRESS - 13) }] },
    { roles: Array(MAX_ROLES + 1).fill("r") },
    { roles: ["r".repeat(MAX_ROLE + 1)] },
    { roles: ["ü".repeat(MAX_ROLE / 2 + 1)] },
    { groups: manyGroups(MAX_GROUPS + 1) },
    { groups: { ["ü".repeat(MAX_GROUP_NAME / 2 + 1)]: 1 } },
    { groups: { "": 1 } },
    { groups: { g: 0 } },
    { groups: { g: -1 } },
    { groups: { g: 0.5 } },
    { groups: { g: "1" as never } },
    { groups: 1 as never },
    { host: `${host}h` },
    { pid: -1 },
    { pid: "1" as never },
    { instance: new Uint8Array(33) },
  ];
  for (const options of tooLarge) {
    await assert.rejects(register({ entry: { ...largest, ...options } }), {
      remoteName: "InvalidInputError",
    }, Deno.inspect(options).slice(0, 99));
  }
  assert.deepEqual(await found(), largest);
  assert.equal(registry.actors.find("registry")!.activity, "receiving");
});

Deno.test("register refuses an entry with the id registry from other servers", async () => {
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const a = await ensemble.start("a");
  await elevated(a, registry, "admin");
  const evil = entry(REGISTRY_ID);
  await assert.rejects(registryClient(a.actors).register({ entry: evil }), {
    message: "not a registry entry: registry is the id of the registry itself",
  });
  const registryOf = registryClient(registry.actors);
  assert.deepEqual((await listServers(registry.actors)).map(({ id }) => id), ["a"]);
  await registryOf.register({ entry: evil });
});

Deno.test("an entry that a server sends of itself is of the instance that sends it", async () => {
  for (const Ensemble of [LocalEnsemble, AdministeredEnsemble]) {
    await using ensemble = new Ensemble();
    const registry = await ensemble.startRegistry();
    const a = await ensemble.start("a");
    await assert.rejects(
      registryClient(a.actors).register({ entry: entry("a") }),
      /not a registry entry of a: the instance is another's/,
    );
    const known = await registryClient(registry.actors).lookup({ id: a.id });
    assert.deepEqual(known.entry!.instance, a.entry.instance);
  }
});

Deno.test("listServers gets 10,000 entries, all or those of a role, page by page", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new MemoryStore();
  await ensemble.startRegistry(store);
  const ids = Array.from({ length: 10_000 }, (_, n) => `s${n}`).sort();
  // Three times a page: the last page is full.
  const odd = new Set(ids.filter((_, n) => n % 7 === 0).slice(0, 3 * PAGE_SIZE));
  const entries = ids.map((id) => entry(id, { roles: odd.has(id) ? ["odd"] : [] }));
  await Promise.all(entries.map((each) => store.put(each, 0)));
  const console = await ensemble.startConsole();
  const named = (entries: RegistryEntry[]) => entries.map(({ id }) => id);
  assert.deepEqual(named(await listServers(console.actors)), ids);
  assert.deepEqual(named(await listServers(console.actors, { role: "odd" })), [...odd]);
  assert.deepEqual(await listServers(console.actors, { role: "none" }), []);
  const { list } = registryClient(console.actors);
  assert.equal((await list({})).entries.length, PAGE_SIZE);
  const last = await list({ role: "odd", after: [...odd][2 * PAGE_SIZE - 1]! });
  assert.deepEqual([last.entries.length, last.next], [PAGE_SIZE, undefined]);
});

Deno.test("listServers ends when a registry repeats a page", async () => {
  let pages = 0;
  const asker = {
    ask: () => {
      assert.ok(++pages < 10);
      return Promise.resolve({
        entries: [{ ...entry("a"), revision: 1 }],
        next: "a",
        cursor: "e:1",
      });
    },
  } as unknown as Asker;
  await assert.rejects(
    listServers(asker),
    /^ProtocolError: the registry repeats its list after a$/,
  );
});

Deno.test("a page of the largest entries fits into a frame", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new MemoryStore();
  await ensemble.startRegistry(store);
  const path = "/".padEnd(MAX_ADDRESS - 14, "x");
  for (let n = 0; n <= PAGE_SIZE; n++) {
    await store.put(
      entry(`s${n}`, {
        addresses: Array.from({ length: MAX_ADDRESSES }, () => ({ kind: "unix", host: "h", path })),
        roles: Array.from({ length: MAX_ROLES }, (_, n) => `${n}`.padEnd(MAX_ROLE, "r")),
        groups: manyGroups(MAX_GROUPS),
        host: "h".repeat(MAX_HOST),
        pid: 1,
      }),
      0,
    );
  }
  const console = await ensemble.startConsole();
  assert.equal((await listServers(console.actors)).length, PAGE_SIZE + 1);
});

Deno.test("the audit log records an administrator's changes of other servers' entries", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const administrator = await ensemble.start("a");
  await elevated(administrator, registry, "admin");
  const { register, remove } = registryClient(administrator.actors);
  const b = entry("b");
  await register({ entry: b });
  assert.equal(await remove({ ...b, instance: administrator.entry.instance }), false);
  assert.equal(await remove(b), true);
  store.put = () => Promise.reject(new Error("the disk is full"));
  await assert.rejects(register({ entry: b }));
  assert.deepEqual(
    logs.matching(/ audit: (?!elevation)/).map((line) =>
      line.replace(/ who=.* server=b/, "").replace(/.*audit: /, "")
    ),
    [
      "add to the registry allowed",
      'remove from the registry failed reason="the registry does not have this instance of b"',
      "remove from the registry allowed",
      'add to the registry failed reason="the disk is full"',
    ],
  );
});

Deno.test("presence takes admin, and is asked of a registered instance only", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  const registry = await ensemble.startRegistry();
  const [a, b] = await Promise.all([ensemble.start("a"), ensemble.start("b")]);
  const { presence } = registryClient(a.actors);
  const ofB = { id: b.id, instance: b.entry.instance };
  await assert.rejects(presence(ofB), { remoteName: "NotAuthorizedError" });
  assert.equal(
    logs.matching(/WARN audit: presence refused who=instance:\S+ client=a transport=unix server=b/)
      .length,
    1,
  );
  await elevated(a, registry, "admin");
  assert.equal(await presence(ofB), "running");
  assert.equal(await presence({ ...ofB, instance: a.entry.instance }), "gone");
  assert.equal(await presence({ ...ofB, id: "nosuch" }), "gone");
});

Deno.test("presence tells a server that has ended from one that is only not connected", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const { register, remove, presence } = registryClient(registry.actors);
  const b = await ensemble.start("b", { register: false });
  const closed: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };
  const port = await listenAt(anyPort());
  const hangingUp = (async () => {
    for (let next; (next = await port.accept());) next.stream.close();
  })();
  const tries: [what: string, entry: OwnEntry, presence: Presence][] = [
    ["it answers, and is not connected", b.entry, "running"],
    ["another server is where it was", entry("c", { addresses: b.entry.addresses }), "gone"],
    ["another instance is where it was", entry("b", { addresses: b.entry.addresses }), "gone"],
    ["a listener hangs up where it was", entry("g", { addresses: [port.address] }), "unknown"],
    ["its port refuses", entry("d", { addresses: [closed] }), "gone"],
    ["its socket is missing", entry("e", { addresses: [ensemble.socket("e")] }), "unknown"],
    ["it cannot be tried from here", entry("f", { addresses: [] }), "unknown"],
  ];
  for (const [what, entry, expected] of tries) {
    await register({ entry });
    assert.equal(await presence(entry), expected, what);
    await remove(entry);
  }
  port.close();
  await hangingUp;
});

Deno.test("the registry answers others while it checks whether a server is running", async () => {
  await using ensemble = new LocalEnsemble();
  const looking = Promise.withResolvers<Presence>();
  const registry = await ensemble.startRegistry(undefined, {
    prepare: (server) => serveBlindRegistry(server, new MemoryStore(), () => looking.promise),
  });
  const { register, presence, lookup } = registryClient(registry.actors);
  await register({ entry: entry("a") });
  const answer = presence(entry("a"));
  assert.equal((await lookup(entry("a"))).entry?.id, "a");
  assert.equal(await isSettled(answer), false);
  looking.resolve("unknown");
  assert.equal(await answer, "unknown");
});

Deno.test("lookup of the registry returns its own entry, which is in no list", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  const console = await ensemble.startConsole();
  const { entry: found } = await registryClient(console.actors).lookup({ id: REGISTRY_ID });
  assert.deepEqual(found, { ...registry.entry, revision: 0 });
  assert.deepEqual(await listServers(console.actors), []);
});

Deno.test("the registry refuses malformed requests, and stays as it is", async () => {
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  using rogue = await RoguePeer.join(ensemble.socket("registry"), { cookie: ensemble.cookie });
  await rogue.register();
  const requests = [
    { type: "list", after: 7 },
    { type: "list", role: ["web"] },
    { type: "list", after: "\u009b" },
    { type: "remove", id: "rogue" },
    { type: "remove", id: "rogue", instance: "" },
    { type: "presence", id: "rogue" },
    { type: "register" },
    { type: "lookup", id: null },
  ];
  for (const request of requests) {
    const { failed } = await rogue.ask("registry", request);
    assert.equal(failed, true, Deno.inspect(request));
  }
  assert.equal((await listServers(registry.actors)).length, 1);
  await registry.actors.ask(refTo("registry", "registry"), { type: "ping" });
});

Deno.test("a server that registers over and over costs a few lines of the log", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry();
  using rogue = await RoguePeer.join(ensemble.socket("registry"), { cookie: ensemble.cookie });
  for (let i = 0; i < 500; i++) await rogue.register([], [`role${i}`]);
  await ensemble.stop(registry);
  assert.equal(logs.matching(/ rogue is up: /).length, 5);
  assert.equal(
    logs.matching(/ 495 more lines were left out: additions of entries of rogue$/).length,
    1,
  );
});

/** A journal that waits for a disk, and keeps all of the process waiting meanwhile. */
class BlockingJournal implements Journal {
  readonly epoch = "e";
  changes = 0;

  read(): Snapshot {
    return { entries: [], revision: 0 };
  }

  write(changes: readonly StoredChange[]): void {
    this.changes += changes.length;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }

  close(): void {}
}

Deno.test("the registry answers others while one asks for many changes", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new BlockingJournal();
  await ensemble.startRegistry(new LocalStore(store));
  using rogue = await RoguePeer.join(ensemble.socket(REGISTRY_ID), { cookie: ensemble.cookie });
  using other = await RoguePeer.join(ensemble.socket(REGISTRY_ID), {
    cookie: ensemble.cookie,
    id: "other",
  });
  const own = { ...entry("rogue"), instance: rogue.instance.publicKey };
  const add = frame(rogueFrame({ dest: "registry" }, rogueBody({ type: "register", entry: own })));
  const flood = new Uint8Array(200 * add.length);
  for (let at = 0; at < flood.length; at += add.length) flood.set(add, at);
  await rogue.write(flood);
  while (store.changes === 0) await other.ask("server", { type: "ping" });
  assert.ok(store.changes < 100, `${store.changes} changes were made meanwhile`);
});

Deno.test("the pending changes of a server are limited", async () => {
  await using ensemble = new LocalEnsemble();
  const store = new SlowStore();
  const { actors } = await ensemble.startRegistry(store);
  const rogue = await ensemble.startConsole("rogue");
  const add = (asker: typeof actors) => registryClient(asker).register({ entry: entry("z") });
  const changes = Promise.all(Array.from({ length: 64 }, () => add(rogue.actors)));
  changes.catch(() => {});
  await assert.rejects(
    add(rogue.actors),
    /^ActorError: rogue has 64 pending changes of the registry: wait until one is made$/,
  );
  let isDone = false;
  const done = Promise.all([changes, add(actors)]).then(() => isDone = true);
  while (!isDone) {
    store.changes.shift()?.resolve();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await done;
});

Deno.test("lock says who holds it, and takes the capability loader where it is enforced", async () => {
  await using ensemble = new AdministeredEnsemble();
  const target = await ensemble.startRegistry(new MemoryStore({ lease: 60_000 }));
  const rogue = await ensemble.startRogue("rogue");
  // As one who renews it: a registry that has just started gives locks to no others.
  const claim = { name: "roll-out:web", key: "1", by: "me@here", renews: true };
  await assert.rejects(registryClient(rogue.actors).lock(claim), {
    name: "ActorError",
    remoteName: "NotAuthorizedError",
  });
  const operator = await ensemble.start("operator");
  await elevated(operator, target, "loader");
  const registry = registryClient(operator.actors);
  assert.equal((await registry.lock(claim)).taken, true);
  const { holder, lease } = await registry.lock({ ...claim, key: "2" });
  assert.deepEqual([holder?.console, holder?.by, lease], ["operator", "me@here", 60_000]);
  assert.equal((await registryClient(rogue.actors).lockHolder(claim))?.by, "me@here");
  assert.equal(await registryClient(rogue.actors).unlock({ ...claim, key: "3" }), false);
  assert.equal(await registry.unlock(claim), true);
});
