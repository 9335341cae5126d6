/**
 * A host with a supervisor: a real process, with real servers below it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Client } from "../../runtime/actor/service.ts";
import { startServer } from "../../runtime/ensemble/start_server.ts";
import type { SupervisedServer } from "../../supervisor/supervised_servers_protocol.ts";
import { supervisorClient, type SupervisorHandlers } from "../../supervisor/supervisor_protocol.ts";
import { RunningEnsemble, type RunningProcess, WAITING } from "./running_ensemble.ts";

/** The id of the supervisor. */
export const SUPERVISOR = "supervisor-t1";

/** The timeout of every wait, in ms. */
const DEADLINE = 20_000;

/** The host of a test. With `await using`, all of its processes end. */
export class SupervisedHost implements AsyncDisposable {
  /** Its commands, files and processes. */
  readonly ensemble = new RunningEnsemble();
  /** The id of the supervisor. */
  readonly id: string;
  /** The process of the supervisor that was started last. */
  supervisor: RunningProcess | undefined;

  private constructor(id: string) {
    this.id = id;
  }

  /** Makes the cookie, a module `waiting.js`, and writes a configuration. */
  static async with(
    configuration: Record<string, unknown>,
    { id = SUPERVISOR }: { readonly id?: string } = {},
  ): Promise<SupervisedHost> {
    const host = new SupervisedHost(id);
    assert.equal((await host.ensemble.run("cookie")).code, 0);
    await host.ensemble.write("waiting.js", WAITING);
    host.configure(configuration);
    return host;
  }

  /** The path of the configuration. */
  get path(): string {
    return `${this.ensemble.places.gerbilPath}/ensemble/ensemble.jsonc`;
  }

  /** The path of the module whose servers wait until they are stopped. */
  get waiting(): string {
    return this.ensemble.path("waiting.js");
  }

  /** Writes the configuration. `WAITING` in it is the path of that module. */
  configure(configuration: Record<string, unknown>): void {
    const text = JSON.stringify(configuration, undefined, 2);
    Deno.writeTextFileSync(this.path, text.replaceAll("WAITING", this.waiting));
  }

  /** Starts a supervisor, and waits until its server listens. */
  async start(...options: string[]): Promise<RunningProcess> {
    this.supervisor = this.ensemble.spawn("supervisor", "--id", this.id, ...options);
    await this.supervisor.logged(/ listens at unix:/);
    return this.supervisor;
  }

  /** Asks the supervisor. */
  async ask<Answer>(work: (supervisor: Client<SupervisorHandlers>) => Promise<Answer>) {
    const { gerbilPath, socketDirectory } = this.ensemble.places;
    await using client = await startServer({
      directory: `${gerbilPath}/ensemble`,
      socketDirectory,
      log: false,
      knownServers: { [this.id]: [`unix:${socketDirectory}/${this.id}`] },
    });
    return await work(supervisorClient(client, this.id));
  }

  /** What the supervisor says about a server, once a condition holds for it. */
  async server(
    id: string,
    condition: (server: SupervisedServer) => boolean,
  ): Promise<SupervisedServer> {
    const late = performance.now() + DEADLINE;
    return await this.ask(async (supervisor) => {
      while (true) {
        const { servers } = await supervisor.list();
        const server = servers.find((each) => each.id === id);
        if (server && condition(server)) return server;
        assert.ok(performance.now() < late, `never so: ${JSON.stringify(servers)}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  }

  /** Waits until a server is up. */
  async up(id: string): Promise<SupervisedServer> {
    return await this.server(id, ({ state }) => state === "up");
  }

  /** The process ids that a supervisor has recorded. */
  pids(supervisor: string = this.id): number[] {
    const file = `${this.ensemble.places.gerbilPath}/ensemble/server/${supervisor}/processes.json`;
    let text: string;
    try {
      text = Deno.readTextFileSync(file);
    } catch {
      return [];
    }
    const { servers } = JSON.parse(text) as {
      servers: Record<string, { process?: { pid?: number } }>;
    };
    return Object.values(servers).flatMap(({ process }) => process?.pid ?? []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First the supervisor, which would restart the others.
    await this.supervisor?.kill();
    for (const pid of this.pids()) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch {
        // It has ended.
      }
    }
    await this.ensemble[Symbol.asyncDispose]();
  }
}

/** Whether a process runs. */
export function runs(pid: number): boolean {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/^[ZX]/.test(text.slice(text.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}

/** Waits until a process has ended. */
export async function ended(pid: number): Promise<void> {
  const late = performance.now() + DEADLINE;
  while (runs(pid)) {
    assert.ok(performance.now() < late, `process ${pid} does not end`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until there is a file. */
export async function exists(path: string): Promise<void> {
  const late = performance.now() + DEADLINE;
  while (!await Deno.stat(path).then(() => true, () => false)) {
    assert.ok(performance.now() < late, `${path} is never there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
