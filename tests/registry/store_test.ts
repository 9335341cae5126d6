import assert from "node:assert/strict";
import {
  MemoryStore,
  openStore,
  parseStoreLocation,
  type RegistryStore,
} from "../../registry/store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";

const OLD = Uint8Array.of(1, 2, 3);
const NEW = Uint8Array.of(1, 2, 4);

function entry(id: string, roles: string[] = [], instance = OLD): RegistryEntry {
  return {
    id: id,
    instance,
    addresses: [
      {
        kind: "unix",
        host: "a host",
        path: `/tmp/${id} "quoted"`,
        file: { device: 65024, inode: 12 },
      },
      { kind: "unix", host: "a host", path: "/of nobody's" },
      { kind: "tls", host: "::1", port: 7000 },
    ],
    roles,
    pid: 123,
    host: "a host",
    kernel: { boot: "1f9d", processes: "pid:[4026531836]" },
  };
}

/** All entries, or all with a role. */
function all(store: RegistryStore, role?: string): Promise<RegistryEntry[]> {
  return store.list({ role, limit: 100 });
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
    const store = await SqliteStore.open(`${directory}/deep/registry.db`);
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
  assert.deepEqual(await store.get("httpd1"), entry("httpd1", roles));
});

testStores("an unknown server has no entry", async (store) => {
  assert.equal(await store.get("nosuch"), undefined);
  assert.equal(await store.delete("nosuch", OLD), false);
  assert.deepEqual(await all(store), []);
  assert.deepEqual(await all(store, "httpd"), []);
});

testStores("a later entry replaces the earlier one", async (store) => {
  await store.put(entry("httpd1", ["httpd"]));
  await store.put(entry("httpd1", ["proxy"], NEW));
  assert.deepEqual(await all(store), [entry("httpd1", ["proxy"], NEW)]);
  assert.deepEqual(await all(store, "httpd"), []);
});

testStores("answers are sorted by id, by code unit", async (store) => {
  for (const id of ["b", "_", "a10", "a2", "B", "a.1", "a-1"]) await store.put(entry(id, ["r"]));
  const sorted = ["B", "_", "a-1", "a.1", "a10", "a2", "b"];
  assert.deepEqual(ids(await all(store)), sorted);
  assert.deepEqual(ids(await all(store, "r")), sorted);
});

testStores("a role is looked up exactly", async (store) => {
  await store.put(entry("one", ["httpd", "admin"]));
  await store.put(entry("two", ["admin"]));
  await store.put(entry("three", ["httpd2", "HTTPD", "1"]));
  assert.deepEqual(ids(await all(store, "httpd")), ["one"]);
  assert.deepEqual(ids(await all(store, "admin")), ["one", "two"]);
  assert.deepEqual(ids(await all(store, "1")), ["three"]);
  assert.deepEqual(ids(await all(store, "%")), []);
});

testStores("an instance removes only its own entry", async (store) => {
  const id = "httpd1";
  await store.put(entry("httpd1", [], NEW));
  assert.equal(await store.delete(id, OLD), false);
  assert.equal(await store.delete(id, Uint8Array.of(1, 2)), false);
  assert.deepEqual(await store.get(id), entry("httpd1", [], NEW));
  assert.equal(await store.delete(id, NEW), true);
  assert.equal(await store.get(id), undefined);
});

testStores("an entry without pid and host comes back without them", async (store) => {
  const { pid: _pid, host: _host, ...old } = entry("httpd1");
  await store.put(old);
  assert.deepEqual(await store.get(old.id), old);
});

testStores("list returns a limited number of entries, after a given id", async (store) => {
  for (const id of ["a", "b", "c", "d", "e"]) {
    await store.put(entry(id, [id < "d" ? "early" : "late", "all"]));
  }
  const page = async (after: string | undefined, limit: number, role?: string) =>
    ids(
      await store.list({ role, limit, after: after === undefined ? after : after }),
    );
  assert.deepEqual(await page(undefined, 2), ["a", "b"]);
  assert.deepEqual(await page("b", 2), ["c", "d"]);
  assert.deepEqual(await page("d", 2), ["e"]);
  assert.deepEqual(await page("e", 2), []);
  assert.deepEqual(await page("bb", 2), ["c", "d"], "an id that is not there");
  assert.deepEqual(await page(undefined, 2, "early"), ["a", "b"]);
  assert.deepEqual(await page("b", 2, "early"), ["c"]);
  assert.deepEqual(await page("a", 9, "late"), ["d", "e"]);
});

testStores("changing an entry after put or get does not change the store", async (store) => {
  const roles = ["httpd"];
  await store.put(entry("httpd1", roles));
  roles.push("later");
  const [got] = await all(store);
  (got!.roles as string[]).push("later still");
  got!.instance[0] = 9;
  assert.deepEqual(await all(store), [entry("httpd1", ["httpd"])]);
});

Deno.test("the URL chooses the store and its file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const defaultPath = `${directory}/default.db`;
    const memory = await openStore(parseStoreLocation("memory:"), defaultPath);
    assert.ok(memory instanceof MemoryStore);
    await memory.close();
    await assert.rejects(Deno.stat(defaultPath), Deno.errors.NotFound);

    for (
      const [url, path] of [["sqlite:", "default.db"], [`sqlite:${directory}/own.db`, "own.db"]]
    ) {
      const store = await openStore(parseStoreLocation(url!), defaultPath);
      assert.ok(store instanceof SqliteStore);
      await store.close();
      assert.ok((await Deno.stat(`${directory}/${path}`)).isFile);
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("any other URL is refused, naming what there is", () => {
  for (const url of ["", "redis://host", "memory", "memory:x", "/tmp/registry.db"]) {
    assert.throws(() => parseStoreLocation(url), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.message, /use "sqlite:", "sqlite:<path>" or "memory:"$/);
      return true;
    });
  }
});
