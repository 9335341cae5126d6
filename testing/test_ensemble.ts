/**
 * Ensembles for tests: a registry and any number of servers in the process of the test.
 *
 * @example A test of a service
 * ```ts
 * import { testEnsemble } from "@gxensemble/ensemble/testing";
 *
 * Deno.test("the counter counts", async () => {
 *   await using ensemble = await testEnsemble();
 *   const server = await ensemble.startServer("counter1");
 *   let total = 0;
 *   const counter = { add: ({ amount }: { amount: number }) => total += amount };
 *   server.serve("counter", counter);
 *
 *   const client = await ensemble.startServer();
 *   const sum = await client.client<typeof counter>("counter@counter1").add({ amount: 3 });
 *   if (sum !== 3) throw new Error(`it is ${sum}`);
 * });
 * ```
 *
 * @module
 */
import { serveRegistry } from "../registry/registry_actor.ts";
import { MemoryStore } from "../registry/local_store.ts";
import { REGISTRY_ID } from "../runtime/actor/references.ts";
import { type EnsembleServer, provideRuntime } from "../runtime/ensemble/ensemble_server.ts";
import { startServer } from "../runtime/ensemble/start_server.ts";
import type { StartServerOptions } from "../runtime/ensemble/start_options.ts";
import { CollectedLog } from "../runtime/home/collected_log.ts";

provideRuntime(() => import("../mod.ts"));

/** How long actors may take to shut down at the end of a test, in ms. */
const GRACE = 1_000;

/**
 * An ensemble in this process, over UNIX sockets in a temporary directory. Its servers share a
 * separate cookie, and read neither the environment nor the user's files, so that tests can run at
 * the same time as each other and as a real ensemble. {@linkcode testEnsemble} makes one.
 *
 * @example A server that is lost during a test
 * ```ts
 * import { testEnsemble } from "@gxensemble/ensemble/testing";
 *
 * Deno.test("a server that stopped is not listed", async () => {
 *   await using ensemble = await testEnsemble();
 *   const web1 = await ensemble.startServer("web1");
 *   await web1.stop();
 *   const client = await ensemble.startServer();
 *   if (await client.lookup({ id: "web1" })) throw new Error(ensemble.log);
 * });
 * ```
 */
export class TestEnsemble implements AsyncDisposable {
  /** The temporary directory. It is removed at the end. */
  readonly directory: string;
  /**
   * The start options of each of its servers, for `runServer` and for programs that start their own
   * server.
   */
  readonly options: StartServerOptions;
  readonly #servers: EnsembleServer[] = [];
  readonly #log = new CollectedLog();

  /** @internal */
  constructor(options: StartServerOptions) {
    this.directory = Deno.makeTempDirSync({ prefix: "gx-" });
    const socketDirectory = `${this.directory}/sockets`;
    this.options = {
      directory: `${this.directory}/ensemble`,
      socketDirectory,
      registry: [`unix:${socketDirectory}/${REGISTRY_ID}`],
      cookie: crypto.getRandomValues(new Uint8Array(32)),
      grace: GRACE,
      log: false,
      ...options,
    };
  }

  /**
   * The log so far, one record per line. A test that fails inside {@linkcode withEnsemble} prints
   * it.
   */
  get log(): string {
    return this.#log.text;
  }

  /** The registry's server. */
  get registry(): EnsembleServer {
    return this.#servers[0]!;
  }

  /**
   * Starts a server of the ensemble, or a client if no id is given. It is stopped at the end of the
   * test, unless it was stopped before.
   *
   * @param options are added to the ensemble's options.
   * @throws {EnsembleError} as `startServer` does.
   */
  startServer(id: string, options?: StartServerOptions): Promise<EnsembleServer>;
  /** Starts a client of the ensemble: see `startServer` without an id. */
  startServer(options?: StartServerOptions): Promise<EnsembleServer>;
  async startServer(
    ...given: [id: string, options?: StartServerOptions] | [options?: StartServerOptions]
  ): Promise<EnsembleServer> {
    const [first, second] = given;
    const server = given.length === 0 || typeof first === "object" && first !== null
      ? await startServer({ ...this.options, ...first as StartServerOptions | undefined })
      : await startServer(first as string, { ...this.options, ...second });
    this.#servers.push(server);
    return server;
  }

  /** Stops all its servers, the registry last, and removes the directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    const [registry, ...others] = this.#servers;
    await Promise.all(others.map((server) => server.stop()));
    await registry?.stop();
    this.#log[Symbol.dispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/**
 * Starts an ensemble for a test, with a registry that keeps its entries in memory. Nothing is
 * logged to standard error.
 *
 * @param options the start options of all its servers.
 * @throws {EnsembleError} if the registry cannot start.
 *
 * @example A registry, a server and a client
 * ```ts
 * import { testEnsemble } from "@gxensemble/ensemble/testing";
 *
 * await using ensemble = await testEnsemble();
 * const web1 = await ensemble.startServer("web1");
 * web1.serve("echo", { say: ({ text }: { text: string }) => text });
 * const client = await ensemble.startServer();
 * console.log(await client.ask("echo@web1", { type: "say", text: "hello" }));
 * ```
 */
export async function testEnsemble(options: StartServerOptions = {}): Promise<TestEnsemble> {
  const ensemble = new TestEnsemble(options);
  try {
    await ensemble.startServer(REGISTRY_ID, {
      prepare: async (server) => void await serveRegistry(server, new MemoryStore()),
    });
    return ensemble;
  } catch (error) {
    await ensemble[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Makes a test from a function that receives an ensemble. If it fails, the servers' log is printed
 * to standard error.
 *
 * @example
 * ```ts
 * import { withEnsemble } from "@gxensemble/ensemble/testing";
 *
 * Deno.test("two servers find each other", withEnsemble(async (ensemble) => {
 *   const a = await ensemble.startServer("a");
 *   await ensemble.startServer("b");
 *   await a.ping("server@b");
 * }));
 * ```
 */
export function withEnsemble(
  test: (ensemble: TestEnsemble) => void | Promise<void>,
  options: StartServerOptions = {},
): () => Promise<void> {
  return async () => {
    await using ensemble = await testEnsemble(options);
    try {
      await test(ensemble);
    } catch (error) {
      console.error(ensemble.log);
      throw error;
    }
  };
}
