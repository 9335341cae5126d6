/**
 * A server of the ensemble: an actor server that takes code, at the places where this ensemble keeps
 * its things.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor, ActorBody } from "../actor/actor.ts";
import type { ActorSystem } from "../actor/actor_system.ts";
import type { AskOptions, Destination, TellOptions } from "../actor/messaging.ts";
import { parseServerId, REGISTRY_ID, type ServerId } from "../actor/references.ts";
import type { Handlers, ServeOptions } from "../actor/service.ts";
import { type ModuleNamespace, RUNTIME_MODULE } from "../code/library_table.ts";
import { guardLoader, loaderHandlers, LoaderSwitch } from "./loader.ts";
import { LOADER_ACTOR, loaderChecks } from "./loader_protocol.ts";
import type { Unit } from "../code/unit.ts";
import {
  type CompiledModule,
  type LoadProgramOptions,
  type LoadRequest,
  type LoadResult,
  UnitStore,
} from "../code/unit_store.ts";
import { EnsembleError } from "../errors.ts";
import { ActorServer } from "../server/actor_server.ts";
import type { Capabilities, Session } from "../server/capabilities.ts";
import type { Heartbeat } from "../server/connection.ts";
import type { ConnectionInfo } from "../server/control.ts";
import type { Presence } from "../server/identity.ts";
import type { RegistryEntry } from "../server/registry_protocol.ts";
import { CLIENT_ID, sharedId } from "../server/credentials.ts";
import { type Address, formatAddressUrl, localUnixAddress } from "../wire/address.ts";
import { readAdminPublicKey } from "../pki/admin_key.ts";
import { readCookie } from "../home/cookie.ts";
import { actorsShare, DEFAULT_GRACE, requireGrace } from "./start_options.ts";
import type { LogOptions } from "../home/log_options.ts";
import { startLogging, stopLogging } from "../home/logging.ts";
import { readOwnTls, warnOfExpiry } from "../pki/own_tls.ts";
import { socketPath } from "../home/paths.ts";
import { codeDirectory, holdServerDirectory, removeLeftClients } from "../home/locks.ts";
import { locateServers } from "../home/known_servers.ts";
import type { TlsFiles } from "../pki/tls_files.ts";

/** Options of {@linkcode startServer}. */
export interface StartServerOptions {
  /** What the server does in the ensemble: others look servers up by role. */
  readonly roles?: readonly string[];
  /** Where to listen besides the server's UNIX socket. */
  readonly listen?: readonly Address[];
  /** Where others are told to reach it; by default where it listens. */
  readonly announce?: readonly Address[] | undefined;
  /**
   * How long the server may take to stop, in ms; default 5000. Its actors may shut down in all of it but the
   * last 2 s, which are left to the program; of a grace below 4 s each has half.
   */
  readonly grace?: number;
  /**
   * Where the registry is: only these addresses are used. Without any, as in an empty list, it is where the environment
   * variable `ENSEMBLE_REGISTRY` says, else where the file `known-servers` in `$GERBIL_PATH/ensemble` says, else at its
   * UNIX socket on this host. The addresses of other servers in that file are used unless this option or the variable
   * names the registry.
   */
  readonly registry?: readonly Address[];
  /**
   * How the process logs, the audit log included: to standard error, from level `info` on, where nothing else is
   * said; `false` for not at all. A program that configures LogTape itself, before or later, is left alone.
   */
  readonly log?: LogOptions | false | undefined;
  /** How its connections show that their ends live; by default every 15 s, and dead after 60 s of silence. */
  readonly heartbeat?: Heartbeat | undefined;
  /**
   * Modules of this program that shipped code may import by these specifiers, and then shares with it;
   * besides `@gxensemble/ensemble`, this runtime, which is always offered.
   */
  readonly library?: Readonly<Record<string, ModuleNamespace>>;
  /**
   * Whether the server takes code from others: `load`, `eval` and REPLs. Without a loader all that is refused,
   * whoever asks. By default it has one.
   */
  readonly loader?: boolean;
  /**
   * Aborted to give up the start: what was begun is undone, sockets included. It means nothing once the server has
   * started.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The permissions of Deno that the process does without, for {@linkcode EnsembleServer.denied}. The server does not
   * take them away itself.
   */
  readonly denied?: readonly string[];
  /** Starts actors that must be there before anything reaches the server. */
  readonly prepare?: (server: EnsembleServer) => void | Promise<void>;
}

const logger = getLogger(["gxensemble", "server"]);

let current: EnsembleServer | undefined;

/** What started the current server for a program to be run in it, until the program starts one itself. */
let lender: string | undefined;

/** The id of the server that is being started. */
let starting: ServerId | undefined;

/** Where any other copy of the runtime finds which one runs the process's server: its URL. */
const OWNER = Symbol.for("gxensemble.runtime");

const owned = globalThis as { [OWNER]?: string };

/** This process's server in the ensemble. */
export class EnsembleServer {
  readonly #server: ActorServer;
  readonly #units: UnitStore;
  readonly #tls: TlsFiles | undefined;
  readonly #loader: LoaderSwitch;
  readonly #denied: readonly string[];
  #grace: number;

  readonly #stopped: Promise<void>;

  /** Made by {@linkcode startServer}. */
  constructor(
    server: ActorServer,
    parts: {
      units: UnitStore;
      tls: TlsFiles | undefined;
      stopped: Promise<void>;
      loader: LoaderSwitch;
      grace: number;
      denied: readonly string[];
    },
  ) {
    this.#server = server;
    this.#loader = parts.loader;
    this.#grace = parts.grace;
    this.#denied = parts.denied;
    this.#units = parts.units;
    this.#tls = parts.tls;
    this.#stopped = parts.stopped;
  }

  /** The server's id. */
  get id(): ServerId {
    return this.#server.id;
  }

  /** Its actors. */
  get actors(): ActorSystem {
    return this.#server.actors;
  }

  /** What others may do in it. */
  get capabilities(): Capabilities {
    return this.#server.capabilities;
  }

  /** The session of the connection with a server, while there is one. */
  session(server: ServerId): Session | undefined {
    return this.#server.session(server);
  }

  /** What the registry knows of it. */
  get entry(): RegistryEntry {
    return this.#server.entry;
  }

  /** Where others are told to reach it. */
  get addresses(): readonly Address[] {
    return this.#server.entry.addresses;
  }

  /** Aborted when the server begins to stop: hand it to what runs besides actors. */
  get signal(): AbortSignal {
    return this.#server.signal;
  }

  /** Resolves when the server has stopped. */
  get stopped(): Promise<void> {
    return this.#stopped;
  }

  /** Starts an actor; see {@linkcode ActorSystem.spawn}. */
  spawn(name: string | undefined, body: ActorBody): Actor {
    return this.actors.spawn(name, body);
  }

  /** Starts a service; see {@linkcode ActorSystem.serve}. */
  serve<H extends Handlers>(name: string, handlers: H, options?: ServeOptions): Actor {
    return this.actors.serve(name, handlers, options);
  }

  /** Sends a message; see `Messaging.tell`. */
  tell(dest: Destination, message: unknown, options?: TellOptions): number | undefined {
    return this.actors.tell(dest, message, options);
  }

  /** Sends a message and waits for the answer; see `Messaging.ask`. */
  ask<Reply = unknown>(dest: Destination, message: unknown, options?: AskOptions): Promise<Reply> {
    return this.actors.ask<Reply>(dest, message, options);
  }

  /** Its connections, by peer id. */
  connections(): ConnectionInfo[] {
    return this.#server.connections();
  }

  /** Connects with another server; see {@linkcode ActorServer.connect}. */
  connect(server: ServerId, addresses?: Address[]): Promise<void> {
    return this.#server.connect(server, addresses);
  }

  /** Whether the instance of a registry entry lives; see {@linkcode ActorServer.presence}. */
  presence(entry: RegistryEntry): Promise<Presence> {
    return this.#server.presence(entry);
  }

  /** Whether senders to a server should wait for {@linkcode EnsembleServer.drained}. */
  congested(server: ServerId): boolean {
    return this.#server.congested(server);
  }

  /** Resolves when what waits to be sent to a server has been written, or dropped. */
  drained(server: ServerId): Promise<void> {
    return this.#server.drained(server);
  }

  /** The exports of the module that runs under an id, if one does. */
  module(id: string): ModuleNamespace | undefined {
    return this.#units.namespace(id);
  }

  /** Takes the units of a program; see {@linkcode UnitStore.add}. */
  ship(units: Unit[]): Promise<void> {
    return this.#units.add(units);
  }

  /** Whether code of others is being loaded or evaluated. */
  get isLoading(): boolean {
    return this.#loader.isBusy;
  }

  /** The permissions of Deno that its process was told to do without: `run`, `write=/etc`. */
  get denied(): readonly string[] {
    return this.#denied;
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
  async extend(options: StartServerOptions): Promise<void> {
    const { roles = [], listen = [], announce, library = {}, loader = true } = options;
    this.#grace = Math.max(this.#grace, requireGrace(options.grace ?? 0));
    for (const [specifier, namespace] of Object.entries(library)) {
      this.#units.registerLibrary(specifier, namespace);
    }
    if (!loader) this.#loader.turnOff();
    await options.prepare?.(this);
    await this.#server.extend({ roles, listen, announce, grace: actorsShare(this.#grace) });
  }

  /** Takes the modules that this program was compiled with; see {@linkcode UnitStore.adopt}. */
  adopt(modules: readonly CompiledModule[], by: string): void {
    this.#units.adopt(modules, by);
  }

  /** Loads a program of units that it has; see {@linkcode UnitStore.load}. */
  load(request: LoadRequest, options?: LoadProgramOptions): Promise<LoadResult> {
    return this.#units.load(request, options);
  }

  /**
   * Reads the server's certificates and revocation list again, as SIGHUP does. They hold for new connections;
   * those that stand go on.
   *
   * @throws {EnsembleError} when they are not good; then those read before stay in use.
   */
  async rereadCertificates(): Promise<void> {
    await this.#tls?.reread();
  }

  /** Stops in good order, in `grace` ms; by default in those that it was started with. */
  async stop({ grace }: { grace?: number } = {}): Promise<void> {
    await this.#server.stop(
      grace === undefined ? {} : { grace: actorsShare(requireGrace(grace)) },
    );
    await this.#stopped;
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
 * Whether the next server that is started is one that is there already. Code that others load is not the program: what of
 * it starts a server was not meant to be loaded, and must not end this one.
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
  const grace = requireGrace(options.grace ?? DEFAULT_GRACE);
  const { denied = [] } = options;
  if (denied.length > 0) {
    logger.info("{id} does without {permissions}", { id, permissions: denied.join(", ") });
  }
  const [cookie, adminKey, tls, { registry, registryAdvice, known }] = await Promise.all([
    readCookie(),
    readAdminPublicKey(),
    readOwnTls(id),
    locateServers(options.registry),
  ]);
  if (tls) warnOfPlainAddresses(options.listen ?? []);
  let started: EnsembleServer | undefined;
  const kept = new AsyncDisposableStack();
  if (tls) kept.use(warnOfExpiry(() => tls.current()));
  const starting = ActorServer.start({
    id,
    cookie,
    adminKey,
    tls,
    listen: [localUnixAddress(socketPath(id)), ...options.listen ?? []],
    announce: options.announce,
    registry,
    registryAdvice,
    known,
    roles: options.roles ?? [],
    grace: actorsShare(grace),
    register: id !== REGISTRY_ID,
    signal: options.signal,
    heartbeat: options.heartbeat,
    async prepare(server) {
      if (sharedId(id) === CLIENT_ID) await removeLeftClients();
      kept.use(await holdServerDirectory(id));
      const units = await UnitStore.open(codeDirectory(id));
      kept.defer(() => units.close());
      const stopped = server.stopped.then(() => kept.disposeAsync());
      const loader = new LoaderSwitch(id);
      if (options.loader === false) loader.turnOff();
      started = new EnsembleServer(server, { units, tls, stopped, loader, grace, denied });
      units.registerLibrary(RUNTIME_MODULE, () => importRuntime());
      for (const [specifier, namespace] of Object.entries(options.library ?? {})) {
        units.registerLibrary(specifier, namespace);
      }
      const guard = (handlers: Handlers) =>
        loader.switched(guardLoader(handlers, server.capabilities));
      server.actors.serve(LOADER_ACTOR, guard(loaderHandlers(units, started, { guard })), {
        concurrent: true,
        requests: loaderChecks,
      });
      await options.prepare?.(started);
    },
  });
  try {
    await starting;
  } catch (error) {
    await kept.disposeAsync();
    throw error;
  }
  return started!;
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
