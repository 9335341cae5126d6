import assert from "node:assert/strict";
import { MemoryStore } from "../../registry/local_store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { openStore, parseStoreLocation } from "../../registry/store.ts";
import { InvalidInputError } from "../../runtime/errors.ts";

Deno.test("the URL chooses the store and its file", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const options = { defaultPath: `${directory}/default.db`, lease: 7_000 };
    const memory = await openStore(parseStoreLocation("memory:"), options);
    assert.ok(memory instanceof MemoryStore);
    assert.equal(memory.lease, 7_000);
    await memory.close();
    await assert.rejects(Deno.stat(options.defaultPath), Deno.errors.NotFound);

    for (
      const [url, path] of [["sqlite:", "default.db"], [`sqlite:${directory}/own.db`, "own.db"]]
    ) {
      const store = await openStore(parseStoreLocation(url!), options);
      assert.ok(store instanceof SqliteStore);
      assert.equal(store.lease, 7_000);
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
