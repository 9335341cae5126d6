import assert from "node:assert/strict";
import { parseServerId } from "../../runtime/actor/server_id.ts";
import type { RegistryEntry } from "../../runtime/server/registry_entry.ts";
import { MemoryStore } from "../../registry/memory_store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import type { RegistryStore } from "../../registry/store.ts";

const OLD = Uint8Array.of(1, 2, 3);
const NEW = Uint8Array.of(1, 2, 4);

function entry(id: string, roles: string[] = [], instance = OLD): RegistryEntry {
  return {
    id: parseServerId(id),
    instance,
    addresses: [
      { kind: "unix", host: "a host", path: `/tmp/${id} "quoted"` },
      { kind: "tls", host: "::1", port: 7000 },
    ],
    roles,
  };
}

function ids(entries: RegistryEntry[]): string[] {
  return entries.map((entry) => entry.id);
}

/** Every store has to behave the same: this runs one test on each of them. */
function testStores(name: string, test: (store: RegistryStore) => Promise<void>): void {
  Deno.test(`memory store: ${name}`, async () => {
    const store = new MemoryStore();
    await test(store);
    await store.close();
  });
  Deno.test(`sqlite store: ${name}`, async () => {
    const directory = await Deno.makeTempDir();
    const store = new SqliteStore(`${directory}/deep/registry.db`);
    try {
      await test(store);
    } finally {
      await store.close();
      await Deno.remove(directory, { recursive: true });
    }
  });
}

testStores("an entry comes back as it was put", async (store) => {
  const roles = ["httpd", "a b", "(c)", '"d"', ""];
  await store.put(entry("httpd1", roles));
  assert.deepEqual(await store.get(parseServerId("httpd1")), entry("httpd1", roles));
});

testStores("an unknown server has no entry", async (store) => {
  assert.equal(await store.get(parseServerId("nosuch")), undefined);
  assert.equal(await store.delete(parseServerId("nosuch")), false);
  assert.deepEqual(await store.list(), []);
  assert.deepEqual(await store.byRole("httpd"), []);
});

testStores("a later entry takes the place of the earlier one", async (store) => {
  await store.put(entry("httpd1", ["httpd"]));
  await store.put(entry("httpd1", ["proxy"], NEW));
  assert.deepEqual(await store.list(), [entry("httpd1", ["proxy"], NEW)]);
  assert.deepEqual(await store.byRole("httpd"), []);
});

testStores("answers are sorted by id, by code unit", async (store) => {
  for (const id of ["b", "_", "a10", "a2", "B", "a.1", "a-1"]) await store.put(entry(id, ["r"]));
  const sorted = ["B", "_", "a-1", "a.1", "a10", "a2", "b"];
  assert.deepEqual(ids(await store.list()), sorted);
  assert.deepEqual(ids(await store.byRole("r")), sorted);
});

testStores("a role is looked up exactly", async (store) => {
  await store.put(entry("one", ["httpd", "admin"]));
  await store.put(entry("two", ["admin"]));
  await store.put(entry("three", ["httpd2", "HTTPD", "1"]));
  assert.deepEqual(ids(await store.byRole("httpd")), ["one"]);
  assert.deepEqual(ids(await store.byRole("admin")), ["one", "two"]);
  assert.deepEqual(ids(await store.byRole("1")), ["three"]);
  assert.deepEqual(ids(await store.byRole("%")), []);
});

testStores("an instance removes only its own entry", async (store) => {
  const id = parseServerId("httpd1");
  await store.put(entry("httpd1", [], NEW));
  assert.equal(await store.delete(id, OLD), false);
  assert.equal(await store.delete(id, Uint8Array.of(1, 2)), false);
  assert.deepEqual(await store.get(id), entry("httpd1", [], NEW));
  assert.equal(await store.delete(id, NEW), true);
  assert.equal(await store.get(id), undefined);
});

testStores("without an instance whatever is there is removed", async (store) => {
  await store.put(entry("httpd1", [], NEW));
  assert.equal(await store.delete(parseServerId("httpd1")), true);
  assert.deepEqual(await store.list(), []);
});

testStores("changing what was put or got changes nothing in the store", async (store) => {
  const roles = ["httpd"];
  await store.put(entry("httpd1", roles));
  roles.push("later");
  const [got] = await store.list();
  (got!.roles as string[]).push("later still");
  got!.instance[0] = 9;
  assert.deepEqual(await store.list(), [entry("httpd1", ["httpd"])]);
});
