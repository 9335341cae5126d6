/**
 * The `sqlite:` store: the registry's entries in one database file.
 *
 * @module
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { EnsembleError } from "../runtime/errors.ts";
import {
  changeToRow,
  COLUMNS,
  entryToRow,
  type Row,
  rowToChange,
  rowToEntry,
} from "./entry_rows.ts";
import { type Journal, LocalStore, type LocalStoreOptions } from "./local_store.ts";
import { type OpenDatabase, openDatabase } from "./sqlite_database.ts";
import { KEPT_CHANGES, type Snapshot, type StoredChange } from "./store.ts";

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

  private constructor(path: string, { database, lock }: OpenDatabase) {
    this.#path = path;
    this.#lock = lock;
    this.#database = database;
    const values = COLUMNS.map(() => "?").join(", ");
    this.#put = database.prepare(
      `INSERT OR REPLACE INTO server (${COLUMNS.join(", ")}) VALUES (${values})`,
    );
    this.#delete = database.prepare("DELETE FROM server WHERE id = ?");
    this.#log = database.prepare("INSERT INTO change VALUES (?, ?, ?, ?, ?, ?, ?)");
    this.#trim = database.prepare("DELETE FROM change WHERE revision <= ?");
    this.#advance = database.prepare("UPDATE registry SET revision = ?, since = max(since, ?)");
    this.epoch = database.prepare("SELECT epoch FROM registry").get()!.epoch as string;
  }

  static async open(path: string): Promise<SqliteJournal> {
    let opened: OpenDatabase | undefined;
    try {
      opened = await openDatabase(path);
      return new SqliteJournal(path, opened);
    } catch (error) {
      opened?.database.close();
      opened?.lock[Symbol.dispose]();
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
        const { revision } = changes.at(-1)!;
        // Every change has the next revision, but for those that could not be written.
        const since = Math.max(0, revision - KEPT_CHANGES);
        this.#trim.run(since);
        this.#advance.run(revision, since);
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

  #writeOne(change: StoredChange): void {
    const { id, entry } = change;
    if (entry) this.#put.run(...entryToRow(entry));
    else this.#delete.run(id);
    this.#log.run(...changeToRow(change));
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
