/**
 * An ensemble of actor servers in one process, over real sockets.
 *
 * @module
 */
import { serveRegistry } from "../../../registry/registry_actor.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import type { RegistryStore } from "../../../registry/store.ts";
import { ActorRef, REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { ActorServer } from "../../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../../runtime/server/actor_server_options.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";

/** Names an actor by the id of its server and its own. */
export function refTo(server: string, actor: string | number): ActorRef {
  return new ActorRef(server, actor);
}

/** A free port of this host, as an address. */
export function anyPort(): Address {
  return { kind: "tcp", host: "127.0.0.1", port: 0 };
}

/** Servers that share a cookie and a directory of sockets; stopped and removed with `await using`. */
export class LocalEnsemble implements AsyncDisposable {
  /** Where the sockets are. */
  readonly directory: string = Deno.makeTempDirSync({ prefix: "gx-" });
  /** What the servers share. */
  readonly cookie: Uint8Array = crypto.getRandomValues(new Uint8Array(32));
  readonly #servers = new Set<ActorServer>();

  /** The UNIX socket of a server. */
  socket(id: string): Address {
    return localUnixAddress(`${this.directory}/${id}`);
  }

  /** Starts the registry. */
  startRegistry(
    store: RegistryStore = new MemoryStore(),
    options: Partial<ActorServerOptions> = {},
  ): Promise<ActorServer> {
    return this.start(REGISTRY_ID, {
      register: false,
      prepare: async (server) => void await serveRegistry(server, store),
      ...options,
    });
  }

  /** Starts a server that listens at its socket and is registered. */
  async start(id: string, options: Partial<ActorServerOptions> = {}): Promise<ActorServer> {
    const server = await ActorServer.start({
      id: id,
      cookies: [this.cookie],
      listen: [this.socket(id)],
      registry: [this.socket(REGISTRY_ID)],
      roles: [],
      register: true,
      ...options,
    });
    this.#servers.add(server);
    return server;
  }

  /** Starts a server that listens nowhere and is in no registry, as that of a command. */
  startConsole(
    id = "console",
    options: Partial<ActorServerOptions> = {},
  ): Promise<ActorServer> {
    return this.start(id, { listen: [], register: false, ...options });
  }

  /** Stops a server before the others. */
  async stop(server: ActorServer): Promise<void> {
    this.#servers.delete(server);
    await server.stop({ grace: 100 });
  }

  /** The ids of the servers that one is connected with. */
  static peers(server: ActorServer): string[] {
    return server.connections().map(({ peer }) => peer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The registry last, so that the others can leave it.
    const isRegistry = ({ id }: ActorServer) => id === REGISTRY_ID;
    const servers = [...this.#servers];
    await Promise.all(servers.filter((each) => !isRegistry(each)).map((each) => this.stop(each)));
    await Promise.all(servers.filter(isRegistry).map((each) => this.stop(each)));
    await Deno.remove(this.directory, { recursive: true });
  }
}
