/**
 * The HTTP endpoint of servers that are started from the command line.
 *
 * @module
 */
import assert from "node:assert/strict";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

/** The URL at which a process answers over HTTP. */
async function urlOf(process: RunningProcess): Promise<string> {
  return (await process.logged(/answers over HTTP at (http:\S+)$/))[1]!;
}

async function statusOf(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

async function failedChecks(url: string): Promise<string[]> {
  const response = await fetch(`${url}/ready`);
  const { checks } = await response.json() as { checks: { name: string }[] };
  return checks.map(({ name }) => name);
}

Deno.test("--http answers /ready as the program, the registry and a drain say", async () => {
  await using ensemble = new RunningEnsemble();
  assert.equal((await ensemble.run("cookie")).code, 0);
  const registry = await ensemble.startRegistry("--http", "0", "--lease", "2");
  const registryUrl = await urlOf(registry);
  assert.equal(await statusOf(`${registryUrl}/ready`), 200);
  const text = `
    import { currentServer } from "@gxensemble/ensemble";
    export async function main() {
      const server = currentServer();
      server.holdReady();
      server.addHealthCheck("queue", () => globalThis.full !== true);
      await server.stopped;
    }
  `;
  const web1 = await ensemble.startServer("web1", ["--http", "0"], text);
  const url = await urlOf(web1);
  const isReady = () =>
    web1.until(async () => await statusOf(`${url}/ready`) === 200, "answers that it is ready");
  // On a busy machine, the short lease can run out at any time.
  const fails = (check: string) =>
    web1.until(async () => (await failedChecks(url)).includes(check), `fails the check ${check}`);

  await fails("state");
  assert.equal(await statusOf(`${url}/alive`), 200);
  await ensemble.lines("eval", "web1", "ensemble.ready().then(() => 1)");
  await isReady();
  await ensemble.lines("eval", "web1", "globalThis.full = true");
  await fails("queue");
  await ensemble.lines("eval", "web1", "globalThis.full = false");
  await isReady();

  // The lease runs out when the registry has ended.
  await registry.kill();
  await fails("registry");
  assert.equal(await statusOf(`${url}/ready?exclude=registry`), 200);
  // At the same port, as its successor.
  await ensemble.startRegistry("--http", new URL(registryUrl).host, "--lease", "2");
  await isReady();
  await ensemble.lines("drain", "web1");
  await fails("state");
});

Deno.test("--http for other hosts needs a token, which SIGHUP has it read again", async () => {
  await using ensemble = await RunningEnsemble.start();
  const refusals: [args: string[], message: RegExp][] = [
    [
      ["--http", "0.0.0.0:0"],
      /^gxensemble: error: other hosts can connect to 0\.0\.0\.0:0: name a/,
    ],
    [["--http-token", "token"], /^gxensemble: error: --http-token needs --http$/m],
    [
      ["--http", "1.2.3.4"],
      /^gxensemble: error: option '--http <address>' argument '1\.2\.3\.4' is/,
    ],
  ];
  for (const [args, message] of refusals) {
    const { code, stderr } = await ensemble.run("registry", ...args);
    assert.match(stderr, message);
    assert.equal(code, 2);
  }
  const token = await ensemble.write("token", "0123456789abcdef", { mode: 0o600 });
  const web1 = await ensemble.startServer("web1", ["--http", "0.0.0.0:0", "--http-token", token]);
  const url = (await urlOf(web1)).replace("0.0.0.0", "127.0.0.1");
  const detailed = async (token: string) => {
    const response = await fetch(`${url}/alive`, { headers: { Authorization: `Bearer ${token}` } });
    return await response.text() === `{"server":"web1","alive":true}\n`;
  };
  assert.ok(await detailed("0123456789abcdef"));
  await ensemble.write("token", "fedcba9876543210", { mode: 0o600 });
  assert.ok(!await detailed("fedcba9876543210"));
  web1.signal("SIGHUP");
  await web1.until(() => detailed("fedcba9876543210"), "knows the new token");
  assert.ok(!await detailed("0123456789abcdef"));
});

Deno.test("--http listens also where --deny takes the network away", async () => {
  await using ensemble = await RunningEnsemble.start();
  const options = ["--http", "0", "--deny", "net,run,ffi,env,write,sys"];
  const url = await urlOf(await ensemble.startServer("web1", options));
  assert.equal(await statusOf(`${url}/ready`), 200);
});

Deno.test("--http is an option of programs with their own command line, which may prepare more", async () => {
  await using ensemble = await RunningEnsemble.start();
  const file = await ensemble.write(
    "program.ts",
    `import { currentServer, runProgram } from "@gxensemble/ensemble";
    await runProgram(() => currentServer().stopped, {
      roles: ["web"],
      prepare: (server) => server.addHealthCheck("prepared", () => true),
    });`,
  );
  const program = ensemble.spawnDeno(
    ...["run", "-A", "--no-check", `--config=${import.meta.dirname}/../../deno.json`, file],
    ...["--http", "0", "web1"],
  );
  const url = await urlOf(program);
  await program.logged(/web1 is in the registry$/);
  const response = await fetch(`${url}/ready?verbose`);
  assert.deepEqual(await response.json(), {
    server: "web1",
    ready: true,
    checks: ["state", "registry", "prepared"].map((name) => ({ name, passes: true })),
  });
  const status = await ensemble.lines("status", "web1", "--json");
  assert.equal(JSON.parse(status.join("\n")).http, url);
});
