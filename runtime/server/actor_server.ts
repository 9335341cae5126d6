/**
 * The actor server: a process's part in the ensemble.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { Actor } from "../actor/actor.ts";
import { ActorSystem, endsWithServer, unknownActor } from "../actor/actor_system.ts";
import { UNBOUNDED } from "../actor/mailbox.ts";
import type { AskOptions, Destination, TellOptions } from "../actor/messaging.ts";
import { type ActorId, ActorRef, SERVER_ACTOR } from "../actor/references.ts";
import { client, type Handlers, type HandlersOf, type ServeOptions } from "../actor/service.ts";
import type { SpawnOptions } from "../actor/spawn_options.ts";
import type { SupervisorOptions } from "../actor/supervision.ts";
import { findSupervisor, supervise, type Supervisor } from "../actor/supervisor.ts";
import { DisconnectedError, EnsembleError, InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import { type Address, formatAddressUrl, hostName, readAddresses } from "../wire/address.ts";
import { HEARTBEAT_INTERVAL, HEARTBEAT_TIMEOUT } from "../wire/limits.ts";
import type { ActorServerOptions, ServerExtension } from "./actor_server_options.ts";
import { AddressBook } from "./address_book.ts";
import type { ConnectionInfo, TotalTraffic } from "./connection.ts";
import { controlChecks, type ControlHandlers, controlHandlers } from "./control.ts";
import { Capabilities, type Session } from "./capabilities.ts";
import { CookieKeys } from "./cookie_keys.ts";
import { InstanceKey, type ServerKeys } from "./credentials.ts";
import { Draining, type DrainStatus } from "./draining.ts";
import { Elevations } from "./elevation.ts";
import { Identities } from "./identity.ts";
import { Listeners } from "./listeners.ts";
import type { Presence } from "./presence.ts";
import {
  type Holder,
  type OwnEntry,
  registryClient,
  type RegistryEntry,
  type ServerState,
} from "./registry_protocol.ts";
import { Registration } from "./registration.ts";
import { QUERY_WAIT, RegistryView } from "./registry_view.ts";
import { ownKernel } from "../own_process.ts";
import { unlessAborted } from "../timeout.ts";
import { VERSION } from "../version.ts";
import { Router, type TunnelWay } from "./router.ts";
import { ServerSecrets } from "./server_secrets.ts";

const logger = getLogger(["gxensemble", "server"]);

/**
 * How long changes of groups are gathered before the registry is told, in ms: shortly if groups have
 * got their first member here, or lost their last one. The numbers of members matter less.
 */
const GROUPS_DELAY = 50;
const COUNTS_DELAY = 1_000;

/** The default time that actors have to shut down before they are ended, in ms. */
const BARE_SERVER_GRACE = 3_000;

/** How long a stopping server waits for what it sent to be read, in ms. */
const DRAIN_TIMEOUT = 1_000;

/**
 * The base of every server: actors, messages, and stopping in order. `EnsembleServer` extends it.
 *
 * @example Send messages from a server
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * client.tell("log@web1", { type: "write", text: "hello" });
 * const count = await client.ask<number>("counter@web1", { type: "get" }, { timeout: 2_000 });
 * ```
 */
export class ActorServer {
  /** The server's id. */
  readonly id: string;
  /**
   * Its actors.
   *
   * @internal
   */
  readonly actors: ActorSystem;
  /**
   * The capabilities of other servers in it.
   *
   * @internal
   */
  readonly capabilities: Capabilities;
  /**
   * The elevations of administrators' clients in it.
   *
   * @internal
   */
  readonly elevations: Elevations;
  /**
   * Its cookies and the administrators' public keys.
   *
   * @internal
   */
  readonly secrets: ServerSecrets;
  readonly #router: Router;
  readonly #identities: Identities;
  readonly #book: AddressBook;
  /**
   * What it knows of the other servers.
   *
   * @internal
   */
  readonly view: RegistryView;
  readonly #options: Omit<ActorServerOptions, "cookies">;
  readonly #listeners: Listeners;
  readonly #instance: Uint8Array;
  #announced: readonly Address[] | undefined;
  #roles: readonly string[];
  /** Whether it is `up`, unless it is draining. */
  #isReady: boolean;
  /** Whether it stays `starting` for now. */
  #isHeld: boolean;
  readonly #startedAt = Date.now();
  readonly #abort = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  #grace: number;
  readonly #registration: Registration | undefined;
  readonly #draining: Draining;
  #stopping: Promise<void> | undefined;
  readonly #onDisconnected: ((session: Session) => void)[] = [];
  readonly #resources = new AsyncDisposableStack();

  /**
   * Called by {@linkcode ActorServer.start}.
   *
   * @internal
   */
  constructor(options: Omit<ActorServerOptions, "cookies">, { instance, cookies }: ServerKeys) {
    this.#options = options;
    this.id = options.id;
    this.#grace = options.grace ?? BARE_SERVER_GRACE;
    this.actors = new ActorSystem(this.id, {
      askTimeout: options.askTimeout,
      mailbox: options.mailbox,
    });
    this.actors.grace = this.#grace;
    const named = { id: this.id, instance: instance.publicKey };
    const { adminKeys = [] } = options;
    this.capabilities = new Capabilities(named, {
      administered: adminKeys.length > 0,
      lines: this.actors.lines,
      given: options.capabilities,
    });
    this.elevations = new Elevations(named, { adminKeys, capabilities: this.capabilities });
    const registry = registryClient(this.actors);
    this.view = new RegistryView(registry, {
      wait: options.register ? QUERY_WAIT.registered : QUERY_WAIT.unregistered,
    });
    this.#book = new AddressBook(this.view, options);
    const self = { id: this.id, instance, cookies, tls: options.tls };
    const { heartbeat = { interval: HEARTBEAT_INTERVAL, timeout: HEARTBEAT_TIMEOUT } } = options;
    this.#identities = new Identities(self, {
      registry,
      enforced: this.capabilities.administered,
    });
    const router = this.#router = new Router(self, {
      book: this.#book,
      identities: this.#identities,
      receiver: this.actors,
      heartbeat,
      onClosed: (session) => this.#onDisconnected.forEach((react) => react(session)),
    });
    this.secrets = new ServerSecrets(options, { cookies, elevations: this.elevations, router });
    this.#listeners = new Listeners({
      id: this.id,
      tls: options.tls,
      lines: this.actors.lines,
      accept: (accepted, heard) => this.#router.accept(accepted, heard),
      onMoved: () => this.#registration?.announceChange(),
    });
    this.view.onReachable = (id) => this.#router.retry(id);
    if (options.register) {
      const registration = this.#registration = new Registration(this.actors, {
        entry: () => this.entry,
        leave: () => this.#router.leaveRegistry(),
      });
      this.actors.groups.onChange = (isOther) =>
        registration.announceLater(isOther ? GROUPS_DELAY : COUNTS_DELAY);
    }
    this.actors.guard = this.capabilities;
    this.actors.route = this.#router;
    this.#instance = instance.publicKey;
    this.#announced = options.announce;
    this.#roles = options.roles;
    this.#isHeld = options.holdReady ?? false;
    this.#isReady = !this.#isHeld;
    this.#draining = new Draining(this.actors, () => this.#tellRegistry());
  }

  /**
   * Starts a server. When this resolves, it listens and is registered: `up`, or `starting` if it is
   * held back.
   *
   * @throws {EnsembleError} if it cannot listen, or the registry cannot be reached. If
   * `options.signal` is aborted before, its reason.
   * @internal
   */
  static async start<Server extends ActorServer, Options>(
    this: new (options: Options, keys: ServerKeys) => Server,
    options: Options & { readonly cookies: readonly Uint8Array[] },
  ): Promise<Server> {
    const [instance, cookies] = await Promise.all([
      InstanceKey.generate(),
      CookieKeys.import(options.cookies),
    ]);
    // No longer needed, and secret.
    const server = new this({ ...options, cookies: undefined }, { instance, cookies });
    await server.#start();
    return server;
  }

  async #start(): Promise<void> {
    const { listen, signal } = this.#options;
    try {
      for (const address of listen) {
        // Nothing is accepted before the server is ready.
        await this.#listeners.listen(address);
        signal?.throwIfAborted();
      }
      await unlessAborted(signal, this.prepare());
      await unlessAborted(signal, this.#run());
    } catch (error) {
      await this.#listeners.close();
      const why = "the server did not start";
      if (signal?.aborted) await this.#registration?.remove(why);
      this.view.close();
      for (const actor of this.actors.actors()) actor.exit(why);
      if (signal?.aborted) await this.#router.close(0);
      await this.#resources.disposeAsync();
      throw error;
    }
  }

  /**
   * Starts its permanent actors, when it listens but accepts nothing yet.
   *
   * @internal
   */
  protected async prepare(): Promise<void> {
    await this.#options.prepare?.(this);
  }

  /**
   * Runs work that belongs to this server.
   *
   * @internal
   */
  protected enter<Result>(work: () => Result): Result {
    return work();
  }

  /**
   * Keeps a resource until the server has stopped, or has failed to start.
   *
   * @internal
   */
  hold(resource: Disposable | AsyncDisposable): void {
    this.#resources.use(resource);
  }

  /** How `Deno.inspect` and the REPL show a server. */
  [Symbol.for("Deno.customInspect")](): string {
    return `${this.constructor.name}(${this.id})`;
  }

  /**
   * Its registry entry. It changes when a socket has to be created again.
   *
   * @internal
   */
  get entry(): OwnEntry {
    const own = this.#listeners.addresses;
    const files = new Map(own.map((address) => [formatAddressUrl(address), address]));
    const groups = this.actors.groups.counts;
    return {
      id: this.id,
      instance: this.#instance,
      addresses: this.#announced?.map((each) => files.get(formatAddressUrl(each)) ?? each) ?? own,
      roles: this.#roles,
      state: this.#draining.isOn ? "draining" : this.#isReady ? "up" : "starting",
      ...groups && { groups },
      pid: Deno.pid,
      host: hostName(),
      kernel: ownKernel(),
      version: VERSION,
      startedAt: this.#startedAt,
    };
  }

  /**
   * Keeps the server `starting` in the registry until {@linkcode ActorServer.ready} is called, so
   * that lookups by role do not give it before it can answer. Call it in `main` before that first
   * awaits, or start the server with the option `holdReady`.
   *
   * @throws {EnsembleError} if the server is `up` already.
   */
  holdReady(): void {
    if (this.#isReady) {
      throw new EnsembleError(
        `cannot hold ${this.id} back: it is up already; call holdReady before main first awaits, ` +
          "or start the server with the option holdReady",
      );
    }
    this.keepStarting();
    logger.info("{id} is in the registry, and not ready yet", { id: this.id });
  }

  /**
   * Has it stay `starting`, if it is.
   *
   * @internal
   */
  keepStarting(): void {
    this.#isHeld = true;
  }

  /**
   * Makes the server `up` in the registry, after `holdReady`. Resolves when the registry has it, or
   * when the server stops. Does nothing if it is `up` already. While it is draining, it will be `up` after `undrain`.
   */
  async ready(): Promise<void> {
    this.#isHeld = false;
    if (this.#isReady) return;
    this.#isReady = true;
    if (!this.#registration) return;
    await this.#tellRegistry();
    if (!this.signal.aborted) logger.info("{id} is in the registry", { id: this.id });
  }

  /**
   * Takes the server out of use: it is `draining` in the registry, so that lookups by role or group do not give it, and
   * its members of groups get nothing new. Lookups by its id do, and those that know an actor of it can go on sending.
   *
   * Resolves when what was begun is finished: no service has a request in a handler, or a message in its mailbox. An
   * actor that is not a service is not waited for. Then the server can be stopped without the loss of a request. A handler
   * must not await it, since it waits for the handler.
   *
   * @param options.timeout how long to wait, in ms; 0 only begins. The server is draining also afterwards. Default: no
   * limit.
   * @throws {TimeoutError} if it is still busy then. The message says with what.
   * @throws {EnsembleError} if `undrain` is called meanwhile, or the server stops.
   *
   * @example Finish all requests, and stop
   * ```ts
   * import { currentServer } from "@gxensemble/ensemble";
   *
   * const server = currentServer();
   * await server.drain({ timeout: 60_000 });
   * await server.stop();
   * ```
   */
  async drain({ timeout = Infinity }: { timeout?: number } = {}): Promise<void> {
    if (typeof timeout !== "number" || !(timeout >= 0)) {
      throw new InvalidInputError(`not a timeout in ms: ${describeValue(timeout)}`);
    }
    this.#draining.begin();
    if (timeout > 0) await this.#draining.finish(timeout, this.signal);
  }

  /**
   * Has a server that is draining take work again. Resolves when the registry has it, or when the server stops. Does
   * nothing if it is not draining.
   */
  async undrain(): Promise<void> {
    await this.#draining.end();
  }

  /**
   * How far its draining is, at the latest after `wait` ms; see {@linkcode Draining.status}.
   *
   * @internal
   */
  drainStatus(wait: number): Promise<DrainStatus> {
    return this.#draining.status(wait);
  }

  /**
   * Whether it is `starting`, unless it is draining.
   *
   * @internal
   */
  get isStarting(): boolean {
    return !this.#isReady;
  }

  /**
   * Whether it is registered, so that other servers find it.
   *
   * @internal
   */
  get isRegistered(): boolean {
    return this.#registration !== undefined;
  }

  /**
   * The state that the registry has of it; undefined without a lease there.
   *
   * @internal
   */
  get registeredState(): ServerState | undefined {
    return this.#registration?.state;
  }

  /**
   * Whether it takes new work: it is `up`.
   *
   * @internal
   */
  get isUp(): boolean {
    return this.#isReady && !this.#draining.isOn;
  }

  /**
   * Ends what holds it back, without making it ready.
   *
   * @internal
   */
  letReady(): void {
    this.#isHeld = false;
  }

  /**
   * Makes it ready, unless it is held back.
   *
   * @internal
   */
  async readyUnlessHeld(): Promise<void> {
    if (!this.#isHeld && !this.signal.aborted) await this.ready();
  }

  /** Its roles. */
  get roles(): readonly string[] {
    return this.#roles;
  }

  /** Aborted when the server begins to stop. Pass it to work that runs outside of actors. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the server has stopped. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /**
   * Starts an actor.
   *
   * @param name its name; undefined for an actor that can be reached only by its reference.
   * @param body the code that it runs. The actor ends when the body returns. If the body throws,
   * the actor fails, which is logged.
   * @throws {InvalidInputError} if the name is not valid: it has no `@` and no white space, and does not begin with a
   * digit.
   * @throws {EnsembleError} if an actor of that name is running.
   *
   * @example
   * ```ts
   * import { on, startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("printer1");
   * server.spawn("printer", async (self) => {
   *   await self.loop([on("print", ({ text }: { text: string }) => console.log(text))]);
   * });
   * ```
   */
  spawn(
    name: string | undefined,
    body: (self: Actor) => void | Promise<void>,
    options?: SpawnOptions,
  ): Actor {
    return this.enter(() => this.actors.spawn(name, body, options));
  }

  /**
   * Starts a service: an actor that answers requests `{ type, ... }` with the handler for that
   * type. It handles one request at a time, unless the option `concurrent` is set. A handler that
   * throws fails only its request.
   *
   * @throws {InvalidInputError} if the name is not valid.
   * @throws {EnsembleError} if an actor of that name is running.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("counter1");
   * let total = 0;
   * server.serve("counter", {
   *   add: ({ amount }: { amount: number }) => total += amount,
   *   get: () => total,
   * });
   * ```
   */
  serve<Service = unknown, Given extends Handlers = HandlersOf<Service>>(
    name: string,
    handlers: Given,
    options?: ServeOptions,
  ): Actor<unknown extends Service ? Given : Service> {
    return this.enter(() => this.actors.serve<Service, Given>(name, handlers, options));
  }

  /**
   * Starts a supervisor: an actor that starts other actors, its children, and restarts them when
   * they end. A restarted child keeps its name and its reference.
   *
   * @param name its name; undefined for a supervisor that can be reached only by its reference.
   * @throws {InvalidInputError} if the options or the name are not valid.
   * @throws {EnsembleError} if an actor of that name is running, or a child cannot start.
   *
   * @example
   * ```ts
   * import { type HandlerContext, startServer } from "@gxensemble/ensemble";
   *
   * await using server = await startServer("counter1");
   * server.supervise("counters", {
   *   intensity: { restarts: 5, within: 60_000 },
   *   children: [{
   *     name: "counter",
   *     state: 0,
   *     serve: { add: (_request: object, context: HandlerContext<number>) => ++context.state },
   *   }],
   * });
   * await server.ask("counter", { type: "add" });
   * ```
   */
  supervise(name: string | undefined, options: SupervisorOptions): Supervisor {
    return this.enter(() => supervise(this.actors, name, options));
  }

  /**
   * Finds a supervisor of this server, such as one below another, by its name.
   *
   * @throws {EnsembleError} if there is none.
   */
  supervisor(name: string): Supervisor {
    return findSupervisor(this.actors, name);
  }

  /**
   * Sends a message without waiting. Delivery is at most once, and in order for each pair of
   * actors.
   *
   * @returns the nonce of the envelope; undefined if the actor is known not to exist.
   * @throws {EnsembleError} if the message cannot be sent to another server, such as one with a function.
   */
  tell(dest: Destination, message: unknown, options?: TellOptions): number | undefined {
    return this.actors.tell(dest, message, options);
  }

  /**
   * Sends a message and waits for its answer, by default for up to 5 s.
   *
   * @throws {ActorError} if the other side fails, or there is no such actor.
   * @throws {TimeoutError} if no answer arrives in time.
   * @throws {DisconnectedError} if the other server cannot be reached, or is lost before it answers.
   * @throws {EnsembleError} if the message cannot be sent to another server.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * const count = await client.ask<number>("counter@web1", { type: "get" }, { timeout: 2_000 });
   * ```
   */
  ask<Reply = unknown>(dest: Destination, message: unknown, options?: AskOptions): Promise<Reply> {
    return this.actors.ask<Reply>(dest, message, options);
  }

  /**
   * Its connections, by peer id.
   *
   * @internal
   */
  connections(): ConnectionInfo[] {
    return this.#router.connections();
  }

  /**
   * What its connections have carried, also those that have ended.
   *
   * @internal
   */
  traffic(): TotalTraffic {
    return this.#router.traffic();
  }

  /**
   * The session of the connection with a server, if any.
   *
   * @internal
   */
  session(server: string): Session | undefined {
    return this.#router.session(server);
  }

  /**
   * Connects to another server, through the registry or at the given addresses, which are tried
   * first from now on. Sending to a server connects automatically; use this to know that it works.
   *
   * @throws {DisconnectedError} if it cannot be reached, saying what was tried.
   *
   * @internal
   */
  connect(server: string, addresses: readonly (Address | string)[] = []): Promise<void> {
    const given = readAddresses(addresses);
    if (given.length > 0) this.#book.give(server, given);
    return this.#router.connect(server);
  }

  /**
   * Has other servers be reached through a supervisor from now on.
   *
   * @internal
   */
  goThrough(way: TunnelWay): void {
    this.#router.goThrough(way);
  }

  /**
   * Whether the instance of a registry entry is running, as far as this server can tell.
   *
   * @internal
   */
  presence(entry: RegistryEntry): Promise<Presence> {
    return this.#identities.presence(entry, this.#router);
  }

  /**
   * What keeps the id of a registered instance from passing on to another one; undefined if nothing
   * does. For the registry.
   *
   * @internal
   */
  holderOf(entry: RegistryEntry): Promise<Holder | undefined> {
    return this.#identities.holderOf(entry, this.#router);
  }

  /**
   * Calls a function when a connection has ended, with its session.
   *
   * @internal
   */
  onDisconnected(react: (session: Session) => void): void {
    this.#onDisconnected.push(react);
  }

  /** Whether so much waits to be sent to a server that senders should await `flushed`. */
  congested(server: string): boolean {
    return this.#router.congested(server);
  }

  /** Resolves when the outbox of a server is empty. */
  flushed(server: string): Promise<void> {
    return this.#router.drained(server);
  }

  /**
   * Adds addresses and roles, and replaces the announced addresses if given. The registry has them
   * when this resolves.
   *
   * @throws {EnsembleError} if it cannot listen, or the registry cannot be reached.
   * @internal
   */
  async extend({ listen, roles, announce, grace }: ServerExtension): Promise<void> {
    this.actors.grace = this.#grace = Math.max(this.#grace, grace);
    const added: Address[] = [];
    for (const address of listen) added.push(await this.#listeners.add(address));
    // If nothing is announced, the addresses are those it listens on.
    this.#announced = announce ?? (this.#announced && [...this.#announced, ...added]);
    this.#roles = [...new Set([...this.#roles, ...roles])];
    await this.#registration?.add();
  }

  /**
   * Ends an actor at once, on this server or another; on another it requires the capability
   * `shutdown`. Its name is free, its receives reject, its signal is aborted, and all its askers
   * get an error with the code `ACTOR_ENDED`. Monitors get the reason. To let it clean up, send it
   * `{ type: "shutdown" }`.
   *
   * @throws {EnsembleError} if there is no such actor, it is a part of its server, or that refuses.
   * @throws {InvalidInputError} if the reason is not a text.
   *
   * @example
   * ```ts
   * import { startServer } from "@gxensemble/ensemble";
   *
   * await using client = await startServer();
   * await client.exit("worker@web1", "it does not answer");
   * ```
   */
  async exit(destination: Destination, reason = "killed"): Promise<void> {
    const ref = this.actors.refOf(destination);
    if (ref.server === this.id) return this.kill(ref.actor, reason);
    const control = client<ControlHandlers>(this.actors, new ActorRef(ref.server, SERVER_ACTOR));
    await control.kill({ actor: ref.actor, reason });
  }

  /**
   * Begins to stop, as {@linkcode ActorServer.stop} does. Returns the time that its actors have to
   * shut down, in ms.
   *
   * @internal
   */
  beginStop(_by: string): number {
    void this.stop();
    return this.#grace;
  }

  /**
   * Ends one of its actors at once.
   *
   * @throws {EnsembleError} if there is none, or if it is a part of the server.
   *
   * @internal
   */
  kill(id: ActorId, reason?: string): void {
    const actor = this.actors.find(id);
    if (!actor) throw unknownActor(new ActorRef(this.id, id));
    if (actor.name === SERVER_ACTOR || this.actors.essential.has(actor)) {
      throw endsWithServer(actor);
    }
    this.actors.kill(id, reason);
  }

  /**
   * Stops gracefully: closes its listeners and removes its sockets, leaves the registry, lets its
   * services finish their requests and its actors shut down within `grace` ms, and flushes and
   * closes its connections. A handler must not await it, since the stop waits for the handler.
   */
  async stop(options: { grace?: number } = {}): Promise<void> {
    if (!this.#stopping) {
      this.#grace = options.grace ?? this.#grace;
      this.#stopping = this.#stopServing();
    }
    await this.#stopping;
    await this.stopped;
  }

  /** Stops, as {@linkcode ActorServer.stop} does: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /**
   * Leaves the registry before it stops, so that the registry can be stopped first.
   *
   * @internal
   */
  async leaveRegistry(): Promise<void> {
    this.view.close();
    await this.#registration?.remove("the server is stopping");
  }

  /** Has the registry told of a changed state. Resolves when it has it, or when the server stops. */
  async #tellRegistry(): Promise<void> {
    if (this.#registration) await Promise.race([this.#registration.update(), this.stopped]);
  }

  async #run(): Promise<void> {
    this.actors.essential = new Set(this.actors.actors());
    this.actors.serve(SERVER_ACTOR, controlHandlers(this), {
      concurrent: true,
      drains: false,
      mailbox: UNBOUNDED,
      requests: controlChecks,
    });
    this.#listeners.acceptAtAll();
    if (!this.#registration) return;
    let failure: Error | undefined;
    try {
      await this.#registration.begin();
    } catch (error) {
      if (!this.#options.registerLater) {
        await this.#router.close(0);
        throw error;
      }
      failure = error as Error;
    }
    // Otherwise it says so when it is ready.
    if (!failure && !this.isStarting) logger.info("{id} is in the registry", { id: this.id });
    this.actors.essential.add(this.#registration.keep(failure));
  }

  async #stopServing(): Promise<void> {
    const until = performance.now() + this.#grace;
    logger.info("{id} is stopping", { id: this.id });
    this.#abort.abort(new DisconnectedError(`${this.id} is stopping`, { code: "SERVER_STOPPING" }));
    const closed = this.#listeners.close();
    const control = this.actors.find(SERVER_ACTOR);
    this.view.close();
    await this.#registration?.remove("the server is stopping");
    await this.actors.stopActors(until - performance.now(), new Set(control && [control]));
    await closed;
    void this.#finish();
  }

  async #finish(): Promise<void> {
    // First answer the server that asked for the shutdown, in its own turn.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#router.close(DRAIN_TIMEOUT);
    this.actors.find(SERVER_ACTOR)?.exit("the server has stopped");
    this.actors.close();
    logger.info("{id} has stopped", { id: this.id });
    this.#stopped.resolve(this.#resources.disposeAsync());
  }
}
