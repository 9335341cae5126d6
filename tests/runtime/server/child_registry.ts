/**
 * A registry in a process of its own, which can be stopped and killed by signals.
 *
 * Run as a program: `child_registry.ts <socket> <URL of the store> <cookie in hex> <lease in ms>`.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { serveRegistry } from "../../../registry/registry_actor.ts";
import { DEFAULT_LEASE, openStore, parseStoreLocation } from "../../../registry/store.ts";
import { REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { ActorServer } from "../../../runtime/server/actor_server.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";
import type { LocalEnsemble } from "./local_ensemble.ts";

/** The program of this file. */
export const CHILD_REGISTRY_PROGRAM: string = fileURLToPath(import.meta.url);

/** A running child; killed with `await using` if it has not ended. */
export class ChildRegistry implements AsyncDisposable {
  /** Where it listens. */
  readonly address: Address;
  readonly #process: Deno.ChildProcess;

  private constructor(address: Address, process: Deno.ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  /** Starts one at the socket of a name, over a store, and waits until it listens. */
  static async start(
    ensemble: LocalEnsemble,
    { name, store, lease = DEFAULT_LEASE }: { name: string; store: string; lease?: number },
  ): Promise<ChildRegistry> {
    const path = `${ensemble.directory}/${name}`;
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        CHILD_REGISTRY_PROGRAM,
        path,
        store,
        ensemble.cookie.toHex(),
        `${lease}`,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = process.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (done) throw new Error(`registry ${name} did not start`);
    return new ChildRegistry(localUnixAddress(path), process);
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#process.status;
  }
}

if (import.meta.main) {
  const [path, url, cookie, lease] = Deno.args as [string, string, string, string];
  const options = { defaultPath: `${path}.db`, lease: Number(lease) };
  const store = await openStore(parseStoreLocation(url), options);
  const server = await ActorServer.start({
    id: REGISTRY_ID,
    cookies: [Uint8Array.fromHex(cookie)],
    listen: [localUnixAddress(path)],
    registry: [],
    roles: [],
    register: false,
    prepare: async (server) => void await serveRegistry(server, store),
  });
  console.log("ready");
  await server.stopped;
}
