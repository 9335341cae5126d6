import assert from "node:assert/strict";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

/** A server with a service whose handlers are those of the module `greeting.js`. */
const MAIN = `
  import { currentServer } from "@gxensemble/ensemble";
  import * as greeting from "./greeting.js";
  export const main = () => {
    const server = currentServer();
    server.serve("greeter", greeting.service, { state: 0 });
    return server.stopped;
  };
`;

/** A version of that module. */
const greeting = (text: string, more = "") => `
  export const service = { greet: (_request, context) => { context.state++; return ${
  JSON.stringify(text)
}; } };
  export function install() {}
  ${more}
`;

/** A version that is not well in one server. */
const illIn = (id: string) =>
  greeting(
    "ill",
    `
  import { currentServer } from "@gxensemble/ensemble";
  export const healthy = () => currentServer().id !== "${id}";
`,
  );

/** Asks the servers in turn, until its input says to stop; then prints the numbers of answers and failures. */
const ASKING = `
  import { startServer } from "@gxensemble/ensemble";
  await using client = await startServer({ log: false });
  const ids = Deno.args;
  let answers = 0;
  const failures = [];
  let isOver = false;
  Deno.addSignalListener("SIGUSR1", () => isOver = true);
  const ask = async (id) => {
    while (!isOver) {
      try {
        await client.ask(\`greeter@\${id}\`, { type: "greet" });
        if (++answers === 1) console.log("asking");
      } catch (error) {
        failures.push(\`\${id}: \${error.message}\`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  await Promise.all(ids.map(ask));
  console.log("done " + JSON.stringify({ answers, failures }));
`;

/** Servers with the role web, which all run \`greeting.js\`. */
class Web implements AsyncDisposable {
  readonly ensemble: RunningEnsemble;
  readonly file: string;
  readonly ids: string[];
  readonly servers = new Map<string, RunningProcess>();

  private constructor(ensemble: RunningEnsemble, count: number) {
    this.ensemble = ensemble;
    this.file = ensemble.path("greeting.js");
    this.ids = Array.from({ length: count }, (_, index) => `web${index + 1}`);
  }

  static async start(count: number): Promise<Web> {
    const web = new Web(await RunningEnsemble.start(), count);
    await web.ensemble.write("deno.json", "{}");
    await web.ensemble.write("main.js", MAIN);
    await web.write(greeting("first"));
    await Promise.all(web.ids.map((id) => web.startServer(id)));
    return web;
  }

  async startServer(id: string): Promise<RunningProcess> {
    const main = this.ensemble.path("main.js");
    const server = this.ensemble.spawn("run", "--roles", "web", id, main);
    await server.logged(/is in the registry$/);
    this.servers.set(id, server);
    return server;
  }

  write(text: string): Promise<string> {
    return this.ensemble.write("greeting.js", text);
  }

  load(...options: string[]) {
    return this.ensemble.run("load", ...options, "--role", "web", this.file);
  }

  /** What the service of each server answers. */
  async greetings(): Promise<string[]> {
    const lines = await this.ensemble.lines("call", "--json", "--role", "web", "greeter", "greet");
    return lines.map((line) => JSON.parse(line).result);
  }

  /** Asks all servers during some work, none of which may fail. */
  async whileAsked<Result>(work: () => Promise<Result>): Promise<Result> {
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const program = await this.ensemble.write("asking.js", ASKING);
    const client = this.ensemble.spawnDeno("run", "-A", `--config=${config}`, program, ...this.ids);
    await client.printed("asking");
    const result = await work();
    client.signal("SIGUSR1");
    const { answers, failures } = JSON.parse((await client.printed("done ")).slice(5));
    assert.deepEqual(failures, []);
    assert.ok(answers > 0);
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ensemble[Symbol.asyncDispose]();
  }
}

const HASH = /[0-9a-f]{64}/g;

/** Lines with HASH in place of hashes. */
function withoutHashes(text: string): string[] {
  return text.replace(/\n$/, "").replaceAll(HASH, "HASH").split("\n");
}

Deno.test("load rolls a version out to a role, and goes back everywhere when one server is ill", async () => {
  await using web = await Web.start(4);
  const { ensemble, ids } = web;
  await web.whileAsked(async () => {
    await web.write(greeting("second", "export const healthy = () => true;"));
    const good = await web.load();
    assert.deepEqual(good, {
      code: 0,
      stdout: good.stdout,
      stderr: "",
    });
    assert.deepEqual(
      withoutHashes(good.stdout),
      ids.map((id) => `${id}: loaded greeting.js HASH, well, kept`),
    );
    assert.deepEqual(await web.greetings(), ["second", "second", "second", "second"]);

    await web.write(illIn("web3"));
    const bad = await web.load("--wait", "0.3");
    assert.equal(bad.code, 1);
    assert.deepEqual(withoutHashes(bad.stdout), [
      "web1: loaded greeting.js HASH, well, kept",
      "web2: loaded greeting.js HASH, well, kept",
      "web1: back to greeting.js HASH, called its install()",
      "web2: back to greeting.js HASH, called its install()",
      "web3: back to greeting.js HASH, called its install()",
    ]);
    assert.deepEqual(withoutHashes(bad.stderr), [
      "gxensemble: error: web3: not well within 0.3 s: its healthy() gave false",
      "... going back in 3 of 4 servers",
      "gxensemble: error: failed in web3; all 3 are back",
    ]);
    assert.deepEqual(await web.greetings(), ["second", "second", "second", "second"]);
  });
  const status = await ensemble.run("load", "--status", "--role", "web");
  assert.deepEqual(status.code, 0);
  assert.deepEqual(
    withoutHashes(status.stdout).map((line) => line.replaceAll(/"[^"]*[@Z][^"]*"/g, "_")),
    ids.map((id) => `${id}: (greeting.js "HASH" _ _ kept)`),
  );
  assert.equal(status.stderr, "");
});
