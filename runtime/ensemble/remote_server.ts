/**
 * Another server of the ensemble, for operations on it.
 *
 * @module
 */
import type { AskOptions } from "../actor/messaging.ts";
import { observerClient } from "../observation/observer_protocol.ts";
import type { ServerStatus } from "../observation/status_protocol.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { formatAddressUrl, readAddresses } from "../wire/address.ts";
import {
  controlClient,
  drainServer,
  killActor,
  loaderClient,
  ping,
  shutDownActor,
  shutDownServer,
} from "./remote.ts";

/**
 * Another server of the ensemble, or the own one, with the operations of `gxensemble`'s commands.
 * `server.remote(id)` returns one. Each method throws a `DisconnectedError` if the server cannot be
 * reached, and an `ActorError` if it refuses, for example because a capability is missing: see
 * `server.elevate`.
 *
 * @example Evaluate an expression in a server, and stop it
 * ```ts
 * import { startServer } from "@gxensemble/ensemble";
 *
 * await using client = await startServer();
 * const web1 = client.remote("web1");
 * console.log(await web1.actors(), await web1.evaluate("1 + 1"));
 * await web1.shutDown();
 * ```
 */
export class RemoteServer {
  /** Its id. */
  readonly id: string;
  readonly #local: ActorServer;

  /** @internal */
  constructor(local: ActorServer, id: string) {
    this.#local = local;
    this.id = id;
  }

  /**
   * The server of this process that sends the requests.
   *
   * @internal
   */
  get local(): ActorServer {
    return this.#local;
  }

  /** Checks that it answers. */
  async ping(): Promise<void> {
    await ping(this.#local, this.id);
  }

  /** The names of its actors, sorted. */
  actors(options?: AskOptions): Promise<string[]> {
    return controlClient(this.#local, this.id).listActors({}, options);
  }

  /**
   * Its connections, except the one with the asking server: the peer's id, the URL at which it was
   * reached or from which it connected, the time since when, and what was received from and sent to
   * it; `waiting` is the number of bytes that wait to be sent.
   */
  async connections(options?: AskOptions): Promise<
    {
      peer: string;
      address: string;
      since: Date;
      received: { messages: number; bytes: number };
      sent: { messages: number; bytes: number };
      waiting: number;
    }[]
  > {
    const connections = await controlClient(this.#local, this.id).listConnections({}, options);
    return connections.map(({ address, since, ...rest }) => ({
      ...rest,
      address: formatAddressUrl(address),
      since: new Date(since),
    }));
  }

  /**
   * Its state: what its process uses, its actors and messages, its loads. Requires the capability `observer`.
   *
   * @throws {EnsembleError} with the code `UNKNOWN_ACTOR`, if it runs a version without this.
   */
  status(options?: AskOptions): Promise<ServerStatus> {
    return observerClient(this.#local, this.id).status({}, options);
  }

  /**
   * Connects it to another server, at these addresses or through the registry. Requires the
   * capability `admin`.
   */
  async connect(server: string, addresses?: readonly string[]): Promise<void> {
    await controlClient(this.#local, this.id).connect({
      server,
      ...addresses && { addresses: readAddresses(addresses) },
    });
  }

  /**
   * Evaluates an expression in it, which sees that server as `ensemble`. Requires the capability
   * `loader`.
   *
   * @param options.json whether to return JSON instead of the REPL's format.
   * @returns the value as text; undefined if the value is undefined.
   */
  async evaluate(
    expression: string,
    { json = false, ...options }: AskOptions & { readonly json?: boolean } = {},
  ): Promise<string | undefined> {
    return await loaderClient(this.#local, this.id).evaluate({ expression, json }, options);
  }

  /**
   * Takes it out of use, and waits until what it has begun is finished: see `ActorServer.drain`. Requires the capability
   * `admin`.
   *
   * @param options.timeout how long to wait, in ms; 0 only begins. Default: no limit.
   * @throws {TimeoutError} if it is still busy then. The message says with what.
   */
  async drain(options?: { readonly timeout?: number }): Promise<void> {
    await drainServer(this.#local, this.id, options);
  }

  /** Takes it into use again. Requires the capability `admin`. */
  async undrain(): Promise<void> {
    await controlClient(this.#local, this.id).undrain();
  }

  /**
   * Stops it gracefully, and waits until it has ended. Requires the capability `shutdown`.
   *
   * @param options.timeout the time limit, in ms. Default: the time of its actors, and 7 s.
   * @throws {TimeoutError} if it is still running after that time.
   */
  async shutDown(options?: { readonly timeout?: number }): Promise<void> {
    await shutDownServer(this.#local.actors, this.id, options);
  }

  /**
   * Shuts one of its actors down, and waits until it has ended. Requires the capability `shutdown`.
   */
  async shutDownActor(actor: string | number): Promise<void> {
    await shutDownActor(this.#local, this.id, actor);
  }

  /** Ends one of its actors at once, without its clean-up. Requires the capability `shutdown`. */
  async killActor(actor: string | number): Promise<void> {
    await killActor(this.#local, this.id, actor);
  }

  /**
   * Grants capabilities in it to another server, replacing those granted before. They are for the
   * instance that runs now, and end with it. Requires the capability `admin`.
   */
  async authorize(server: string, capabilities: readonly string[]): Promise<void> {
    const request = { server, capabilities: [...capabilities] };
    await controlClient(this.#local, this.id).authorize(request);
  }

  /**
   * Revokes all capabilities that another server has in it. Requires the capability `admin`.
   *
   * @returns the revoked capabilities.
   */
  async retract(server: string): Promise<readonly string[]> {
    return (await controlClient(this.#local, this.id).retract({ server })).retracted;
  }

  /**
   * The capabilities granted to other servers with {@linkcode RemoteServer.authorize}, or by the
   * start option `capabilities`, sorted by server.
   *
   * @returns for each server its id, the key of the instance that has the capabilities, in hex, the
   * sorted capabilities, the grantor as in the audit log, and the time. Those of the start option
   * are for any instance, and their `by` is `options`.
   */
  async authorizations(options?: AskOptions): Promise<
    {
      readonly server: string;
      readonly instance: string | undefined;
      readonly capabilities: readonly string[];
      readonly by: string;
      readonly since: Date;
    }[]
  > {
    const delegations = await controlClient(this.#local, this.id).delegations({}, options);
    return delegations.map(({ instance, since, ...rest }) => ({
      ...rest,
      instance: instance?.toHex(),
      since: new Date(since),
    }));
  }
}
