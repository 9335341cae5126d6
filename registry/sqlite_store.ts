/**
 * The `sqlite:` store: the registry's entries in one database file.
 *
 * @module
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { dirname } from "node:path";
import { parseServerId, type ServerId } from "../runtime/actor/server_id.ts";
import { EnsembleError } from "../runtime/errors.ts";
import { formatAddress, parseAddresses } from "../runtime/wire/address.ts";
import type { RegistryEntry } from "../runtime/server/registry_entry.ts";
import type { RegistryStore } from "./store.ts";

/** Counts the changes of {@linkcode SCHEMA}; kept in the file's `user_version`. */
const SCHEMA_VERSION = 1;

/**
 * Addresses are kept in the list notation, and so read in the `sqlite3` shell as in the tool's
 * output; roles as a JSON array, which SQLite itself can search.
 */
const SCHEMA = `
  CREATE TABLE server (
    id TEXT PRIMARY KEY,
    instance BLOB NOT NULL,
    addresses TEXT NOT NULL,
    roles TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`;

/** How long a change waits for another process, such as a backup, that has the file locked. */
const LOCK_TIMEOUT_MS = 2_000;

/**
 * Keeps the entries in a SQLite file. A change that was acknowledged is on the disk: it survives
 * `kill -9` and the loss of power.
 */
export class SqliteStore implements RegistryStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #deleteInstance: StatementSync;
  readonly #get: StatementSync;
  readonly #byRole: StatementSync;
  readonly #list: StatementSync;

  /**
   * Opens the database, and creates it and its directory where they do not exist.
   *
   * @throws {EnsembleError} naming the file, when it cannot be opened, is damaged, belongs to
   * another program, or was written by a newer version of this one.
   */
  constructor(path: string) {
    this.#path = path;
    this.#database = this.#attempt("open", () => {
      Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      return openDatabase(path);
    });
    const database = this.#database;
    this.#put = database.prepare("INSERT OR REPLACE INTO server VALUES (?, ?, ?, ?)");
    this.#delete = database.prepare("DELETE FROM server WHERE id = ?");
    this.#deleteInstance = database.prepare("DELETE FROM server WHERE id = ? AND instance = ?");
    this.#get = database.prepare("SELECT * FROM server WHERE id = ?");
    this.#byRole = database.prepare(
      "SELECT * FROM server WHERE EXISTS (SELECT 1 FROM json_each(roles) WHERE value = ?) ORDER BY id",
    );
    this.#list = database.prepare("SELECT * FROM server ORDER BY id");
  }

  /** See {@linkcode RegistryStore.put}. */
  // deno-lint-ignore require-await -- the interface is asynchronous; errors become rejections
  async put(entry: RegistryEntry): Promise<void> {
    const addresses = entry.addresses.map(formatAddress).join(" ");
    const roles = JSON.stringify(entry.roles);
    this.#attempt("write", () => this.#put.run(entry.id, entry.instance, addresses, roles));
  }

  /** See {@linkcode RegistryStore.delete}. */
  // deno-lint-ignore require-await -- as above
  async delete(id: ServerId, instance?: Uint8Array): Promise<boolean> {
    const { changes } = this.#attempt(
      "write",
      () => instance === undefined ? this.#delete.run(id) : this.#deleteInstance.run(id, instance),
    );
    return Number(changes) > 0;
  }

  /** See {@linkcode RegistryStore.get}. */
  async get(id: ServerId): Promise<RegistryEntry | undefined> {
    return (await this.#query(this.#get, id))[0];
  }

  /** See {@linkcode RegistryStore.byRole}. */
  byRole(role: string): Promise<RegistryEntry[]> {
    return this.#query(this.#byRole, role);
  }

  /** See {@linkcode RegistryStore.list}. */
  list(): Promise<RegistryEntry[]> {
    return this.#query(this.#list);
  }

  /** See {@linkcode RegistryStore.close}. */
  // deno-lint-ignore require-await -- as above
  async close(): Promise<void> {
    this.#attempt("close", () => this.#database.close());
  }

  // deno-lint-ignore require-await -- as above
  async #query(statement: StatementSync, ...parameters: string[]): Promise<RegistryEntry[]> {
    return this.#attempt("read", () => statement.all(...parameters).map(rowToEntry));
  }

  /** Does one thing with the database; a failure of it says what and with which file. */
  #attempt<T>(what: "open" | "read" | "write" | "close", action: () => T): T {
    try {
      return action();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new EnsembleError(`cannot ${what} the registry's database ${this.#path}: ${why}`, {
        cause: error,
      });
    }
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: LOCK_TIMEOUT_MS });
  try {
    // In WAL mode only FULL makes each commit wait for the disk; NORMAL would lose the last commits
    // with the power. https://www.sqlite.org/pragma.html#pragma_synchronous
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const damage = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (damage !== "ok") throw new EnsembleError(`it is damaged: ${damage}`);
    createSchema(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function createSchema(database: DatabaseSync): void {
  // Taking the write lock first keeps two processes from both finding an empty file.
  database.exec("BEGIN IMMEDIATE");
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (version > SCHEMA_VERSION) {
    throw new EnsembleError(
      `it was written by a newer version of this program: its schema is number ${version}, ` +
        `this version knows those up to ${SCHEMA_VERSION}`,
    );
  }
  if (version === 0) {
    if (database.prepare("SELECT 1 FROM sqlite_schema").get() !== undefined) {
      throw new EnsembleError("it holds the tables of another program");
    }
    database.exec(`${SCHEMA}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  database.exec("COMMIT");
}

function rowToEntry(row: Record<string, unknown>): RegistryEntry {
  return {
    id: parseServerId(row.id as string),
    instance: row.instance as Uint8Array,
    addresses: parseAddresses(row.addresses as string),
    roles: JSON.parse(row.roles as string),
  };
}
