import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { dirname } from "node:path";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { KEPT_CHANGES } from "../../registry/store.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { INSTANCE_LENGTH } from "../../runtime/server/credentials.ts";
import { testConformance } from "./conformance.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";
import { CHILD_REGISTRY_PROGRAM } from "../runtime/server/child_registry.ts";

testConformance({
  name: "sqlite",
  lease: 200,
  async make() {
    const directory = await Deno.makeTempDir();
    return {
      open: (options) => SqliteStore.open(`${directory}/deep/registry.db`, options),
      [Symbol.asyncDispose]: () => Deno.remove(directory, { recursive: true }),
    };
  },
});

/** Runs a test with the path of a database that does not exist yet. */
async function withPath(test: (path: string) => void | Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(`${directory}/registry.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Opens and starts a store. */
async function start(path: string): Promise<FollowedStore> {
  return await FollowedStore.start(await SqliteStore.open(path));
}

/** Does something with a database, as another program does. */
function inDatabase<Result>(path: string, work: (database: DatabaseSync) => Result): Result {
  const database = new DatabaseSync(path);
  try {
    return work(database);
  } finally {
    database.close();
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

Deno.test("changes at once wait for the disk once", () =>
  withPath(async (path) => {
    using databases = watchDatabases();
    await using followed = await start(path);
    const [database] = databases.opened;
    let commits = 0;
    const { exec } = database!;
    database!.exec = (sql) => {
      if (sql === "COMMIT") commits++;
      exec.call(database, sql);
    };
    await Promise.all(Array.from({ length: 100 }, (_, n) => followed.put(ownEntry(`s${n}`))));
    assert.equal(commits, 1);
    assert.equal(followed.entries.length, 100);
  }));

Deno.test("a change that cannot be written changes nothing, and neither do those made with it", () =>
  withPath(async (path) => {
    await using followed = await start(path);
    const revision = await followed.put(ownEntry("a"));
    inDatabase(path, (database) =>
      database.exec(
        `CREATE TRIGGER refuse BEFORE INSERT ON server WHEN new.id = 'bad'
           BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`,
      ));
    const { store } = followed;
    const refused = new RegExp(
      `^EnsembleError: cannot write the registry's database ${path}: the disk is full$`,
    );
    const changes = [
      store.put(ownEntry("a", { roles: ["r"] }), revision),
      store.put(ownEntry("bad"), 0),
      store.put(ownEntry("b"), 0),
    ];
    for (const change of changes) await assert.rejects(change, refused);
    assert.deepEqual(followed.told, ["up a"]);
    inDatabase(path, (database) => database.exec("DROP TRIGGER refuse"));
    assert.equal(await store.renew("a", ownEntry("a").instance), true);
    assert.ok(await store.put(ownEntry("a", { roles: ["r"] }), revision), "it is as it was");
    assert.ok(await store.put(ownEntry("b"), 0));
  }));

Deno.test("a change waits for a backup that has the file locked", () =>
  withPath(async (path) => {
    await using followed = await start(path);
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
    await followed.put(ownEntry("a"));
    await reader.cancel();
    assert.equal((await backup.status).code, 0);
    assert.ok(followed.get("a"));
  }));

Deno.test("a second registry cannot open a database, by any path, until the first one closes it", () =>
  withPath(async (path) => {
    const first = await start(path);
    await first.put(ownEntry("a"));
    const link = `${path}.link`;
    await Deno.symlink(path, link);
    for (const name of [path, link, path.replace(/\/([^/]*)$/, "/./$1")]) {
      await assertRefused(name, new RegExp(`: another registry has it open: pid ${Deno.pid}$`));
    }
    const other = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--no-check", CHILD_REGISTRY_PROGRAM],
        ...[`${dirname(path)}/registry`, `sqlite:${path}`, "00".repeat(32), "15000"],
      ],
      stdout: "null",
      stderr: "piped",
    }).outputSync();
    assert.match(new TextDecoder().decode(other.stderr), /another registry has it open: pid \d+/);
    // It is still whole, and still the first one's.
    await first.put(ownEntry("a", { roles: ["r"] }));
    await first.store.close();
    await using second = await start(link);
    assert.deepEqual(second.get("a")?.roles, ["r"]);
  }));

Deno.test("cursors go on after the file is opened again", () =>
  withPath(async (path) => {
    const first = await start(path);
    const revision = await first.put(ownEntry("a", { roles: ["r"] }));
    await first.put(ownEntry("b"));
    await first.put(ownEntry("a", { roles: ["s"] }));
    await first.remove("b");
    const told = first.directory.log.after(revision)!;
    assert.deepEqual(told.map(({ change, id }) => `${change} ${id}`), [
      "up b",
      "changed a",
      "left b",
    ]);
    await first.store.close();
    await using second = await start(path);
    assert.deepEqual(second.directory.log.after(revision), told);
    await second.put(ownEntry("c"));
    const later = second.directory.log.after(revision)!;
    assert.deepEqual(later.slice(0, -1), told);
    assert.equal(later.at(-1)!.id, "c");
    assert.equal(second.directory.log.after(1)!.length, 5, "nothing is left out");
  }));

Deno.test("the latest changes are kept, and it is known from where on", () =>
  withPath(async (path) => {
    const first = await start(path);
    const count = KEPT_CHANGES + 500;
    for (let n = 0; n < count; n += 500) {
      const entries = Array.from({ length: 500 }, (_, at) => ownEntry(`s${n + at}`));
      await Promise.all(entries.map((entry) => first.put(entry)));
    }
    const { revision } = first.directory;
    await first.store.close();
    await using second = await start(path);
    assert.equal(second.directory.size, count);
    assert.equal(second.directory.log.after(revision - KEPT_CHANGES)!.length, KEPT_CHANGES);
    assert.equal(second.directory.log.after(revision - KEPT_CHANGES - 1), undefined);
  }));

/** The entries of the databases of versions 1 and 2, which had no state. */
const MIGRATED = [
  {
    id: "httpd1",
    instance: new Uint8Array(INSTANCE_LENGTH).fill(1),
    addresses: [{ kind: "unix", host: "myhost", path: "/tmp/ensemble/httpd1" }],
    roles: ["httpd", "web"],
    state: "up",
    revision: 1,
  },
  {
    id: "httpd2",
    instance: new Uint8Array(INSTANCE_LENGTH).fill(2),
    addresses: [
      { kind: "tcp", host: "10.0.0.1", port: 4000 },
      { kind: "tls", host: "::1", port: 7000 },
    ],
    roles: [],
    state: "up",
    revision: 1,
  },
];

/** Makes a database of a version from that of version 1, as the programs of those versions did. */
const OLDER_VERSIONS: Readonly<Record<number, string>> = {
  1: "",
  2: `ALTER TABLE server ADD COLUMN pid INTEGER;
      ALTER TABLE server ADD COLUMN host TEXT;
      DELETE FROM server WHERE id LIKE 'rogue%' OR id = 'registry';
      UPDATE server SET pid = 7, host = 'myhost';
      PRAGMA user_version = 2`,
  3: `ALTER TABLE server ADD COLUMN pid INTEGER;
      ALTER TABLE server ADD COLUMN host TEXT;
      ALTER TABLE server ADD COLUMN sockets TEXT;
      ALTER TABLE server ADD COLUMN kernel TEXT;
      DELETE FROM server WHERE id LIKE 'rogue%' OR id = 'registry';
      UPDATE server SET pid = 7, host = 'myhost', sockets = '[[65024, 9223372036854777856]]',
        kernel = '{"boot":"b","processes":"pid:[1]"}' WHERE id = 'httpd1';
      UPDATE server SET sockets = '[null, null]' WHERE id = 'httpd2';
      PRAGMA user_version = 3`,
  4: `ALTER TABLE server ADD COLUMN pid INTEGER;
      ALTER TABLE server ADD COLUMN host TEXT;
      ALTER TABLE server ADD COLUMN sockets TEXT;
      ALTER TABLE server ADD COLUMN kernel TEXT;
      ALTER TABLE server ADD COLUMN version TEXT;
      ALTER TABLE server ADD COLUMN started_at INTEGER;
      ALTER TABLE server ADD COLUMN state TEXT NOT NULL DEFAULT 'up';
      ALTER TABLE server ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
      DELETE FROM server WHERE id LIKE 'rogue%' OR id = 'registry';
      UPDATE server SET sockets = '[null]', version = '1.2.3', started_at = 7 WHERE id = 'httpd1';
      CREATE TABLE registry (epoch TEXT NOT NULL, revision INTEGER NOT NULL, since INTEGER NOT NULL)
        STRICT;
      INSERT INTO registry VALUES ('e', 1, 1);
      CREATE TABLE change (revision INTEGER PRIMARY KEY, change TEXT NOT NULL, id TEXT NOT NULL,
        roles TEXT NOT NULL, lost_roles TEXT NOT NULL, server TEXT) STRICT;
      PRAGMA user_version = 4`,
};

/** What the entries of each version have besides. */
const ADDED: Readonly<Record<number, readonly [object, object]>> = {
  1: [{}, {}],
  2: [{ pid: 7, host: "myhost" }, { pid: 7, host: "myhost" }],
  3: [
    {
      pid: 7,
      host: "myhost",
      kernel: { boot: "b", processes: "pid:[1]" },
      addresses: [{
        ...MIGRATED[0]!.addresses[0],
        file: { device: 65024, inode: 2 ** 63 + 2048 },
      }],
    },
    {},
  ],
  4: [{ version: "1.2.3", startedAt: 7 }, {}],
};

for (const [version, sql] of Object.entries(OLDER_VERSIONS)) {
  Deno.test(`a database of version ${version} is brought up to date, and keeps its entries`, () =>
    withPath(async (path) => {
      // Made by the last program that wrote version 1; rogue1 and rogue2 have more than an entry may have now.
      await Deno.copyFile(new URL("./version_1.db", import.meta.url), path);
      inDatabase(path, (database) => database.exec(sql));
      const expected = MIGRATED.map((entry, at) => ({ ...entry, ...ADDED[Number(version)]![at] }));
      let epoch: string | undefined;
      for (let opening = 0; opening < 2; opening++) {
        await using followed = await start(path);
        assert.deepEqual(followed.entries, expected);
        assert.equal(followed.store.epoch, epoch ??= followed.store.epoch);
        assert.equal(followed.directory.revision, 1);
        assert.equal(followed.directory.log.after(0), undefined, "what came before is not known");
        assert.deepEqual(followed.directory.log.after(1), []);
      }
      await using followed = await start(path);
      assert.equal(await followed.put(ownEntry("httpd1")), 2);
      const found = inDatabase(path, (database) => database.prepare("PRAGMA user_version").get()!);
      assert.equal(found.user_version, 5);
    }));
}

Deno.test("the changes in a database of version 4 are kept", () =>
  withPath(async (path) => {
    await Deno.copyFile(new URL("./version_1.db", import.meta.url), path);
    const instance = "01".repeat(INSTANCE_LENGTH);
    const server = JSON.stringify([
      ...["httpd1", instance, "", "[]", null, null, "[]", null, null, null],
      ...["up", 2],
    ]);
    inDatabase(path, (database) => {
      database.exec(OLDER_VERSIONS[4]!);
      database.prepare("INSERT INTO change VALUES (2, 'up', 'httpd1', '[]', '[\"r\"]', ?)").run(
        server,
      );
      database.exec("UPDATE registry SET revision = 2");
    });
    await using followed = await start(path);
    assert.deepEqual(followed.directory.log.after(1), [{
      change: "up",
      id: "httpd1",
      revision: 2,
      roles: [],
      lostRoles: ["r"],
      lostGroups: [],
      entry: {
        id: "httpd1",
        instance: Uint8Array.fromHex(instance),
        addresses: [],
        roles: [],
        state: "up",
        revision: 2,
      },
    }]);
  }));

Deno.test("a migration that fails leaves the database as it was", () =>
  withPath(async (path) => {
    await Deno.copyFile(new URL("./version_1.db", import.meta.url), path);
    const look = (sql: string) => inDatabase(path, (database) => database.prepare(sql).all());
    // The second step of version 2 finds it there.
    look("ALTER TABLE server ADD COLUMN host TEXT");
    const columns = look("PRAGMA table_info(server)");
    await assertRefused(path, /duplicate column name: host/);
    assert.deepEqual(look("PRAGMA table_info(server)"), columns);
    assert.equal(look("PRAGMA user_version")[0]!.user_version, 1);
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
    const followed = await start(path);
    const roles = Array.from({ length: 30 }, (_, n) => `${n}`.padEnd(64, "r"));
    for (let n = 0; n < 40; n++) await followed.put(ownEntry(`server${n}`, { roles }));
    await followed.store.close();
    const file = await Deno.open(path, { write: true });
    await file.seek(5 * 4096, Deno.SeekMode.Start);
    await file.write(new Uint8Array(4096).fill(0xa5));
    file.close();
    await assertRefused(path, /it is damaged: |malformed/);
  }));

Deno.test("SqliteStore names a database with an invalid entry, and does not start", () =>
  withPath(async (path) => {
    const followed = await start(path);
    await followed.put(ownEntry("a"));
    await followed.store.close();
    const broken = [
      "UPDATE server SET addresses = 'nonsense('",
      "UPDATE server SET roles = '{'",
      "UPDATE server SET state = 'nonsense'",
      "UPDATE server SET groups = '{'",
      "UPDATE server SET groups = '{\"g\":-1}'",
      "UPDATE server SET id = '../a'",
      "DELETE FROM registry",
    ];
    const whole = await Deno.readFile(path);
    for (const sql of broken) {
      await Deno.writeFile(path, whole);
      inDatabase(path, (database) => database.exec(sql));
      await assert.rejects(
        async () => {
          const store = await SqliteStore.open(path);
          await start(path).finally(() => store.close());
        },
        /^EnsembleError: cannot (?:open|read) the registry's database \S+registry\.db: /,
        sql,
      );
    }
  }));

Deno.test("the schema of a newer version is refused, and its file left alone", () =>
  withPath(async (path) => {
    inDatabase(path, (database) => database.exec("PRAGMA user_version = 99"));
    const before = await Deno.readFile(path);
    await assertRefused(
      path,
      /written by a newer version of this program: its schema is version 99/,
    );
    assert.deepEqual(await Deno.readFile(path), before);
  }));

Deno.test("another program's database is refused, and left alone", () =>
  withPath(async (path) => {
    inDatabase(path, (database) => database.exec("CREATE TABLE cookies (name TEXT)"));
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
    const first = await start(path);
    await first.put(ownEntry("a"));
    assert.deepEqual(modes(), ["600", "600", "600", "600"]);
    // As after a crash: the log is there.
    const left = files.map((file) => Deno.readFileSync(file));
    await first.store.close();
    for (const [at, file] of files.entries()) {
      Deno.writeFileSync(file, left[at]!);
      Deno.chmodSync(file, 0o666);
    }
    await using again = await start(path);
    assert.equal(again.entries.length, 1);
    assert.deepEqual(modes(), ["600", "600", "600", "600"]);
  }));
