/**
 * A server in a process of its own, which can be stopped and killed by signals.
 *
 * Run as a program: `child_server.ts <id> <directory of sockets> <cookie in hex>`. Its actor `sink` counts
 * the bytes that it is told, and says how many when asked.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { REGISTRY_ID } from "../../../runtime/actor/references.ts";
import { ActorServer } from "../../../runtime/server/actor_server.ts";
import { localUnixAddress } from "../../../runtime/wire/address.ts";
import type { LocalEnsemble } from "./local_ensemble.ts";

/** A running child; killed with `await using` if it has not ended. */
export class ChildServer implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  private constructor(process: Deno.ChildProcess) {
    this.#process = process;
  }

  /** Starts one, and waits until it is in the registry. */
  static async start(ensemble: LocalEnsemble, id: string): Promise<ChildServer> {
    const program = fileURLToPath(import.meta.url);
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", program, id, ensemble.directory, ensemble.cookie.toHex()],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = process.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (done) throw new Error(`server ${id} did not start`);
    return new ChildServer(process);
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Its exit. */
  get status(): Promise<Deno.CommandStatus> {
    return this.#process.status;
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
  const [id, directory, cookie] = Deno.args as [string, string, string];
  const socket = (id: string) => localUnixAddress(`${directory}/${id}`);
  let total = 0;
  const server = await ActorServer.start({
    id: id,
    cookies: [Uint8Array.fromHex(cookie)],
    listen: [socket(id)],
    registry: [socket(REGISTRY_ID)],
    roles: [],
    register: true,
    prepare({ actors }) {
      actors.serve("sink", {
        bytes: ({ bytes }: { bytes: Uint8Array }) => void (total += bytes.length),
        total: () => total,
      });
    },
  });
  console.log("ready");
  await server.stopped;
}
