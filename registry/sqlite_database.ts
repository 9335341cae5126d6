/**
 * The database of the `sqlite:` store: its schema, and how its file is opened.
 *
 * @module
 */
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { EnsembleError } from "../runtime/errors.ts";
import { fileBehind, makePrivate, takeFileLock } from "../runtime/home/files.ts";

/**
 * The migrations: from an empty file to version 1 of the schema, from there to version 2, and so
 * on. The version of a file is its `user_version`.
 *
 * Addresses are stored in list notation, so they read the same in the `sqlite3` shell as in the
 * tool's output; roles as a JSON array, which SQLite can search; groups as a JSON object of the
 * numbers of members; the socket files as a JSON array
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
  // Servers of older entries register again when their registry is restarted.
  `ALTER TABLE server ADD COLUMN groups TEXT;
   ALTER TABLE change ADD COLUMN lost_groups TEXT NOT NULL DEFAULT '[]'`,
];

/** How long a change waits for another process that has locked the file, such as a backup. */
const LOCK_TIMEOUT_MS = 2_000;

/** An open database, and the lock that keeps other registries out. */
export interface OpenDatabase {
  /** The database, with the latest schema. */
  readonly database: DatabaseSync;
  /** To be disposed of after the database was closed. */
  readonly lock: Disposable;
}

/**
 * Opens a database, and creates it and its directory if they do not exist.
 *
 * @throws {Error} if it cannot be opened, another registry has it open, it is damaged, belongs to
 * another program, or was written by a newer version of this one.
 */
export async function openDatabase(path: string): Promise<OpenDatabase> {
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const lock = await lockDatabase(path);
  try {
    makeFile(path);
    return { database: openLocked(path), lock };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

function openLocked(path: string): DatabaseSync {
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
