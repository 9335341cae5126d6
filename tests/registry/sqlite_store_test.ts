import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { EnsembleError } from "../../runtime/errors.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";

const OLD = new Uint8Array(32);

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

/** Checks that opening is refused, and leaves nothing open. */
async function assertRefused(path: string, why: RegExp): Promise<void> {
  const before = openFiles(dirname(path));
  await assert.rejects(SqliteStore.open(path), (error) => {
    assert.ok(error instanceof EnsembleError);
    assert.ok(error.message.startsWith(`cannot open the registry's database ${path}: `));
    assert.match(error.message, why);
    return true;
  });
  assert.deepEqual(openFiles(dirname(path)), before);
}

Deno.test("entries are there when the file is opened again", () =>
  withPath(async (path) => {
    const id = "httpd1";
    const entry = { id, instance: Uint8Array.of(1), addresses: [], roles: ["httpd"] };
    const first = await SqliteStore.open(path);
    await first.put(entry);
    await first.close();
    const second = await SqliteStore.open(path);
    assert.deepEqual(await second.list({ limit: 9 }), [entry]);
    await second.close();
  }));

/** The connections to databases that are opened while this is not disposed of. */
function watchDatabases(): { opened: Set<DatabaseSync> } & Disposable {
  const opened = new Set<DatabaseSync>();
  const { exec } = DatabaseSync.prototype;
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    opened.add(this);
    return exec.call(this, sql);
  };
  return { opened, [Symbol.dispose]: () => void (DatabaseSync.prototype.exec = exec) };
}

/** What this process has open of a directory; undefined where the system does not tell. */
function openFiles(directory: string): string[] | undefined {
  if (Deno.build.os !== "linux") return undefined;
  return Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`);
    } catch {
      return ""; // The directory's own.
    }
  }).filter((path) => path.startsWith(directory));
}

Deno.test("a store waits for the disk with each change, and for a while for a lock of others", () =>
  withPath(async (path) => {
    using databases = watchDatabases();
    const store = await SqliteStore.open(path);
    const [database, ...others] = databases.opened;
    assert.deepEqual(others, []);
    const pragma = (name: string) => Object.values(database!.prepare(`PRAGMA ${name}`).get()!)[0];
    assert.equal(pragma("journal_mode"), "wal");
    assert.equal(
      pragma("synchronous"),
      2,
      "FULL: https://www.sqlite.org/pragma.html#pragma_synchronous",
    );
    assert.equal(pragma("busy_timeout"), 2000);
    await store.close();
  }));

Deno.test("a change waits for a backup that has the file locked", () =>
  withPath(async (path) => {
    const store = await SqliteStore.open(path);
    const backup = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        `import { DatabaseSync } from "node:sqlite";
         const database = new DatabaseSync(${JSON.stringify(path)});
         database.exec("BEGIN IMMEDIATE");
         console.log("locked");
         setTimeout(() => database.exec("COMMIT"), 50);`,
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = backup.stdout.getReader();
    await reader.read();
    const id = "a";
    await store.put({ id, instance: new Uint8Array(32), addresses: [], roles: [] });
    await reader.cancel();
    assert.equal((await backup.status).code, 0);
    assert.ok(await store.get(id));
    await store.close();
  }));

Deno.test("a second registry cannot open a database, by any path, until the first one closes it", () =>
  withPath(async (path) => {
    const first = await SqliteStore.open(path);
    const id = "a";
    await first.put({ id, instance: new Uint8Array(32), addresses: [], roles: [] });
    const link = `${path}.link`;
    await Deno.symlink(path, link);
    for (const name of [path, link, path.replace(/\/([^/]*)$/, "/./$1")]) {
      await assertRefused(name, new RegExp(`: another registry has it open: pid ${Deno.pid}$`));
    }
    const other = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", WRITER, path],
      stdout: "null",
      stderr: "piped",
    }).outputSync();
    assert.match(new TextDecoder().decode(other.stderr), /another registry has it open: pid \d+/);
    // It is still whole, and still the first one's.
    await first.put({ id, instance: new Uint8Array(32), addresses: [], roles: ["r"] });
    await first.close();
    const second = await SqliteStore.open(link);
    assert.deepEqual((await second.get(id))?.roles, ["r"]);
    await second.close();
  }));

Deno.test("a database of version 1 is brought up to date, without the entries that are too large", () =>
  withPath(async (path) => {
    // Made by the last program that wrote version 1; rogue1 and rogue2 have more than an entry may have now.
    await Deno.copyFile(new URL("./version_1.db", import.meta.url), path);
    for (let opening = 0; opening < 2; opening++) {
      const store = await SqliteStore.open(path);
      assert.deepEqual(await store.list({ limit: 9 }), [
        {
          id: "httpd1",
          instance: new Uint8Array(32).fill(1),
          addresses: [{ kind: "unix", host: "myhost", path: "/tmp/ensemble/httpd1" }],
          roles: ["httpd", "web"],
        },
        {
          id: "httpd2",
          instance: new Uint8Array(32).fill(2),
          addresses: [
            { kind: "tcp", host: "10.0.0.1", port: 4000 },
            { kind: "tls", host: "::1", port: 7000 },
          ],
          roles: [],
        },
      ]);
      await store.close();
    }
    const database = new DatabaseSync(path);
    assert.equal(database.prepare("PRAGMA user_version").get()!.user_version, 3);
    database.close();
  }));

Deno.test("a database of version 2 is brought up to date, and keeps its entries", () =>
  withPath(async (path) => {
    const database = new DatabaseSync(path);
    database.exec(
      `CREATE TABLE server (id TEXT PRIMARY KEY, instance BLOB NOT NULL, addresses TEXT NOT NULL,
         roles TEXT NOT NULL, pid INTEGER, host TEXT) STRICT, WITHOUT ROWID;
       INSERT INTO server VALUES ('a', x'01', '(unix: "h" "/a") (tcp: "h:1")', '["r"]', 7, 'h');
       PRAGMA user_version = 2`,
    );
    database.close();
    const store = await SqliteStore.open(path);
    const old = {
      id: "a",
      instance: Uint8Array.of(1),
      addresses: [
        { kind: "unix", host: "h", path: "/a" },
        { kind: "tcp", host: "h", port: 1 },
      ] as const,
      roles: ["r"],
      pid: 7,
      host: "h",
    };
    assert.deepEqual(await store.list({ limit: 9 }), [old]);
    const [unix, tcp] = old.addresses;
    // An inode of 64 bits is rounded, and comes back as it was rounded.
    const again = {
      ...old,
      addresses: [tcp, { ...unix, file: { device: 65024, inode: 2 ** 63 + 2048 } }],
      kernel: { boot: "b", processes: "pid:[1]" },
    };
    await store.put(again);
    assert.deepEqual(await store.get(old.id), again);
    await store.close();
  }));

Deno.test("a migration that fails leaves the database as it was", () =>
  withPath(async (path) => {
    await Deno.copyFile(new URL("./version_1.db", import.meta.url), path);
    const look = (sql: string) => {
      const database = new DatabaseSync(path);
      try {
        return database.prepare(sql).all();
      } finally {
        database.close();
      }
    };
    // The second step of version 2 finds it there.
    look("ALTER TABLE server ADD COLUMN host TEXT");
    const columns = look("PRAGMA table_info(server)");
    await assertRefused(path, /duplicate column name: host/);
    assert.deepEqual(look("PRAGMA table_info(server)"), columns);
    assert.equal(look("PRAGMA user_version")[0]!.user_version, 1);
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
    const store = await SqliteStore.open(path);
    const found = new Set<string>((await store.list({ limit: 1000 })).map((entry) => entry.id));
    await store.close();
    // The one change after the last acknowledged may or may not have been made.
    assert.ok(acknowledged.symmetricDifference(found).size <= 1, `${killAfter} lines`);
    if (acknowledged.isSubsetOf(found)) return;
    const [lost] = acknowledged.difference(found);
    assert.equal(lines.at(-1), `put ${lost}`);
    assert.equal(Number(lost!.slice("server".length)) % 3, 2, "only its deletion was under way");
  }));

Deno.test("a file that is not a database is refused and left alone", () =>
  withPath(async (path) => {
    const text = "not a database ".repeat(100);
    await Deno.writeTextFile(path, text);
    await assertRefused(path, /not a database/);
    assert.equal(await Deno.readTextFile(path), text);
  }));

Deno.test("a damaged database is refused", () =>
  withPath(async (path) => {
    const store = await SqliteStore.open(path);
    for (let number = 0; number < 40; number++) {
      const id = `server${number}`;
      await store.put({
        id,
        instance: new Uint8Array(32),
        addresses: [],
        roles: ["httpd".repeat(200)],
      });
    }
    await store.close();
    const file = await Deno.open(path, { write: true });
    await file.seek(3 * 4096, Deno.SeekMode.Start);
    await file.write(new Uint8Array(4096).fill(0xa5));
    file.close();
    await assertRefused(path, /it is damaged: |malformed/);
  }));

Deno.test("the schema of a newer version is refused, and its file left alone", () =>
  withPath(async (path) => {
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    const before = await Deno.readFile(path);
    await assertRefused(
      path,
      /written by a newer version of this program: its schema is version 99/,
    );
    assert.deepEqual(await Deno.readFile(path), before);
  }));

Deno.test("another program's database is refused, and left alone", () =>
  withPath(async (path) => {
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE cookies (name TEXT)");
    database.close();
    const before = await Deno.readFile(path);
    await assertRefused(path, /the tables of another program/);
    assert.deepEqual(await Deno.readFile(path), before);
  }));

Deno.test("a path that cannot be written is refused", () =>
  withPath(async (path) => {
    await Deno.mkdir(path);
    await assertRefused(path, /unable to open database file/);
  }));

Deno.test("a database is for its user alone, also when it was not before", () =>
  withPath(async (path) => {
    const files = ["", "-wal", "-shm", "-lock"].map((suffix) => `${path}${suffix}`);
    const modes = () => files.map((file) => (Deno.statSync(file).mode! & 0o777).toString(8));
    const store = await SqliteStore.open(path);
    await store.put({ id: "a", instance: OLD, addresses: [], roles: [] });
    assert.deepEqual(modes(), ["600", "600", "600", "600"]);
    // As after a crash: the log is there.
    const left = files.map((file) => Deno.readFileSync(file));
    await store.close();
    for (const [at, file] of files.entries()) {
      Deno.writeFileSync(file, left[at]!);
      Deno.chmodSync(file, 0o666);
    }
    const again = await SqliteStore.open(path);
    assert.equal((await again.list({ limit: 2 })).length, 1);
    assert.deepEqual(modes(), ["600", "600", "600", "600"]);
    await again.close();
  }));
