/**
 * A server of the ensemble: an actor server that accepts code, with the ensemble's files and
 * sockets.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { checkGroupName } from "../actor/memberships.ts";
import type { AskOptions, Destination } from "../actor/messaging.ts";
import { type ActorRef, checkServerId, REGISTRY_ID } from "../actor/references.ts";
import { type Client, client } from "../actor/service.ts";
import { type ModuleNamespace, RUNTIME_MODULE } from "../code/library_table.ts";
import { UnitStore } from "../code/unit_store.ts";
import { EnsembleError } from "../errors.ts";
import { codeDirectory, holdServerDirectory, removeLeftClients } from "../home/server_directory.ts";
import type { Places } from "../home/paths.ts";
import { recordShutDown } from "../home/supervised_process.ts";
import { isTelemetryOn } from "../home/telemetry_variables.ts";
import { serveObserver } from "../observation/observer_actor.ts";
import { keepRecords, type KeptRecords, logState } from "../observation/server_log.ts";
import { StatusReader } from "../observation/server_status.ts";
import { HealthChecks, type ServerHealth } from "../observation/health_checks.ts";
import type { Telemetry } from "../observation/telemetry.ts";
import { warnOfExpiry } from "../pki/own_tls.ts";
import type { ServerState } from "../server/registry_protocol.ts";
import { ActorServer } from "../server/actor_server.ts";
import { CLIENT_ID, type ServerKeys, sharedId } from "../server/credentials.ts";
import {
  type Address,
  formatAddressUrl,
  localUnixAddress,
  readAddresses,
} from "../wire/address.ts";
import { type GroupReply, Groups } from "./groups.ts";
import { KeptLoads } from "./kept_loads.ts";
import { LoaderGuard, serveLoader } from "./loader.ts";
import { listServers, pingActor } from "./remote.ts";
import { elevate } from "./elevation.ts";
import { RemoteServer } from "./remote_server.ts";
import { describeEntry, type ServerInfo } from "./server_info.ts";
import type { Membership } from "./membership.ts";
import { describeChange, type ServerChange } from "./server_change.ts";
import { enterServer } from "./process_servers.ts";
import {
  actorsShare,
  DEFAULT_GRACE,
  requireGrace,
  type StartServerOptions,
} from "./start_options.ts";

const logger = getLogger(["gxensemble", "server"]);

/** Options of an {@linkcode EnsembleServer}. */
type EnsembleServerOptions =
  & Omit<StartServerOptions, keyof Membership | "cookie" | "adminKey" | "listen" | "announce">
  & Omit<Membership, "cookies">
  & {
    readonly id: string;
    readonly places: Places;
    readonly listen: readonly Address[];
    readonly announce: readonly Address[] | undefined;
    /** Whether it is transient: it does not listen, is not registered, and has no directory. */
    readonly isTransient: boolean;
  };

/**
 * A server of the ensemble in this process. `startServer` and `runServer` start one.
 *
 * {@linkcode ActorServer} provides `spawn`, `serve`, `tell`, `ask`, `exit`, `signal` and `stopped`.
 * This class adds the functions for other servers: finding them, calling their services, and
 * operating them.
 *
 * @example Serve, find another server, and call it
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * interface Counter {
 *   add(request: { amount: number }): number;
 * }
 *
 * await using server = await startServer("web1", { roles: ["web"] });
 * server.serve("echo", { say: ({ text }: { text: string }) => text });
 *
 * const [found] = await server.lookup({ role: "counter" });
 * if (found) {
 *   const counter = server.client<Counter>(`counter@${found.id}`);
 *   console.log(await counter.add({ amount: 3 }));
 * }
 * await server.stopped;
 * ```
 */
export class EnsembleServer extends ActorServer {
  /**
   * The Deno permissions that its process was started without: `run`, `write=/etc`.
   *
   * @internal
   */
  readonly denied: readonly string[];
  readonly #options: EnsembleServerOptions;
  readonly #loader: LoaderGuard;
  readonly #groups = new Groups(this);
  readonly #health = new HealthChecks(this, { enter: (run) => this.enter(run) });
  #units: UnitStore | undefined;
  #kept: KeptLoads | undefined;
  /** What its process logs, from now on. */
  readonly #records: KeptRecords | undefined;
  #status: StatusReader | undefined;
  /** Settles when what it keeps has been loaded. */
  #loadingKept: Promise<void> | undefined;
  #grace: number;
  /** Settles when what comes before its stop is done. */
  #beforeStop: Promise<void> | undefined;

  /**
   * Called by `startServer`.
   *
   * @internal
   */
  constructor(options: EnsembleServerOptions, keys: ServerKeys) {
    const { id, places, listen, isTransient, roles = [], tls } = options;
    const grace = requireGrace(options.grace ?? DEFAULT_GRACE);
    super({
      ...options,
      listen: isTransient ? [] : [localUnixAddress(places.socket(id)), ...listen],
      roles,
      grace: actorsShare(grace),
      register: !isTransient && id !== REGISTRY_ID,
    }, keys);
    this.#options = options;
    this.#grace = grace;
    this.denied = options.denied ?? [];
    this.#loader = new LoaderGuard(this);
    if (!isTransient) this.hold(this.#records = keepRecords());
    if (tls) this.hold(warnOfExpiry(() => tls.current()));
  }

  /**
   * Takes the server's directory, opens its unit store, and starts its loader and its observer.
   *
   * @internal
   */
  protected override async prepare(): Promise<void> {
    const { id, places, isTransient, loader, library = {} } = this.#options;
    const prepare = () => super.prepare();
    const telemetry = await this.#startTelemetry();
    if (isTransient) return await this.enter(prepare);
    if (sharedId(id) === CLIENT_ID) await removeLeftClients(places);
    this.hold(await holdServerDirectory(id, places));
    const units = await UnitStore.open(codeDirectory(id, places));
    this.hold({ [Symbol.asyncDispose]: () => units.close() });
    this.#units = units;
    units.registerLibrary(RUNTIME_MODULE, () => importRuntime());
    this.#addToLibrary(library);
    if (loader === false) this.#loader.turnOff();
    const kept = this.#kept = new KeptLoads(places.server(id), units);
    serveLoader(this, { store: units, kept, guard: this.#loader });
    const status = this.#status = new StatusReader({
      server: this,
      units,
      certificateEnd: () => this.#options.tls?.current().certificate.notAfter,
    });
    this.hold(status);
    telemetry?.collectMetrics(status);
    const log = this.#records!.buffer;
    status.parts.add(() => ({ log: logState(log) }));
    serveObserver(this, { status, log, directory: this.directory });
    await this.enter(prepare);
  }

  /** Begins telemetry, if it is on. Only then its modules are loaded. */
  async #startTelemetry(): Promise<Telemetry | undefined> {
    if (!(this.#options.telemetry ?? isTelemetryOn())) return undefined;
    const { Telemetry } = await import("../observation/telemetry.ts");
    const telemetry = new Telemetry(this);
    this.hold(telemetry);
    return telemetry;
  }

  /**
   * Runs work with this server as the current one.
   *
   * @internal
   */
  protected override enter<Result>(work: () => Result): Result {
    return enterServer(this, work);
  }

  /**
   * Its unit store.
   *
   * @internal
   */
  get units(): UnitStore {
    if (this.#units) return this.#units;
    throw new EnsembleError(
      `${this.id} has not started, or is a client, which does not accept code`,
    );
  }

  /**
   * Reads its state, for operators and metrics.
   *
   * @internal
   */
  get status(): StatusReader {
    if (this.#status) return this.#status;
    throw new EnsembleError(`${this.id} has not started, or is a client, which is not observed`);
  }

  /** Loads what it keeps, the first time; then does what the actor server does. */
  override async ready(): Promise<void> {
    await (this.#loadingKept ??= this.#loadKept());
    if (!this.signal.aborted) await super.ready();
  }

  async #loadKept(): Promise<void> {
    const kept = this.#kept;
    if (!kept || !await KeptLoads.exist(this.directory)) return;
    if (this.#loader.isOff) {
      logger.warn("{id} does not load the code that it keeps: it was started without a loader", {
        id: this.id,
      });
      return;
    }
    await this.#loader.during(() => this.enter(() => kept.load()));
  }

  /** The addresses it announces, as URLs. */
  get addresses(): readonly string[] {
    return this.entry.addresses.map(formatAddressUrl);
  }

  /**
   * Connects to another server, through the registry or at the given addresses, which are tried
   * first from now on. Sending to a server connects automatically; use this to know that it works.
   *
   * @throws {DisconnectedError} if the server cannot be reached, saying what was tried.
   */
  override connect(server: string, addresses: readonly string[] = []): Promise<void> {
    return super.connect(server, addresses);
  }

  /**
   * Makes a typed client of a service: each of its methods is an `ask`.
   *
   * @example
   * ```ts
   * import type { EnsembleServer } from "@gxensemble/ensemble";
   *
   * type Counter = { add(request: { amount: number }): number };
   * async function count(server: EnsembleServer) {
   *   const counter = server.client<Counter>("counter@counter1");
   *   return await counter.add({ amount: 3 }, { timeout: 1_000 });
   * }
   * ```
   */
  client<Service>(destination: Destination<Service>): Client<Service> {
    return client<Service>(this, destination);
  }

  /**
   * Looks a server up by its id, in any state; undefined if it is not registered.
   *
   * @throws {DisconnectedError} if the registry cannot be reached, and the server is not known.
   * @throws {InvalidInputError} if the id is not a server id.
   */
  lookup(by: { readonly id: string }, options?: AskOptions): Promise<ServerInfo | undefined>;
  /**
   * Looks up all servers with a role that are `up`, or in one of the given states, sorted by id. The first lookup asks the
   * registry, which then tells of changes: a moment later, lookups of the role are answered from memory. While the
   * registry is away, they give what it said last, and the log says so.
   *
   * @throws {DisconnectedError} if the registry cannot be reached, and has not answered for the role before.
   *
   * @example All workers that are registered, also those that are not ready
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * const states = ["starting", "up", "draining", "unreachable"] as const;
   * for (const { id, state } of await client.lookup({ role: "worker", states })) console.log(id, state);
   * ```
   */
  lookup(
    by: { readonly role: string; readonly states?: readonly ServerState[] },
    options?: AskOptions,
  ): Promise<ServerInfo[]>;
  /** Looks up all servers with members of a group, in the same way. */
  lookup(
    by: { readonly group: string; readonly states?: readonly ServerState[] },
    options?: AskOptions,
  ): Promise<ServerInfo[]>;
  async lookup(
    by: {
      readonly id?: string;
      readonly role?: string;
      readonly group?: string;
      readonly states?: readonly ServerState[];
    },
    options?: AskOptions,
  ): Promise<ServerInfo | ServerInfo[] | undefined> {
    const { role, group, states = ["up"] } = by;
    if (by.id === undefined && (typeof role === "string" || typeof group === "string")) {
      const entries = typeof role === "string"
        ? await this.view.withRole(role, options)
        : await this.view.withGroup(checkGroupName(group!), options);
      return entries.filter(({ state }) => states.includes(state)).map(describeEntry);
    }
    const entry = await this.view.find(checkServerId(by.id!), options);
    return entry && describeEntry(entry);
  }

  /**
   * Watches all servers, one, those with a role, or those with members of a group: gives those that are registered, as
   * `present`, and then each change, in order and once. It goes on
   * while the registry is away or restarts, and ends when the server stops, the signal is aborted, or the loop is left.
   *
   * If the registry has lost its changes, as one that keeps its entries in memory does, there is one change for each server
   * that is different. When more than 1,024 changes wait to be taken, only the newest of each server is kept.
   *
   * @throws {InvalidInputError} if the id is not a server id.
   *
   * @example Keep a list of the workers that are up
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("dispatcher1", { roles: ["dispatcher"] });
   * const workers = new Set<string>();
   * for await (const { id, state } of server.watch({ role: "worker" })) {
   *   if (state === "up") workers.add(id);
   *   else workers.delete(id);
   * }
   * ```
   */
  async *watch(
    options: {
      readonly id?: string;
      readonly role?: string;
      readonly group?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): AsyncGenerator<ServerChange, void, undefined> {
    const { id, role, group, signal } = options;
    if (id !== undefined) checkServerId(id);
    if (group !== undefined) checkGroupName(group);
    for await (const change of this.view.watch({ id, role, group }, { signal })) {
      yield describeChange(change);
    }
  }

  /**
   * Adds an actor of this server to a group, which other servers see a moment later. It leaves all its groups when it
   * ends. An actor is in a group once: to join again does nothing.
   *
   * @param group the group's name, of 1 to 64 bytes.
   * @throws {InvalidInputError} if that is not the name of a group, or the actor is one of another server.
   * @throws {EnsembleError} if there is no such actor, it is a part of the server, the server has members of 256 groups,
   * or it is not registered, as a client is not.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("orders1");
   * const orders = server.serve("orders", { add: ({ order }: { order: string }) => order.length });
   * server.join("orders", orders);
   * ```
   */
  join(group: string, actor: Destination): void {
    this.#groups.join(group, actor);
  }

  /** Removes an actor of this server from a group. Does nothing if it is no member. */
  leave(group: string, actor: Destination): void {
    this.#groups.leave(group, actor);
  }

  /**
   * The members of a group in all servers that are `up`, as those tell them now: sorted by server, and then in the order
   * in which they joined. A server that does not answer in time is left out, and the log says so.
   *
   * @throws {DisconnectedError} if the registry cannot be reached, and has not answered for the group before.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * for (const member of await client.members("orders")) console.log(`${member}`);
   * ```
   */
  // deno-lint-ignore no-explicit-any -- not declared: goes for any service
  members<Service = any>(group: string, options?: AskOptions): Promise<ActorRef<Service>[]> {
    return this.#groups.members(group, options);
  }

  /**
   * Sends a message to all members of a group in all servers that are `up`: once to each server, which passes it on to
   * its members. Delivery is at most once, and in order for each member.
   *
   * @returns the number of servers that it was sent to.
   * @throws {DisconnectedError} if the registry cannot be reached, and has not answered for the group before.
   * @throws {EnsembleError} if the message cannot be sent to another server, such as one with a function.
   *
   * @example
   * ```ts
   * import { currentServer } from "@gxensemble/ensemble";
   *
   * await currentServer().publish("caches", { type: "forget", key: "prices" });
   * ```
   */
  publish(
    group: string,
    message: unknown,
    options?: { readonly timeout?: number },
  ): Promise<number> {
    return this.#groups.publish(group, message, options);
  }

  /**
   * Sends a message to one member of a group, and waits for its answer, by default for up to 5 s. The strategy chooses
   * a server that is `up`: in turn, or at random, according to the numbers of members there; or the one with the fewest
   * asks of this server pending for each member. That server chooses its next member, one that is idle if there is any.
   *
   * If the message has certainly not reached a member, since its server cannot be reached or has none left, another
   * server is asked. Otherwise the error is thrown.
   *
   * @param options.strategy how the server is chosen. Default: `round-robin`.
   * @throws {ActorError} if the member fails.
   * @throws {TimeoutError} if no answer arrives in time.
   * @throws {DisconnectedError} if the server is lost before it answers.
   * @throws {EnsembleError} with the code `NO_MEMBER`, if the group has no member.
   *
   * @example
   * ```ts
   * import { currentServer } from "@gxensemble/ensemble";
   *
   * const message = { type: "add", order: "1 kg flour" };
   * const length = await currentServer().askAny<number>("orders", message, { strategy: "least-pending" });
   * ```
   */
  askAny<Reply = unknown>(
    group: string,
    message: unknown,
    options?: AskOptions & { readonly strategy?: "round-robin" | "random" | "least-pending" },
  ): Promise<Reply> {
    return this.#groups.askAny<Reply>(group, message, options);
  }

  /**
   * Asks all members of a group in all servers that are `up`, and gives their answers as they come. It ends when all
   * have answered or failed, at the latest when the time is over.
   *
   * @throws {DisconnectedError} if the registry cannot be reached, and has not answered for the group before.
   *
   * @example Add up the orders of all members
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * let total = 0;
   * for await (const answer of client.askAll<number>("orders", { type: "count" }, { timeout: 1_000 })) {
   *   if (answer.error) console.error(`${answer.member ?? answer.server}: ${answer.error.message}`);
   *   else total += answer.reply;
   * }
   * ```
   */
  askAll<Reply = unknown>(
    group: string,
    message: unknown,
    options?: AskOptions,
  ): AsyncGenerator<GroupReply<Reply>, void, undefined> {
    return this.#groups.askAll<Reply>(group, message, options);
  }

  /**
   * Lists all registered servers in any state, sorted by id, except the registry itself.
   *
   * @throws {DisconnectedError} if the registry cannot be reached.
   */
  async servers(options?: AskOptions): Promise<ServerInfo[]> {
    return (await listServers(this, options)).map(describeEntry);
  }

  /**
   * Checks that an actor answers. An actor answers a ping before the messages in its mailbox, but
   * not while it is busy. The actor `server` answers for a server: `server.ping("server@web1")`.
   *
   * @throws {EnsembleError} if there is no answer.
   */
  async ping(destination: Destination, options?: AskOptions): Promise<void> {
    await pingActor(this, destination, options);
  }

  /**
   * Returns another server, for operations on it.
   *
   * @throws {InvalidInputError} if the id is not a server id.
   */
  remote(id: string): RemoteServer {
    return new RemoteServer(this, checkServerId(id));
  }

  /**
   * Authenticates as an administrator to another server, and gets capabilities in it until the
   * connection ends. Does nothing if this server has them already.
   *
   * @param options.key the administrators' private key: PKCS#8 PEM, or the text of `admin.priv`, which takes a passphrase.
   * @param options.passphrase the passphrase of the key, if it is encrypted.
   * @param options.capabilities the capabilities to get: `["shutdown"]`.
   * @param options.claimed the user, `user@host`, for the audit log of the other server, which
   * marks it as a claim.
   * @throws {InvalidInputError} if the key is not an Ed25519 private key.
   * @throws {EnsembleError} if the passphrase is wrong.
   * @throws {ActorError} if the other server does not accept the key, or has no administrators.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * await client.elevate("web1", {
   *   key: await Deno.readTextFile("admin.priv"),
   *   passphrase: await Deno.readTextFile("passphrase"),
   *   capabilities: ["shutdown"],
   * });
   * await client.remote("web1").shutDown();
   * ```
   */
  async elevate(
    id: string,
    options: {
      readonly key: string;
      readonly passphrase?: string;
      readonly capabilities: readonly string[];
      readonly claimed?: string;
    },
  ): Promise<void> {
    const { openGivenKey } = await import("../pki/admin_key.ts");
    const key = await openGivenKey(options);
    const { capabilities, claimed } = options;
    const unlock = () => Promise.resolve(key);
    await elevate(this, checkServerId(id), { capabilities, unlock, ...claimed && { claimed } });
  }

  /**
   * Adds a health check, in place of an earlier one with its name. It runs when the server's
   * [health](https://github.com/gxensemble/gxensemble/blob/main/docs/health.md) is asked for, at
   * most once a second.
   *
   * @param name its name, of up to 64 letters, digits and `_ . : / -`.
   * @param check passes unless it throws, rejects, gives `false`, or takes too long; its signal is then aborted.
   * @param options.timeout the time it may take, in ms, up to 5000. Default: 2000.
   * @throws {InvalidInputError} if the name or the timeout is not valid.
   *
   * @example The server is not ready while its database does not answer
   * ```ts
   * import { currentServer } from "@gxensemble/ensemble";
   *
   * currentServer().addHealthCheck("orders-api", async (signal) => {
   *   const response = await fetch("http://orders.internal/ready", { signal });
   *   if (!response.ok) throw new Error(`it answers ${response.status}`);
   * }, { timeout: 1_000 });
   * ```
   */
  addHealthCheck(
    name: string,
    check: (signal: AbortSignal) => unknown,
    options?: { readonly timeout?: number },
  ): void {
    this.#health.add(name, check, options);
  }

  /** Removes a health check. Says whether there was one. */
  removeHealthCheck(name: string): boolean {
    return this.#health.remove(name);
  }

  /**
   * Whether it should get work: it is `up`, the registry knows that and its lease has not run out,
   * and all {@linkcode EnsembleServer.addHealthCheck added checks} pass. `/ready` of `--http` answers this.
   *
   * @param options.exclude the names of checks to leave out: `["registry"]`.
   */
  health(options?: { readonly exclude?: readonly string[] }): Promise<ServerHealth> {
    return this.#health.run(options);
  }

  /** The exports of the current module of a module id; undefined if there is none. */
  module(id: string): Record<string, unknown> | undefined {
    return this.units.namespace(id);
  }

  /**
   * Whether code is being loaded or evaluated.
   *
   * @internal
   */
  get isLoading(): boolean {
    return this.#loader.isBusy;
  }

  /** The directory of its files: its log, the code loaded into it, its certificate. */
  get directory(): string {
    return this.#options.places.server(this.id);
  }

  /** Time that the server and its program have to stop, in ms. */
  get grace(): number {
    return this.#grace;
  }

  /**
   * Adds options to a running server: roles, addresses, library modules, the longer grace, no
   * loader; and calls `prepare`. The registry's addresses, the log and the heartbeat stay the same.
   *
   * @throws {EnsembleError} if it cannot listen on an address.
   *
   * @internal
   */
  async extendWith(options: StartServerOptions): Promise<void> {
    const { roles = [], listen = [], announce, library = {}, loader = true } = options;
    this.#grace = Math.max(this.#grace, requireGrace(options.grace ?? 0));
    this.#addToLibrary(library);
    if (!loader) this.#loader.turnOff();
    // What started the server, and does not know the program's options, goes on at once.
    if (this.isStarting) {
      if (options.holdReady) this.holdReady();
      else this.keepStarting();
    } else if (options.holdReady) {
      logger.warn("{id} is up already: its program started it too late to hold it back", {
        id: this.id,
      });
    }
    await options.prepare?.(this);
    await super.extend({
      roles,
      listen: readAddresses(listen),
      announce: announce && readAddresses(announce),
      grace: actorsShare(this.#grace),
    });
  }

  #addToLibrary(modules: Readonly<Record<string, ModuleNamespace>>): void {
    for (const [specifier, namespace] of Object.entries(modules)) {
      this.units.registerLibrary(specifier, namespace);
    }
  }

  /**
   * Reads the server's certificates and revocation list again, as SIGHUP does. They apply to new
   * connections; open ones continue.
   *
   * @throws {EnsembleError} if they are not valid; then the previous ones stay in use.
   */
  async rereadCertificates(): Promise<void> {
    await this.#options.tls?.reread();
  }

  /**
   * Reads the cookie and the administrators' public key again, as SIGHUP does, and the next ones
   * while they are being rotated. They apply to new connections; open ones continue. Those that the
   * program gave as options stay.
   *
   * @throws {EnsembleError} if a file is not valid; then the previous ones stay in use.
   */
  async rereadSecrets(): Promise<void> {
    await this.secrets.reread();
  }

  /**
   * Begins to stop, as it was told to.
   *
   * @internal
   */
  override beginStop(by: string): number {
    try {
      recordShutDown(this.id, { directory: this.directory, by });
    } catch (error) {
      const reason = (error as Error).message;
      logger.warn("{id} may be started again by its supervisor: {reason}", { id: this.id, reason });
    }
    return (this.#options.beforeStop?.time() ?? 0) + super.beginStop(by);
  }

  /**
   * Stops gracefully, within `grace` ms; by default the grace that it was started with. A handler
   * that calls this must not await it, since the stop waits for the handler.
   */
  override async stop({ grace = this.#grace }: { grace?: number } = {}): Promise<void> {
    await (this.#beforeStop ??= this.#options.beforeStop?.work() ?? Promise.resolve());
    await super.stop({ grace: actorsShare(requireGrace(grace)) });
  }
}

let importRuntime = (): Promise<ModuleNamespace> => {
  throw new Error("the module that started this server did not provide the runtime");
};

/**
 * Provides the public API that shipped code imports as the runtime. It is above this module, so the
 * caller that starts servers passes it in.
 *
 * @param load imports the API when it is first needed.
 */
export function provideRuntime(load: () => Promise<ModuleNamespace>): void {
  importRuntime = load;
}
