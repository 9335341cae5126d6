import assert from "node:assert/strict";
import type { EtcdAccessFiles } from "../../registry/etcd_access.ts";
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
      assert.match(
        error.message,
        /use "sqlite:", "sqlite:<path>", "memory:" or "etcd:\/\/<host>:<port>,...\/<prefix>"$/,
      );
      return true;
    });
  }
});

Deno.test("a URL of etcd has members and a prefix", () => {
  const member = (host: string, port: number) => ({ kind: "tcp", host, port });
  assert.deepEqual(parseStoreLocation("etcd://h1:2379,10.0.0.2:3000,[::1]:4000/a.b/c-d_e"), {
    kind: "etcd",
    members: [member("h1", 2379), member("10.0.0.2", 3000), member("::1", 4000)],
    prefix: "a.b/c-d_e",
  });
  assert.deepEqual(parseStoreLocation("etcd://h1,[::1]/x"), {
    kind: "etcd",
    members: [member("h1", 2379), member("::1", 2379)],
    prefix: "x",
  });
});

Deno.test("a URL of etcd that cannot be meant is refused, with what is wrong", () => {
  const refused: Record<string, RegExp> = {
    "etcd://": /add what the keys of this ensemble begin with, as in etcd:\/\/host:2379\/ensemble$/,
    "etcd://h1:2379": /add what the keys/,
    "etcd://h1:2379/": /add what the keys/,
    "etcd:///x": /the host is empty$/,
    "etcd://h1,,h2/x": /the host is empty$/,
    "etcd://h1:99999/x": /the port must be a number up to 65535$/,
    "etcd://h 1/x": /write host:port, with commas between several$/,
    "etcd://h_1!/x": /write host:port/,
    "etcd://me:secret@h1/x": /name the user with --store-user/,
    "etcd://h1/x/": /its prefix may have/,
    "etcd://h1//x": /its prefix may have/,
    "etcd://h1/x?y=1": /its prefix may have/,
    [`etcd://h1/${"x".repeat(65)}`]: /64 at most$/,
  };
  for (const [url, why] of Object.entries(refused)) {
    assert.throws(() => parseStoreLocation(url), (error) => {
      assert.ok(error instanceof InvalidInputError);
      assert.match(error.message, why, url);
      return true;
    });
  }
});

Deno.test("what is for etcd is refused for another store", async () => {
  const options = { defaultPath: "/nowhere", access: { storeUser: "me" } };
  await assert.rejects(openStore({ kind: "memory" }, options), /are for a store in etcd$/);
});

Deno.test("the password and the key of a store in etcd must be private files", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/secret`;
    await Deno.writeTextFile(file, "secret\n", { mode: 0o644 });
    await Deno.chmod(file, 0o644);
    const location = parseStoreLocation("etcd://h1/x");
    const refused = async (access: EtcdAccessFiles, why: RegExp) =>
      await assert.rejects(openStore(location, { defaultPath: "", access }), (error) => {
        assert.match((error as Error).message, why);
        return true;
      });
    await refused(
      { storeUser: "me", storePasswordFile: file },
      /^other users can read the password file .*: run "chmod 600 /,
    );
    await refused({ storeUser: "me" }, /^--store-user and --store-password-file go together$/);
    await refused({ storeKey: file }, /^--store-cert and --store-key go together$/);
    await refused({ storeCa: `${directory}/none` }, /none: there is no such file$/);
    await refused({ storeCa: file }, /^there is no certificate in /);
    const certificate = `${directory}/certificate`;
    await Deno.writeTextFile(certificate, "-----BEGIN CERTIFICATE-----\n");
    await refused(
      { storeCert: certificate, storeKey: file },
      /^other users can read the private key /,
    );
    await Deno.chmod(file, 0o600);
    await refused(
      { storeCert: certificate, storeKey: file },
      /^cannot use the certificates and the key for etcd: /,
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
