/**
 * The `sqlite:` store: the registry's entries in one database file.
 *
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { checkServerId } from "../runtime/actor/references.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { fileBehind, makePrivate, takeFileLock } from "../runtime/home/files.ts";
import type { RegistryEntry } from "../runtime/server/registry_protocol.ts";
import { type Address, formatAddress, parseAddresses } from "../runtime/wire/address.ts";
import type { EntryQuery, RegistryStore } from "./store.ts";

/**
 * The migrations: from an empty file to version 1 of the schema, from there to version 2, and so
 * on. The version of a file is its `user_version`.
 *
 * Addresses are stored in list notation, so they read the same in the `sqlite3` shell as in the
 * tool's output; roles as a JSON array, which SQLite can search; the socket files as a JSON array
 * of `[device, inode]`, in the order of the addresses, with null for an address without one.
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
];

/** How long a change waits for another process that has locked the file, such as a backup. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Stores the entries in a SQLite file. An acknowledged change is on the disk: it survives `kill -9`
 * and power loss.
 */
export class SqliteStore implements RegistryStore {
  readonly #path: string;
  readonly #lock: Disposable;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #get: StatementSync;
  readonly #list: StatementSync;

  private constructor(path: string, lock: Disposable, database: DatabaseSync) {
    this.#path = path;
    this.#lock = lock;
    this.#database = database;
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO server (id, instance, addresses, roles, pid, host, sockets, kernel)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#delete = database.prepare("DELETE FROM server WHERE id = ? AND instance = ?");
    this.#get = database.prepare("SELECT * FROM server WHERE id = ?");
    this.#list = database.prepare(
      `SELECT * FROM server WHERE id > ?1 AND
         (?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(roles) WHERE value = ?2))
       ORDER BY id LIMIT ?3`,
    );
  }

  /**
   * Opens the database, and creates it and its directory if they do not exist. No other registry
   * can open it until this one is closed. Other programs of this user can read it, but not those of
   * other users: a database that they had access to is made private, with its auxiliary files.
   *
   * @throws {EnsembleError} naming the file, if it cannot be opened, another registry has it open,
   * it is damaged, belongs to another program, or was written by a newer version of this one.
   */
  static async open(path: string): Promise<SqliteStore> {
    let lock: Disposable | undefined;
    try {
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      lock = await lockDatabase(path);
      makeFile(path);
      return new SqliteStore(path, lock, openDatabase(path));
    } catch (error) {
      lock?.[Symbol.dispose]();
      throw cannot("open", path, error);
    }
  }

  /** See {@linkcode RegistryStore.put}. */
  // deno-lint-ignore require-await -- the interface is asynchronous; errors become rejections
  async put(entry: RegistryEntry): Promise<void> {
    const { id, instance, addresses, roles, pid = null, host = null, kernel } = entry;
    const places = addresses.map(formatAddress).join(" ");
    const sockets = JSON.stringify(addresses.map(fileNumbers));
    const where = kernel ? JSON.stringify(kernel) : null;
    this.#attempt(
      "write",
      () => this.#put.run(id, instance, places, JSON.stringify(roles), pid, host, sockets, where),
    );
  }

  /** See {@linkcode RegistryStore.delete}. */
  // deno-lint-ignore require-await -- as above
  async delete(id: string, instance: Uint8Array): Promise<boolean> {
    const { changes } = this.#attempt("write", () => this.#delete.run(id, instance));
    return Number(changes) > 0;
  }

  /** See {@linkcode RegistryStore.get}. */
  async get(id: string): Promise<RegistryEntry | undefined> {
    return (await this.#query(this.#get, id))[0];
  }

  /** See {@linkcode RegistryStore.list}. */
  list({ role, after, limit }: EntryQuery): Promise<RegistryEntry[]> {
    return this.#query(this.#list, after ?? "", role ?? null, limit);
  }

  /** See {@linkcode RegistryStore.close}. */
  // deno-lint-ignore require-await -- as above
  async close(): Promise<void> {
    this.#attempt("close", () => this.#database.close());
    this.#lock[Symbol.dispose]();
  }

  // deno-lint-ignore require-await -- as above
  async #query(statement: StatementSync, ...parameters: SQLInputValue[]): Promise<RegistryEntry[]> {
    return this.#attempt("read", () => statement.all(...parameters).map(rowToEntry));
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

function rowToEntry(row: Record<string, unknown>): RegistryEntry {
  const sockets: FileNumbers[] = JSON.parse(row.sockets as string ?? "[]");
  return {
    id: checkServerId(row.id as string),
    instance: row.instance as Uint8Array,
    addresses: parseAddresses(row.addresses as string)
      .map((address, index) => withFile(address, sockets[index] ?? null)),
    roles: JSON.parse(row.roles as string),
    ...(row.pid !== null && { pid: row.pid as number, host: row.host as string }),
    ...(row.kernel !== null && { kernel: JSON.parse(row.kernel as string) }),
  };
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
