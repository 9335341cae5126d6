/**
 * A supervisor that serves only programs and files: what operators do on its host.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { requestChecks } from "../../runtime/server/request_checks.ts";
import { executionHandlers } from "../../supervisor/executions.ts";
import { executionChecks, type ExecutionHandlers } from "../../supervisor/executions_protocol.ts";
import { type HostPermission, HostPermissions } from "../../supervisor/host_permissions.ts";
import { UploadStore, type UploadStoreOptions } from "../../supervisor/upload_store.ts";
import { uploadHandlers } from "../../supervisor/uploads.ts";
import { uploadChecks, type UploadHandlers } from "../../supervisor/uploads_protocol.ts";
import {
  SUPERVISOR_ACTOR,
  supervisorClient,
  type SupervisorHandlers,
} from "../../supervisor/supervisor_protocol.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";

/** The id of the supervisor. */
export const HOST = "supervisor-host1";

/** Its ensemble, with a client. Disposed of with `await using`. */
export class OperatedHost implements AsyncDisposable {
  readonly ensemble: LocalEnsemble;
  readonly server: ActorServer;
  readonly client: ActorServer;
  /** The directory of the ensemble's files. */
  readonly directory: string;
  readonly store: UploadStore;

  private constructor(
    ensemble: LocalEnsemble,
    parts: Pick<OperatedHost, "server" | "client" | "directory" | "store">,
  ) {
    this.ensemble = ensemble;
    this.server = parts.server;
    this.client = parts.client;
    this.directory = parts.directory;
    this.store = parts.store;
  }

  /** Starts it. */
  static async start(
    { allowed = ["executor", "filesystem"], ensemble = new LocalEnsemble(), ...options }:
      & { allowed?: readonly HostPermission[]; ensemble?: LocalEnsemble }
      & Partial<UploadStoreOptions> = {},
  ): Promise<OperatedHost> {
    const directory = await Deno.makeTempDir({ prefix: "gxh" });
    await ensemble.startRegistry();
    const server = await ensemble.start(HOST);
    const store = new UploadStore(`${directory}/uploads`, { limit: 1 << 30, ...options });
    serveHost(server, { allowed, directory, store });
    const client = await ensemble.start("console-1", { listen: [], register: false });
    return new OperatedHost(ensemble, { server, client, directory, store });
  }

  /** The supervisor, for its client or another. */
  operate(client: ActorServer = this.client): Client<SupervisorHandlers> {
    return supervisorClient(client.actors, HOST);
  }

  /** Stops it, and removes its files. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.ensemble[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function serveHost(
  server: ActorServer,
  { allowed, directory, store }: {
    allowed: readonly HostPermission[];
    directory: string;
    store: UploadStore;
  },
): void {
  const permissions = new HostPermissions(server, {
    isAllowed: (permission) => allowed.includes(permission),
    file: `${directory}/ensemble.jsonc`,
  });
  server.serve<UploadHandlers & ExecutionHandlers>(SUPERVISOR_ACTOR, {
    ...uploadHandlers(server, { store, permissions }),
    ...executionHandlers(server, { permissions, directory, programs: store.programs }),
  }, {
    concurrent: true,
    requests: requestChecks<UploadHandlers & ExecutionHandlers>({
      ...uploadChecks,
      ...executionChecks,
    }),
  });
}

/** The SHA-256 of bytes. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}
