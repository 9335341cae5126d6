/**
 * The loads that a server keeps: it loads them again at each start, after its program's `main`.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Unit } from "../code/unit.ts";
import type { LoadRequest, UnitStore } from "../code/unit_store.ts";
import { EnsembleError } from "../errors.ts";
import { isThere, readRegularFile, writeWhole } from "../home/files.ts";
import { within } from "../timeout.ts";

const logger = getLogger(["gxensemble", "loader"]);

/** The list of kept loads, in the directory of the server. */
const LIST = "kept.json";

/** The directory of their units, beside it. */
const UNITS = "kept";

/** The file that has the id of the load that is being loaded at the start, beside them. */
const UNDER_WAY = "kept.loading";

/**
 * The number of versions of one entry that are kept: the one before the current one is there to go
 * back to.
 */
const VERSIONS = 2;

/** How long the start of a server waits for kept code, in ms. */
const PATIENCE = 30_000;

/** A load to keep. */
export type KeptRequest = Omit<LoadRequest, "id"> & { readonly id: string };

/** A kept load, as it is in the list. */
interface KeptLoad {
  readonly request: KeptRequest;
  /** The module id of the entry. */
  readonly module: string;
  /** When it was kept, in ms since 1970. */
  readonly time: number;
  /** The hashes that the server's own program had of the modules then. */
  readonly program: Readonly<Record<string, string>>;
}

/** The kept loads of one server, with their units, in its directory. */
export class KeptLoads {
  readonly #directory: string;
  readonly #store: UnitStore;
  #kept: KeptLoad[] = [];
  /** Settles when the last change has been written. */
  #written: Promise<unknown> = Promise.resolve();

  /** Keeps loads of a store in the directory of its server. */
  constructor(directory: string, store: UnitStore) {
    this.#directory = directory;
    this.#store = store;
  }

  /** Whether the server with this directory keeps loads. */
  static exist(directory: string): Promise<boolean> {
    return isThere(`${directory}/${LIST}`);
  }

  /** The ids of the kept loads. */
  get ids(): ReadonlySet<string> {
    return new Set(this.#kept.map(({ request }) => request.id));
  }

  /**
   * Keeps a load, with its units.
   *
   * @throws {EnsembleError} if it cannot be written; then the list stays as it was.
   * @throws {ProtocolError} if units of it are missing, or are compiled into the program.
   */
  add(request: KeptRequest): Promise<void> {
    return this.#change(async (kept) => {
      const units = this.#store.tree(request.entry);
      const { module } = units.find(({ hash }) => hash === request.entry)!;
      await this.#writeUnits(units);
      const program = this.#store.program(request.modules.map(({ module }) => module));
      const load = { request, module, time: Date.now(), program: Object.fromEntries(program) };
      const others = kept.filter((each) => each.request.id !== request.id);
      const versions = others.filter((each) => each.module === module);
      const dropped = new Set(versions.slice(0, Math.max(0, versions.length + 1 - VERSIONS)));
      return [...others.filter((each) => !dropped.has(each)), load];
    });
  }

  /**
   * No longer keeps a load.
   *
   * @throws {EnsembleError} if that cannot be written.
   */
  remove(id: string): Promise<void> {
    return this.#change((kept) => Promise.resolve(kept.filter(({ request }) => request.id !== id)));
  }

  /**
   * Loads what is kept, in the order in which it was loaded. What cannot be loaded is logged, and
   * stays in the list for the next start. Where the server's program has another version now than
   * when a load was kept, the program's is the newer one: the load is dropped.
   *
   * A load during which the process ended at its last start is left out once, so that code that ends
   * the process cannot keep the server from starting.
   */
  async load(): Promise<void> {
    try {
      this.#kept = await this.#read();
    } catch (error) {
      logger.error("cannot read the list of kept code: {reason}", {
        reason: (error as Error).message,
      });
      return;
    }
    const fatal = await this.#takeUnderWay();
    for (const kept of [...this.#kept]) {
      const { module, request } = kept;
      if (request.id === fatal) {
        logger.error(
          "left out {module} {hash}, which was kept: the process ended while it loaded",
          {
            module,
            hash: request.entry,
          },
        );
        continue;
      }
      await this.#noteUnderWay(request.id);
      const loading = this.#loadAgain(kept).catch((error) => {
        const { entry: hash } = request;
        const reason = error.message;
        logger.error("cannot load {module} {hash}, which was kept: {reason}", {
          module,
          hash,
          reason,
        });
      });
      const isLoaded = await within(PATIENCE, loading);
      await this.#takeUnderWay();
      if (isLoaded) continue;
      logger.warn("{module} was kept, and its top level has not finished yet", { module });
    }
  }

  async #loadAgain(kept: KeptLoad): Promise<void> {
    const { request, module, time } = kept;
    const newer = this.#newerInProgram(kept);
    if (newer !== undefined) {
      logger.warn(
        "{module} {hash} is no longer kept: the program has another {newer} than when it was kept",
        { module, hash: request.entry, newer },
      );
      return await this.remove(request.id);
    }
    await this.#store.add(await this.#readUnits(request.entry));
    await this.#store.load({ ...request, rerunRestored: true });
    logger.info("loaded again {module} {hash}, kept by {by} at {time}", {
      module,
      hash: request.entry,
      by: request.by,
      time: new Date(time).toISOString(),
    });
  }

  async #noteUnderWay(id: string): Promise<void> {
    await Deno.writeTextFile(`${this.#directory}/${UNDER_WAY}`, id, { mode: 0o600 })
      .catch(() => {}); // Then it is tried again at each start.
  }

  /** Removes the note of what is being loaded, and returns it. */
  async #takeUnderWay(): Promise<string | undefined> {
    const path = `${this.#directory}/${UNDER_WAY}`;
    try {
      const id = await Deno.readTextFile(path);
      await Deno.remove(path);
      return id;
    } catch {
      return undefined;
    }
  }

  /** The id of a module of which the program has another version than when the load was kept. */
  #newerInProgram({ request, program }: KeptLoad): string | undefined {
    const now = this.#store.program(request.modules.map(({ module }) => module));
    return request.modules.find(({ module, hash }) => {
      const version = now.get(module);
      return version !== undefined && version !== hash && version !== program[module];
    })?.module;
  }

  #change(change: (kept: readonly KeptLoad[]) => Promise<KeptLoad[]>): Promise<void> {
    const changed = this.#written.then(async () => {
      const kept = await change(this.#kept);
      if (kept.length === 0 && this.#kept.length === 0) return;
      const text = `${JSON.stringify(kept, undefined, 2)}\n`;
      await writeWhole(`${this.#directory}/${LIST}`, text, { mode: 0o600, replace: true });
      this.#kept = kept;
      await this.#removeUnused();
    });
    this.#written = changed.catch(() => {});
    return changed;
  }

  async #read(): Promise<KeptLoad[]> {
    const path = `${this.#directory}/${LIST}`;
    if (!await isThere(path)) return [];
    const kept = JSON.parse(new TextDecoder().decode(await readRegularFile(path)));
    if (Array.isArray(kept)) return kept;
    throw new EnsembleError(`${path} is not a list`);
  }

  #path(entry: string): string {
    return `${this.#directory}/${UNITS}/${entry}.json`;
  }

  async #writeUnits(units: readonly Unit[]): Promise<void> {
    const entry = units[0]!.hash;
    const path = this.#path(entry);
    if (await isThere(path)) return;
    await Deno.mkdir(`${this.#directory}/${UNITS}`, { recursive: true, mode: 0o700 });
    await writeWhole(path, JSON.stringify(units), { mode: 0o600, replace: true });
  }

  async #readUnits(entry: string): Promise<Unit[]> {
    const path = this.#path(entry);
    try {
      return JSON.parse(await Deno.readTextFile(path));
    } catch (error) {
      throw new EnsembleError(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Removes the files of units that no kept load needs. */
  async #removeUnused(): Promise<void> {
    const used = new Set(this.#kept.map(({ request }) => `${request.entry}.json`));
    try {
      for await (const { name } of Deno.readDir(`${this.#directory}/${UNITS}`)) {
        if (!used.has(name)) await Deno.remove(`${this.#directory}/${UNITS}/${name}`);
      }
      if (this.#kept.length > 0) return;
      await Deno.remove(`${this.#directory}/${UNITS}`);
      await Deno.remove(`${this.#directory}/${LIST}`);
    } catch {
      // What is left costs only its room, until the next change.
    }
  }
}
