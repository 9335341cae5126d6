import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { parseServerId } from "../../runtime/actor/server_id.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";

const WRITER = fileURLToPath(new URL("./acknowledging_writer.ts", import.meta.url));

/** Runs a test with the path of a database that does not exist yet. */
async function withPath(test: (path: string) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(`${directory}/registry.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function assertRefused(path: string, why: RegExp): void {
  assert.throws(() => new SqliteStore(path), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.ok(error.message.startsWith(`cannot open the registry's database ${path}: `));
    assert.match(error.message, why);
    return true;
  });
}

Deno.test("entries are there when the file is opened again", () =>
  withPath(async (path) => {
    const id = parseServerId("httpd1");
    const entry = { id, instance: Uint8Array.of(1), addresses: [], roles: ["httpd"] };
    const first = new SqliteStore(path);
    await first.put(entry);
    await first.close();
    const second = new SqliteStore(path);
    assert.deepEqual(await second.list({ limit: 9 }), [entry]);
    await second.close();
  }));

Deno.test("every acknowledged change survives kill -9", () =>
  withPath(async (path) => {
    const writer = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read", "--allow-write", WRITER, path],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const killAfter = 1 + Math.floor(Math.random() * 200);
    const lines: string[] = [];
    let partial = "";
    let isKilled = false;
    for await (const text of writer.stdout.pipeThrough(new TextDecoderStream())) {
      const parts = (partial + text).split("\n");
      partial = parts.pop()!;
      lines.push(...parts);
      if (lines.length >= killAfter && !isKilled) {
        isKilled = true;
        writer.kill("SIGKILL");
      }
    }
    assert.equal((await writer.status).signal, "SIGKILL");

    const acknowledged = new Set<string>();
    for (const line of lines) {
      const [change, id] = line.split(" ");
      if (change === "put") acknowledged.add(id!);
      else acknowledged.delete(id!);
    }
    const store = new SqliteStore(path);
    const found = new Set<string>((await store.list({ limit: 1000 })).map((entry) => entry.id));
    await store.close();
    // The one change after the last acknowledged may or may not have been made.
    assert.ok(acknowledged.symmetricDifference(found).size <= 1, `${killAfter} lines`);
    if (acknowledged.isSubsetOf(found)) return;
    const [lost] = acknowledged.difference(found);
    assert.equal(lines.at(-1), `put ${lost}`);
    assert.equal(Number(lost!.slice("server".length)) % 3, 2, "only its deletion was under way");
  }));

Deno.test("a file that is no database is refused and left alone", () =>
  withPath(async (path) => {
    const text = "not a database ".repeat(100);
    await Deno.writeTextFile(path, text);
    assertRefused(path, /not a database/);
    assert.equal(await Deno.readTextFile(path), text);
  }));

Deno.test("a damaged database is refused", () =>
  withPath(async (path) => {
    const store = new SqliteStore(path);
    for (let number = 0; number < 500; number++) {
      const id = parseServerId(`server${number}`);
      await store.put({ id, instance: new Uint8Array(32), addresses: [], roles: ["httpd"] });
    }
    await store.close();
    const file = await Deno.open(path, { write: true });
    await file.seek(3 * 4096, Deno.SeekMode.Start);
    await file.write(new Uint8Array(4096).fill(0xa5));
    file.close();
    assertRefused(path, /it is damaged: |malformed/);
  }));

Deno.test("the schema of a newer version is refused", () =>
  withPath((path) => {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    assertRefused(path, /written by a newer version of this program: its schema is number 99/);
  }));

Deno.test("another program's database is refused", () =>
  withPath((path) => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE cookies (name TEXT)");
    database.close();
    assertRefused(path, /the tables of another program/);
  }));

Deno.test("a path that cannot be written is refused", () =>
  withPath(async (path) => {
    await Deno.mkdir(path);
    assertRefused(path, /unable to open database file/);
  }));
