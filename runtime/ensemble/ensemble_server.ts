/**
 * A server of the ensemble: an actor server that takes code, at the places where this ensemble keeps
 * its things.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { parseServerId, REGISTRY_ID, type ServerId } from "../actor/references.ts";
import { type ModuleNamespace, RUNTIME_MODULE } from "../code/library_table.ts";
import { UnitStore } from "../code/unit_store.ts";
import { EnsembleError } from "../errors.ts";
import { codeDirectory, holdServerDirectory, removeLeftClients } from "../home/server_directory.ts";
import { startLogging, stopLogging } from "../home/logging.ts";
import { socketPath } from "../home/paths.ts";
import { type Membership, readMembership, warnOfExpiry } from "./membership.ts";
import { ActorServer, type ServerKeys } from "../server/actor_server.ts";
import { CLIENT_ID, sharedId } from "../server/credentials.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../wire/address.ts";
import { LoaderGuard, serveLoader } from "./loader.ts";
import {
  actorsShare,
  DEFAULT_GRACE,
  requireGrace,
  type StartServerOptions,
} from "./start_options.ts";

const logger = getLogger(["gxensemble", "server"]);

let current: EnsembleServer | undefined;

/** The name of what started the current server for a program, until that program starts a server itself. */
let lender: string | undefined;

/** The id of the server that is being started. */
let starting: ServerId | undefined;

/** Where another copy of the runtime finds the URL of the copy that runs this process's server. */
const OWNER = Symbol.for("gxensemble.runtime");

const owned = globalThis as { [OWNER]?: string };

/** What a server of the ensemble is made of. */
type EnsembleServerOptions = Omit<StartServerOptions, "registry"> & Omit<Membership, "cookie"> & {
  readonly id: ServerId;
};

/** This process's server in the ensemble. */
export class EnsembleServer extends ActorServer {
  /** The permissions of Deno that its process was told to do without: `run`, `write=/etc`. */
  readonly denied: readonly string[];
  readonly #options: EnsembleServerOptions;
  readonly #loader: LoaderGuard;
  #units: UnitStore | undefined;
  #grace: number;

  /** Made by {@linkcode startServer}. */
  constructor(options: EnsembleServerOptions, keys: ServerKeys) {
    const { id, listen = [], roles = [], tls } = options;
    const grace = requireGrace(options.grace ?? DEFAULT_GRACE);
    super({
      ...options,
      listen: [localUnixAddress(socketPath(id)), ...listen],
      roles,
      grace: actorsShare(grace),
      register: id !== REGISTRY_ID,
    }, keys);
    this.#options = options;
    this.#grace = grace;
    this.denied = options.denied ?? [];
    this.#loader = new LoaderGuard(this);
    if (tls) this.hold(warnOfExpiry(() => tls.current()));
  }

  /** Takes the server's directory, opens its store of code and starts its loader. */
  protected override async prepare(): Promise<void> {
    const { id, loader, library = {} } = this.#options;
    if (sharedId(id) === CLIENT_ID) await removeLeftClients();
    this.hold(await holdServerDirectory(id));
    const units = await UnitStore.open(codeDirectory(id));
    this.hold({ [Symbol.asyncDispose]: () => units.close() });
    this.#units = units;
    units.registerLibrary(RUNTIME_MODULE, () => importRuntime());
    this.#addToLibrary(library);
    if (loader === false) this.#loader.turnOff();
    serveLoader(this, { store: units, guard: this.#loader });
    await super.prepare();
  }

  /**
   * The units that it has, loaded or not.
   *
   * @internal
   */
  get units(): UnitStore {
    if (this.#units) return this.#units;
    throw new EnsembleError(`${this.id} has not started`);
  }

  /** The exports of the module that runs under an id, if one does. */
  module(id: string): ModuleNamespace | undefined {
    return this.units.namespace(id);
  }

  /** Whether code of others is being loaded or evaluated. */
  get isLoading(): boolean {
    return this.#loader.isBusy;
  }

  /** How long the server may take to stop, in ms. */
  get grace(): number {
    return this.#grace;
  }

  /**
   * Adds to a server that runs what these options say: roles, addresses, library modules, the longer grace, no loader;
   * and prepares it. Where the registry is, how the log is kept and the heartbeat stay.
   *
   * @throws {EnsembleError} when it cannot listen at an address.
   */
  override async extend(options: StartServerOptions): Promise<void> {
    const { roles = [], listen = [], announce, library = {}, loader = true } = options;
    this.#grace = Math.max(this.#grace, requireGrace(options.grace ?? 0));
    this.#addToLibrary(library);
    if (!loader) this.#loader.turnOff();
    await options.prepare?.(this);
    await super.extend({ roles, listen, announce, grace: actorsShare(this.#grace) });
  }

  #addToLibrary(modules: Readonly<Record<string, ModuleNamespace>>): void {
    for (const [specifier, namespace] of Object.entries(modules)) {
      this.units.registerLibrary(specifier, namespace);
    }
  }

  /**
   * Reads the server's certificates and revocation list again, as SIGHUP does. They hold for new connections;
   * those that stand go on.
   *
   * @throws {EnsembleError} when they are not good; then those read before stay in use.
   */
  async rereadCertificates(): Promise<void> {
    await this.#options.tls?.reread();
  }

  /** Stops in good order, in `grace` ms; by default in those that it was started with. */
  override async stop({ grace = this.#grace }: { grace?: number } = {}): Promise<void> {
    await super.stop({ grace: actorsShare(requireGrace(grace)) });
  }
}

/**
 * Starts this process's server: it listens on its UNIX socket, and is in the registry when this resolves.
 *
 * @throws {EnsembleError} when there is no cookie, a server of this id runs already, or the registry
 * cannot be reached; the message says what to do.
 *
 * @example A server with one actor
 * ```ts
 * import { parseServerId, startServer } from "@gxensemble/ensemble";
 *
 * const server = await startServer(parseServerId("counter1"), { roles: ["counter"] });
 * let total = 0;
 * server.serve("counter", { add: ({ amount }: { amount: number }) => total += amount });
 * await server.stopped;
 * ```
 */
export async function startServer(
  id: ServerId,
  options: StartServerOptions = {},
): Promise<EnsembleServer> {
  parseServerId(id); // A program in JavaScript may give anything.
  const running = current?.signal.aborted ? undefined : current;
  if (running && isLent()) return await borrow(running, { id, options });
  const other = starting ?? running?.id;
  if (other !== undefined) {
    throw new EnsembleError(
      `cannot start server ${id}: this process is server ${other} already, and a process is one server: ` +
        "use currentServer() where it is needed, or stop it first",
    );
  }
  if (Deno.build.os === "windows") {
    throw new EnsembleError("Windows is not supported: use Linux or macOS, or WSL 2 on Windows");
  }
  if (options.log === false) stopLogging();
  else startLogging(options.log, id);
  starting = id;
  try {
    current = await start(id, options);
    owned[OWNER] = import.meta.url;
    return current;
  } finally {
    starting = undefined;
  }
}

/**
 * Lends this process's server to the program that is run in it: when the program starts a server itself, by the same
 * id, it gets this one, as it would start one under `deno run`.
 *
 * @param by what started the server, as messages name it.
 */
export function lendServer(by: string): void {
  lender = by;
}

/**
 * Whether a program that starts a server gets the one that is there. Code that others load does not: it is not the
 * program, and must not end this server.
 */
export function isLent(): boolean {
  return lender !== undefined && current?.signal.aborted === false && !current.isLoading;
}

/** Gives a program that starts a server the one that was started for it. */
async function borrow(
  server: EnsembleServer,
  { id, options }: { id: ServerId; options: StartServerOptions },
): Promise<EnsembleServer> {
  if (id !== server.id) {
    throw new EnsembleError(
      `cannot start server ${id}: ${lender} has started this process as server ${server.id}; give it the id ` +
        `that the program starts, ${id}, or run the program by itself with deno run`,
    );
  }
  lender = undefined;
  await server.extend(options);
  return server;
}

async function start(id: ServerId, options: StartServerOptions): Promise<EnsembleServer> {
  const { denied = [], listen = [] } = options;
  if (denied.length > 0) {
    logger.info("{id} does without {permissions}", { id, permissions: denied.join(", ") });
  }
  // A server asks the registry. Only commands try the sockets of this host without it.
  const { nearby: _, ...membership } = await readMembership(id, options.registry);
  if (membership.tls) warnOfPlainAddresses(listen);
  return await EnsembleServer.start({ ...options, ...membership, id });
}

let importRuntime = (): Promise<ModuleNamespace> => {
  throw new Error("the module that started this server did not provide the runtime");
};

/**
 * Says what shipped code gets that imports the runtime: the public API, which is above this module. What starts servers
 * calls it first.
 *
 * @param load imports the API when it is first needed.
 */
export function provideRuntime(load: () => Promise<ModuleNamespace>): void {
  importRuntime = load;
}

/**
 * This process's server, for code that is not handed it.
 *
 * @throws {EnsembleError} when there is none.
 */
export function currentServer(): EnsembleServer {
  if (current) return current;
  throw new EnsembleError(
    owned[OWNER] === undefined
      ? "this process is no server of an ensemble"
      : `${import.meta.url} is another copy of the runtime than that of the server here, ` +
        `${owned[OWNER]}: import "${RUNTIME_MODULE}" in code for servers`,
  );
}

function warnOfPlainAddresses(listen: readonly Address[]): void {
  for (const address of listen) {
    if (address.kind !== "tcp" || isLoopback(address.host)) continue;
    logger.warn(
      "{address} is neither encrypted nor certified, though this server has a certificate",
      {
        address: formatAddressUrl(address),
      },
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d+){3}$/.test(host);
}
