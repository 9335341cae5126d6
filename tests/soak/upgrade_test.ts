/**
 * An upgrade of a compiled server on two hosts, each with a supervisor, while clients use it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { makeExecutable } from "../../cli/executables/executable.ts";
import { startServer } from "../../runtime/ensemble/start_server.ts";
import { EnsembleError, type ErrorCode } from "../../runtime/errors.ts";
import { SupervisedHost } from "../e2e/supervised_host.ts";
import { freePort } from "../free_port.ts";
import { eventually } from "../runtime/server/captured_logs.ts";

/** Errors after which a client tries again. */
const TRANSIENT: readonly ErrorCode[] = [
  ...["ACTOR_ENDED", "DISCONNECTED", "NO_MEMBER", "SERVER_STOPPING", "TIMEOUT"] as const,
  ...["UNKNOWN_ACTOR", "UNKNOWN_SERVER"] as const,
];

const CLIENTS = 8;

const MOST_TRIES = 20;

function program(version: number): string {
  return `
    import { currentServer } from "@gxensemble/ensemble";
    export async function main() {
      const server = currentServer();
      const shop = server.serve("shop", {
        async buy() {
          await new Promise((resolve) => setTimeout(resolve, 10));
          return { version: ${version}, server: server.id };
        },
      }, { concurrent: true });
      server.join("shops", shop);
      await server.stopped;
    }
  `;
}

function host(servers: string[], registry: object): Record<string, unknown> {
  return {
    ...registry,
    roles: {
      shop: {
        executable: "uploads/executables/shop",
        listen: ["tcp://127.0.0.1:0"],
        restart: "permanent",
      },
    },
    servers: Object.fromEntries(servers.map((id) => [id, { role: "shop" }])),
    supervisor: { filesystem: true },
  };
}

interface Bought {
  readonly version: number;
  readonly server: string;
}

/** What clients have seen. */
interface Figures {
  requests: number;
  retries: number;
  slowest: number;
  readonly failures: string[];
  readonly versions: Map<string, number>;
}

Deno.test("no request of a retrying client fails while a compiled server is upgraded on two hosts", async () => {
  const address = `tcp://127.0.0.1:${freePort()}`;
  await using one = await SupervisedHost.with(
    host(["shop1", "shop2"], { registry: { listen: [address] } }),
  );
  await using two = await SupervisedHost.with(host(["shop3", "shop4"], { registry: false }), {
    id: "supervisor-t2",
  });
  const state = (each: SupervisedHost) => `${each.ensemble.places.gerbilPath}/ensemble`;
  await Deno.copyFile(`${state(one)}/cookie`, `${state(two)}/cookie`);
  const deno = await one.ensemble.writeDeno();
  const executables: string[] = [];
  for (const version of [1, 2]) {
    const entry = await one.ensemble.write(`shop${version}.ts`, program(version));
    const output = one.ensemble.path(`shop-v${version}`);
    await makeExecutable({ entry, output, portable: true, deno, lazyBuiltins: [] });
    executables.push(output);
  }
  for (const each of [one, two]) {
    await Deno.mkdir(`${state(each)}/uploads/executables`, { recursive: true });
    await Deno.copyFile(executables[0]!, `${state(each)}/uploads/executables/shop`);
    await Deno.chmod(`${state(each)}/uploads/executables/shop`, 0o755);
  }
  for (const each of [one, two]) each.ensemble.places.environment.ENSEMBLE_REGISTRY = address;
  await one.start();
  await two.start();
  for (const id of ["shop1", "shop2"]) await one.up(id);
  for (const id of ["shop3", "shop4"]) await two.up(id);

  await using client = await startServer({
    directory: state(one),
    socketDirectory: one.ensemble.places.socketDirectory,
    registry: [address],
    log: false,
  });
  const figures: Figures = {
    requests: 0,
    retries: 0,
    slowest: 0,
    failures: [],
    versions: new Map(),
  };
  let isOver = false;
  const buy = async () => {
    for (let tries = 1;; tries++) {
      try {
        return await client.askAny<Bought>("shops", { type: "buy" }, { timeout: 2_000 });
      } catch (error) {
        if (!(error instanceof EnsembleError) || !TRANSIENT.includes(error.code)) throw error;
        if (tries === MOST_TRIES) throw error;
        figures.retries++;
        await new Promise((resolve) => setTimeout(resolve, 20 * tries));
      }
    }
  };
  const use = async () => {
    while (!isOver) {
      const begin = performance.now();
      try {
        const { version, server } = await buy();
        const key = `${server} v${version}`;
        figures.versions.set(key, (figures.versions.get(key) ?? 0) + 1);
      } catch (error) {
        figures.failures.push(String(error));
      }
      figures.requests++;
      figures.slowest = Math.max(figures.slowest, performance.now() - begin);
    }
  };
  const sees = (key: string) => () => figures.versions.has(key);
  const users = Array.from({ length: CLIENTS }, use);
  for (const id of [1, 2, 3, 4]) await eventually(sees(`shop${id} v1`));
  const control = async (...args: string[]) => {
    const begin = performance.now();
    const lines = await one.ensemble.lines("control", ...args);
    return [...lines, `(${Math.round(performance.now() - begin)} ms)`];
  };
  const transcript = [
    ...await control("upload", "--all", executables[1]!, "shop"),
    ...await control("restart-server", "--role", "shop", "--all", "--drain"),
  ];
  for (const id of [1, 2, 3, 4]) await eventually(sees(`shop${id} v2`));
  figures.versions.clear();
  for (const id of [1, 2, 3, 4]) await eventually(sees(`shop${id} v2`));
  isOver = true;
  await Promise.all(users);
  console.log(transcript.join("\n"), figures);
  assert.deepEqual(figures.failures, []);
  assert.deepEqual([...figures.versions.keys()].filter((key) => key.endsWith("v1")), []);
  assert.ok(transcript.filter((line) => line.startsWith("... restarted shop")).length === 4);
});
