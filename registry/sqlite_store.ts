/**
 * The `sqlite:` store: the registry's entries in one database file.
 *
 * @module
 */
import { dirname } from "node:path";
import {
  DatabaseSync,
  type SQLInputValue,
  type SQLOutputValue,
  type StatementSync,
} from "node:sqlite";
import { checkServerId } from "../runtime/actor/references.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { fileBehind, makePrivate, takeFileLock } from "../runtime/home/files.ts";
import {
  type ChangeKind,
  type RegistryEntry,
  registryEntry,
} from "../runtime/server/registry_protocol.ts";
import { checked } from "../runtime/server/request_checks.ts";
import { type Address, formatAddress, parseAddresses } from "../runtime/wire/address.ts";
import { type Journal, LocalStore, type LocalStoreOptions } from "./local_store.ts";
import { KEPT_CHANGES, type Snapshot, type StoredChange } from "./store.ts";

/**
 * The migrations: from an empty file to version 1 of the schema, from there to version 2, and so
 * on. The version of a file is its `user_version`.
 *
 * Addresses are stored in list notation, so they read the same in the `sqlite3` shell as in the
 * tool's output; roles as a JSON array, which SQLite can search; the socket files as a JSON array
 * of `[device, inode]`, in the order of the addresses, with null for an address without one.
 *
 * `change` has the latest changes, `server` there being a row of `server` as a JSON array; `since`
 * is the revision after which it has all. `epoch` identifies the revisions of this file.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE server (
     id TEXT PRIMARY KEY,
     instance BLOB NOT NULL,
     addresses TEXT NOT NULL,
     roles TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
  // Version 1 had no limits. Entries that exceed them are dropped; running servers register again
  // when their registry is restarted.
  `ALTER TABLE server ADD COLUMN pid INTEGER;
   ALTER TABLE server ADD COLUMN host TEXT;
   DELETE FROM server WHERE length(addresses) > 8207 OR length(roles) > 12385 OR id = 'registry'`,
  // Of older entries only the names of their hosts are known.
  `ALTER TABLE server ADD COLUMN sockets TEXT;
   ALTER TABLE server ADD COLUMN kernel TEXT`,
  // Older entries have no state. They count as up until their leases run out, as after any restart.
  `ALTER TABLE server ADD COLUMN version TEXT;
   ALTER TABLE server ADD COLUMN started_at INTEGER;
   ALTER TABLE server ADD COLUMN state TEXT NOT NULL DEFAULT 'up';
   ALTER TABLE server ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
   CREATE TABLE registry (
     epoch TEXT NOT NULL,
     revision INTEGER NOT NULL,
     since INTEGER NOT NULL
   ) STRICT;
   INSERT INTO registry VALUES (lower(hex(randomblob(16))), 1, 1);
   CREATE TABLE change (
     revision INTEGER PRIMARY KEY,
     change TEXT NOT NULL,
     id TEXT NOT NULL,
     roles TEXT NOT NULL,
     lost_roles TEXT NOT NULL,
     server TEXT
   ) STRICT`,
];

/** How long a change waits for another process that has locked the file, such as a backup. */
const LOCK_TIMEOUT_MS = 2_000;

/** The columns of a row of `server`, in order. */
const COLUMNS = [
  "id",
  "instance",
  "addresses",
  "roles",
  "pid",
  "host",
  "sockets",
  "kernel",
  "version",
  "started_at",
  "state",
  "revision",
] as const;

/** A row of `server`. */
type Row = Record<typeof COLUMNS[number], SQLOutputValue>;

/** Options of {@linkcode SqliteStore.open}. */
export type SqliteStoreOptions = LocalStoreOptions;

/**
 * Stores the entries in a SQLite file. An acknowledged change is on the disk: it survives `kill -9`
 * and power loss. The latest changes are kept, too, so that cursors are valid after a restart.
 */
export class SqliteStore extends LocalStore {
  /**
   * Opens the database, and creates it and its directory if they do not exist. No other registry
   * can open it until this one is closed. Other programs of this user can read it, but not those of
   * other users: a database that they had access to is made private, with its auxiliary files.
   *
   * @throws {EnsembleError} naming the file, if it cannot be opened, another registry has it open,
   * it is damaged, belongs to another program, or was written by a newer version of this one.
   */
  static async open(path: string, options?: SqliteStoreOptions): Promise<SqliteStore> {
    return new SqliteStore(await SqliteJournal.open(path), options);
  }
}

/** The changes in a SQLite file. */
class SqliteJournal implements Journal {
  readonly epoch: string;
  readonly #path: string;
  readonly #lock: Disposable;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #log: StatementSync;
  readonly #trim: StatementSync;
  readonly #advance: StatementSync;

  private constructor(path: string, lock: Disposable, database: DatabaseSync) {
    this.#path = path;
    this.#lock = lock;
    this.#database = database;
    const values = COLUMNS.map(() => "?").join(", ");
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO server (${COLUMNS.join(", ")}) VALUES (${values})`,
    );
    this.#delete = database.prepare("DELETE FROM server WHERE id = ?");
    this.#log = database.prepare("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)");
    this.#trim = database.prepare(
      `DELETE FROM change WHERE revision <= (
         SELECT revision FROM change ORDER BY revision DESC LIMIT 1 OFFSET ${KEPT_CHANGES}
       ) RETURNING revision`,
    );
    this.#advance = database.prepare("UPDATE registry SET revision = ?, since = max(since, ?)");
    this.epoch = database.prepare("SELECT epoch FROM registry").get()!.epoch as string;
  }

  static async open(path: string): Promise<SqliteJournal> {
    let lock: Disposable | undefined;
    try {
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      lock = await lockDatabase(path);
      makeFile(path);
      return new SqliteJournal(path, lock, openDatabase(path));
    } catch (error) {
      lock?.[Symbol.dispose]();
      throw cannot("open", path, error);
    }
  }

  read(): Snapshot {
    return this.#attempt("read", () => {
      const all = (sql: string) => this.#database.prepare(sql).iterate();
      const { revision, since } = this.#database.prepare("SELECT * FROM registry").get()!;
      return {
        entries: Array.from(all("SELECT * FROM server"), (row) => rowToEntry(row as Row)),
        revision: revision as number,
        changes: Array.from(all("SELECT * FROM change ORDER BY revision"), rowToChange),
        since: since as number,
      };
    });
  }

  write(changes: readonly StoredChange[]): void {
    this.#attempt("write", () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        for (const change of changes) this.#writeOne(change);
        const trimmed = this.#trim.all().map(({ revision }) => revision as number);
        this.#advance.run(changes.at(-1)!.revision, Math.max(0, ...trimmed));
        this.#database.exec("COMMIT");
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  close(): void {
    this.#attempt("close", () => this.#database.close());
    this.#lock[Symbol.dispose]();
  }

  #writeOne({ change, id, revision, roles, lostRoles, entry }: StoredChange): void {
    const row = entry && entryToRow(entry);
    if (row) this.#put.run(...row);
    else this.#delete.run(id);
    const texts = [roles, lostRoles].map((list) => JSON.stringify(list));
    // The instance as text: JSON has no bytes.
    const server = row &&
      JSON.stringify(row, (_, value) => value instanceof Uint8Array ? value.toHex() : value);
    this.#log.run(revision, change, id, ...texts, server ?? null);
  }

  /** Accesses the database. Its errors name the operation and the file. */
  #attempt<T>(what: "read" | "write" | "close", action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw cannot(what, this.#path, error);
    }
  }
}

function cannot(what: string, path: string, error: unknown): EnsembleError {
  const why = error instanceof Error ? error.message : String(error);
  return new EnsembleError(`cannot ${what} the registry's database ${path}: ${why}`, {
    cause: error,
  });
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: LOCK_TIMEOUT_MS });
  try {
    const damage = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (damage !== "ok") throw new EnsembleError(`it is damaged: ${damage}`);
    // Before anything is written, since the file may belong to another program.
    const version = readVersion(database);
    // Before SQLite creates the log, which inherits the permissions of the database.
    makeAllPrivate(path);
    // In WAL mode only FULL makes each commit wait for the disk; NORMAL would lose the last commits
    // with the power. https://www.sqlite.org/pragma.html#pragma_synchronous
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    if (version < MIGRATIONS.length) {
      const steps = MIGRATIONS.slice(version).join("; ");
      database.exec(`BEGIN; ${steps}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Creates an empty file for a new database, which SQLite would make readable for all. */
function makeFile(path: string): void {
  try {
    Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
}

/**
 * Restricts a database to its owner, with its log, its shared memory and its lock.
 *
 * @see https://www.sqlite.org/tempfiles.html
 */
function makeAllPrivate(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-lock"]) {
    try {
      makePrivate(`${path}${suffix}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The schema version of the file; 0 if it is empty. */
function readVersion(database: DatabaseSync): number {
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (version > MIGRATIONS.length) {
    throw new EnsembleError(
      `it was written by a newer version of this program: its schema is version ${version}, ` +
        `this program supports versions up to ${MIGRATIONS.length}`,
    );
  }
  if (version === 0 && database.prepare("SELECT 1 FROM sqlite_schema").get() !== undefined) {
    throw new EnsembleError("it contains the tables of another program");
  }
  return version;
}

function entryToRow(entry: RegistryEntry): SQLInputValue[] {
  const { kernel, addresses } = entry;
  const row: Record<keyof Row, SQLInputValue> = {
    id: entry.id,
    instance: entry.instance,
    addresses: addresses.map(formatAddress).join(" "),
    roles: JSON.stringify(entry.roles),
    pid: entry.pid ?? null,
    host: entry.host ?? null,
    sockets: JSON.stringify(addresses.map(fileNumbers)),
    kernel: kernel ? JSON.stringify(kernel) : null,
    version: entry.version ?? null,
    started_at: entry.startedAt ?? null,
    state: entry.state,
    revision: entry.revision,
  };
  return COLUMNS.map((column) => row[column]);
}

/** What was read from a file that others can write. */
const storedEntry = checked(registryEntry, "an entry of the registry");

function rowToEntry(row: Row): RegistryEntry {
  const sockets: FileNumbers[] = JSON.parse(row.sockets as string ?? "[]");
  return storedEntry({
    id: row.id,
    instance: row.instance,
    addresses: parseAddresses(row.addresses as string)
      .map((address, index) => withFile(address, sockets[index] ?? null)),
    roles: JSON.parse(row.roles as string),
    ...(row.pid !== null && { pid: row.pid }),
    ...(row.host !== null && { host: row.host }),
    ...(row.kernel !== null && { kernel: JSON.parse(row.kernel as string) }),
    ...(row.version !== null && { version: row.version }),
    ...(row.started_at !== null && { startedAt: row.started_at }),
    state: row.state,
    revision: row.revision,
  });
}

function rowToChange(row: Record<string, SQLOutputValue>): StoredChange {
  const { server } = row;
  return {
    change: row.change as ChangeKind,
    id: checkServerId(row.id as string),
    revision: row.revision as number,
    roles: JSON.parse(row.roles as string),
    lostRoles: JSON.parse(row.lost_roles as string),
    ...(server !== null && { entry: textToEntry(server as string) }),
  };
}

/** Reads an entry from the log: the values of its row, with the instance as text. */
function textToEntry(text: string): RegistryEntry {
  const values: SQLOutputValue[] = JSON.parse(text);
  const row = Object.fromEntries(COLUMNS.map((column, at) => [column, values[at]])) as Row;
  return rowToEntry({ ...row, instance: Uint8Array.fromHex(row.instance as string) });
}

/** Device and inode. */
type FileNumbers = readonly [number, number] | null;

function fileNumbers(address: Address): FileNumbers {
  if (address.kind !== "unix" || !address.file) return null;
  return [address.file.device, address.file.inode];
}

function withFile(address: Address, numbers: FileNumbers): Address {
  if (address.kind !== "unix" || !numbers) return address;
  const [device, inode] = numbers;
  return { ...address, file: { device, inode } };
}

/**
 * Locks a database until the lock is disposed of or the process ends. The lock is a separate file
 * beside the database, because closing any descriptor of the database file would drop SQLite's own
 * locks
 * (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 *
 * @throws {EnsembleError} if another registry has it, naming its process.
 */
async function lockDatabase(path: string): Promise<Disposable> {
  // A database may have many paths. The lock file is never removed: otherwise two registries could
  // each lock one of this name.
  const lockPath = `${await fileBehind(path)}-lock`;
  const lock = await takeFileLock(lockPath, { note: `${Deno.pid}\n` });
  if (lock) return lock;
  const holder = (await Deno.readTextFile(lockPath)).trim();
  throw new EnsembleError(`another registry has it open${holder && `: pid ${holder}`}`);
}
