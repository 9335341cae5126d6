import assert from "node:assert/strict";
import { InvalidInputError } from "../../runtime/errors.ts";
import { MemoryStore } from "../../registry/memory_store.ts";
import { openStore, parseStoreLocation } from "../../registry/open_store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";

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
      assert.match(error.message, /there are "sqlite:", "sqlite:<path>" and "memory:"$/);
      return true;
    });
  }
});
