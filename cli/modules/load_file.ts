/**
 * Loads a source file into a server, for programs.
 *
 * @module
 */
import type { EnsembleServer } from "../../runtime/ensemble/ensemble_server.ts";
import { loaderClient } from "../../runtime/ensemble/remote.ts";
import { RemoteServer } from "../../runtime/ensemble/remote_server.ts";

/**
 * Options of {@linkcode loadFile}.
 *
 * @example See what a load would change
 * ```ts
 * import { loadFile, startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * const modules = await loadFile(client.remote("web1"), "handler.ts", { dryRun: true });
 * console.log(modules.filter(({ loaded }) => loaded).map(({ path }) => path));
 * ```
 */
export interface LoadFileOptions {
  /**
   * Whether to ship only this module, linked to the modules that the server has loaded. Default:
   * false.
   */
  readonly force?: boolean;
  /** Whether to run the module again if the same text has been loaded before. Default: false. */
  readonly rerun?: boolean;
  /** Whether to only report what a load would do. Default: false. */
  readonly dryRun?: boolean;
  /** The prefixes of library modules, which the server resolves itself, such as `npm:`. */
  readonly libraryPrefixes?: readonly string[];
  /**
   * Timeout for each answer, in ms. By default there is none, since the top level of modules may
   * run long.
   */
  readonly timeout?: number | undefined;
}

/**
 * A module that a load was about, and what the load did with it.
 *
 * @example Say what a load did
 * ```ts
 * import { type LoadedFile, loadFile, startServer } from "@gxensemble/ensemble";
 *
 * const describe = ({ path, loaded, restored }: LoadedFile) =>
 *   `${path}: ${loaded ? "loaded" : restored ? "an earlier version is back" : "unchanged"}`;
 *
 * await using client = await startServer();
 * for (const each of await loadFile(client.remote("web1"), "handler.ts")) {
 *   console.log(describe(each));
 * }
 * ```
 */
export interface LoadedFile {
  /** The module id: its path in the project, or a specifier. */
  readonly module: string;
  /** Its path on the host from which it was loaded. */
  readonly path: string;
  /** The SHA-256 that identifies this version, in hex. */
  readonly hash: string;
  /** Whether it was sent and evaluated now, because the server did not have it. */
  readonly loaded: boolean;
  /** Whether an earlier version is current again. */
  readonly restored: boolean;
}

/**
 * Loads a source file into a server, with what it imports, as `gxensemble load` does: TypeScript
 * becomes JavaScript, and only what the server lacks is sent. The compiler is imported when this is
 * first called.
 *
 * @param server the own server, or another by `server.remote(id)`.
 * @param path a path or a `file:` URL.
 * @returns the modules, each after those that it imports.
 * @throws {EnsembleError} naming the file, line and column that cannot be read, shipped or loaded.
 * @throws {ActorError} if the server refuses; the capability is `loader`.
 *
 * @example
 * ```ts
 * import { loadFile, startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * const modules = await loadFile(client.remote("web1"), "handler.ts");
 * const hash = modules.at(-1)?.hash;
 * ```
 */
export async function loadFile(
  server: EnsembleServer | RemoteServer,
  path: string,
  options: LoadFileOptions = {},
): Promise<LoadedFile[]> {
  const { loadModule } = await import("./loading.ts");
  const asker = server instanceof RemoteServer ? server.local : server;
  const { force = false, libraryPrefixes = [], ...rest } = options;
  const { modules } = await loadModule(loaderClient(asker, server.id), path, {
    ...rest,
    force,
    libraryPrefix: [...libraryPrefixes],
    silent: true,
  });
  return modules.map(({ module, path, hash, loaded, restored }) => ({
    module,
    path,
    hash,
    loaded,
    restored,
  }));
}
