/**
 * The state of a development ensemble: its own directories for files and sockets, so that it never touches
 * the ensemble of the host.
 *
 * @module
 */
import { join } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { createCookie } from "../../runtime/home/cookie.ts";
import { isThere, makePrivate, takeFileLock, writeWhole } from "../../runtime/home/files.ts";
import { findPlaces } from "../../runtime/home/paths.ts";

/** The name of the directory in a project. */
export const STATE_DIRECTORY = ".gxensemble";

/** Socket directories of development ensembles: short, since the path of a UNIX socket is limited. */
const SOCKETS = "/tmp/gxdev-";

/** What the lock file says of the process that holds the directory, or held it last. */
interface Holder {
  readonly pid?: number;
  readonly sockets?: string;
}

/** The directories of a development ensemble, held until disposed. */
export class DevelopmentState implements Disposable {
  /** `GERBIL_PATH` of its servers, an absolute path. */
  readonly directory: string;
  /** Its socket directory. */
  readonly sockets: string;
  readonly #lock: Disposable;

  private constructor(directory: string, { sockets, lock }: { sockets: string; lock: Disposable }) {
    this.directory = directory;
    this.sockets = sockets;
    this.#lock = lock;
  }

  /**
   * Creates the directories with a cookie, and makes them those of this process and its children.
   *
   * @throws {EnsembleError} if the directory cannot be written, belongs to another kind of ensemble, or
   * another process develops in it.
   */
  static async open(directory: string): Promise<DevelopmentState> {
    const lockPath = join(directory, "dev.lock");
    if (await isThere(join(directory, "ensemble")) && !await isThere(lockPath)) {
      throw new EnsembleError(
        `${directory} has the state of an ensemble that gxensemble dev has not made: ` +
          "name another directory with -G",
      );
    }
    try {
      await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
      makePrivate(directory);
    } catch (error) {
      throw new EnsembleError(
        `cannot make the directory for the state, ${directory}: ${(error as Error).message}; ` +
          "name another one with -G",
        { cause: error },
      );
    }
    const before = await readHolder(lockPath);
    const sockets = await Deno.makeTempDir({ dir: "/tmp", prefix: SOCKETS.slice("/tmp/".length) });
    const lock = await takeFileLock(lockPath, {
      note: `${JSON.stringify({ pid: Deno.pid, sockets } satisfies Holder)}\n`,
    });
    if (!lock) {
      await Deno.remove(sockets);
      const { pid } = before;
      throw new EnsembleError(
        `gxensemble dev already runs with the state in ${directory}${
          pid === undefined ? "" : ` (process ${pid})`
        }: stop it first, or name another directory with -G`,
      );
    }
    const state = new DevelopmentState(directory, { sockets, lock });
    try {
      // A killed process has left it.
      if (before.sockets?.startsWith(SOCKETS)) await removeAll(before.sockets);
      await state.#fill();
    } catch (error) {
      state[Symbol.dispose]();
      throw error;
    }
    return state;
  }

  async #fill(): Promise<void> {
    Deno.env.set("GERBIL_PATH", this.directory);
    Deno.env.set("ENSEMBLE_SOCKET_DIR", this.sockets);
    Deno.env.delete("ENSEMBLE_REGISTRY");
    // Keeps it out of the project's repository.
    await writeWhole(join(this.directory, ".gitignore"), "*\n", { mode: 0o644, replace: true });
    const places = findPlaces();
    if (!await isThere(places.cookie)) await createCookie(places);
    // With this, other commands need only -G to find the registry, and through it all servers.
    const known = `# written by gxensemble dev\nregistry unix:${places.socket("registry")}\n`;
    await writeWhole(places.knownServers, known, { mode: 0o644, replace: true });
  }

  /** Removes the sockets, and lets another process have the directory. */
  [Symbol.dispose](): void {
    try {
      Deno.removeSync(this.sockets, { recursive: true });
    } catch {
      // It is gone.
    }
    this.#lock[Symbol.dispose]();
  }
}

async function readHolder(path: string): Promise<Holder> {
  try {
    const { pid, sockets } = JSON.parse(await Deno.readTextFile(path));
    return {
      ...typeof pid === "number" && { pid },
      ...typeof sockets === "string" && { sockets },
    };
  } catch {
    return {};
  }
}

async function removeAll(directory: string): Promise<void> {
  await Deno.remove(directory, { recursive: true }).catch(() => {});
}
