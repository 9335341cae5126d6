import assert from "node:assert/strict";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { CTRL_C, Terminal } from "../terminal.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

const PROMPT = "passphrase of the administrator key:";

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
      await new Promise((resolve) => setTimeout(resolve, 20));
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

  static async start(count: number, ...registryOptions: string[]): Promise<Web> {
    return await Web.startIn(await RunningEnsemble.start(...registryOptions), count);
  }

  /** Starts the servers in an ensemble. */
  static async startIn(ensemble: RunningEnsemble, count: number): Promise<Web> {
    const web = new Web(ensemble, count);
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

Deno.test("a killed roll-out is seen by load --status, holds its lock for its lease, and can be gone back from", async () => {
  await using web = await Web.start(3, "--lease", "2");
  const { ensemble, file } = web;
  await web.write(illIn("web2"));
  const first = ensemble.spawn("load", "--wait", "60", "--role", "web", file);
  await first.printed("web1: loaded greeting.js ");

  const refused = await web.load();
  assert.equal(refused.code, 1);
  assert.match(
    refused.stderr,
    /^gxensemble: error: a roll-out to servers with the role web is under way: \S+@\S+ \(console-\S+\) since \S+Z; if its command has ended, its lock is free in \d+ s\n$/,
  );
  await first.kill();

  const status = await ensemble.run("load", "--status", "--role", "web");
  assert.deepEqual(
    withoutHashes(status.stdout).map((line) => line.replaceAll(/"[^"]*[@Z][^"]*"/g, "_")),
    [
      'web1: (greeting.js "HASH" _ _ kept)',
      'web2: (greeting.js "HASH" _ _)',
      'web3: (greeting.js "HASH" _ _ drift)',
    ],
  );
  const [differs, holder] = withoutHashes(status.stderr);
  assert.equal(differs, "... greeting.js differs: 2 have HASH, 1 has HASH");
  if (holder) {
    assert.match(holder, /^\.{3} a roll-out is under way: \S+@\S+ \(console-\S+\) since /);
  }

  const back = () => ensemble.run("load", "--rollback", "--role", "web");
  let outcome = await back();
  while (/ under way: /.test(outcome.stderr)) outcome = await back();
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.deepEqual(withoutHashes(outcome.stdout), [
    "web1: back to greeting.js HASH, called its install()",
    "web2: back to greeting.js HASH, called its install()",
    "web3: unchanged: it does not have that version",
  ]);
  assert.match(
    outcome.stderr,
    /^\.{3} going back from greeting\.js \S+, which .* in 2 of 3 servers$/m,
  );
  assert.deepEqual(await web.greetings(), ["first", "first", "first"]);
  const again = await back();
  assert.deepEqual(again, {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: nothing is loaded that could be gone back from\n",
  });
});

Deno.test("the lock of a roll-out outlives a restart of the registry", async () => {
  await using web = await Web.start(2, "--lease", "2");
  const { ensemble, file } = web;
  await web.write(illIn("web2"));
  const first = ensemble.spawn("load", "--wait", "60", "--role", "web", file);
  await first.printed("web1: loaded greeting.js ");
  await web.servers.get("web2")!.logged(/loaded greeting\.js/);
  await ensemble.lines("shutdown", "registry");
  await ensemble.startRegistry("--lease", "2");
  const second = await web.load();
  assert.equal(second.code, 1);
  assert.match(second.stderr, /error: a roll-out to servers with the role web is under way: /);
  first.signal("SIGTERM");
  assert.equal(await first.exit(), 1);
  assert.equal(first.log.at(-1), "gxensemble: error: interrupted; all 2 are back");
});

Deno.test("a roll-out stays when the registry has ended meanwhile", async () => {
  await using web = await Web.start(2);
  const { ensemble } = web;
  const gate = ensemble.path("gate");
  await web.write(greeting("second"));
  const health = `await Deno.stat(${JSON.stringify(gate)}).then(() => true, () => false)`;
  const rolling = ensemble.spawn(
    ..."load --wait 60 --role web --health".split(" "),
    health,
    web.file,
  );
  await web.servers.get("web1")!.logged(/loaded greeting\.js/);
  await ensemble.lines("shutdown", "registry");
  await ensemble.write("gate", "");
  assert.equal(await rolling.exit(), 1);
  assert.deepEqual(withoutHashes(rolling.output.join("\n")), [
    "web1: loaded greeting.js HASH, well, kept",
    "web2: loaded greeting.js HASH, well, kept",
  ]);
  assert.match(
    rolling.log.at(-1)!,
    /^gxensemble: error: 2 of 2 servers have it; servers that joined or restarted meanwhile may not, since they could not be looked for: cannot reach registry: /,
  );
  await ensemble.startRegistry();
  for (const id of web.ids) {
    assert.deepEqual(await ensemble.lines("call", `greeter@${id}`, "greet"), ['"second"']);
  }
});

Deno.test("an interrupted roll-out goes back when it cannot ask", async () => {
  await using web = await Web.start(2);
  await web.write(illIn("web2"));
  const first = web.ensemble.spawn("load", "--wait", "60", "--role", "web", web.file);
  await web.servers.get("web2")!.logged(/loaded greeting\.js/);
  first.signal("SIGINT");
  assert.equal(await first.exit(), 1);
  assert.deepEqual(withoutHashes(first.output.join("\n")).slice(1), [
    "web1: back to greeting.js HASH, called its install()",
    "web2: back to greeting.js HASH, called its install()",
  ]);
  assert.equal(first.log.at(-1), "gxensemble: error: interrupted; all 2 are back");
  assert.deepEqual(await web.greetings(), ["first", "first"]);
});

Deno.test("a roll-out leaves out a server that ends before its turn, and reaches one that joins", async () => {
  await using web = await Web.start(3, "--lease", "2");
  const { ensemble } = web;
  const gate = ensemble.path("gate");
  await web.write(greeting("second"));
  // One that is draining goes on with what it has, so it gets the version, too.
  await ensemble.lines("eval", "web2", "void ensemble.drain()");
  const health = `await Deno.stat(${JSON.stringify(gate)}).then(() => true, () => false)`;
  const rolling = ensemble.spawn(
    ..."load --json --wait 60 --role web --health".split(" "),
    health,
    web.file,
  );
  await web.servers.get("web1")!.logged(/loaded greeting\.js/);
  await web.servers.get("web3")!.kill();
  await web.startServer("web4");
  await rolling.until(async () => {
    const up = await ensemble.lines("lookup", "--role", "web");
    return !up.some((line) => line.startsWith("(web3 "));
  }, "noticed that web3 has ended");
  await ensemble.write("gate", "");
  assert.equal(await rolling.exit(), 1);
  const lines = rolling.output.map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ server, result }) => [server, result?.state, result?.health]), [
    ["web1", "loaded", "well"],
    ["web2", "loaded", "well"],
    ["web3", undefined, undefined],
    // It has started with the text that is rolled out.
    ["web4", "already", "well"],
  ]);
  assert.ok(rolling.log.includes("... joined or restarted meanwhile: web4"));
  assert.equal(
    rolling.log.at(-1),
    "gxensemble: error: 3 of 4 servers have it; gone meanwhile: web3",
  );
});

Deno.test("a server that starts again has what was rolled out, until it goes back", async () => {
  await using web = await Web.start(2);
  const { ensemble } = web;
  await web.write(greeting("second"));
  assert.equal((await web.load()).code, 0);
  const same = await web.load("--dry-run");
  assert.match(
    same.stdout,
    /^web1: \.\.\. already loaded \S+\nweb1: \w+\nweb2: \.\.\. already loaded /m,
  );
  const nothing = await web.load();
  assert.deepEqual(withoutHashes(nothing.stdout), [
    "web1: already has greeting.js HASH, kept",
    "web2: already has greeting.js HASH, kept",
  ]);
  assert.match(
    nothing.stderr,
    /^\.{3} nothing to load: all 2 servers run greeting\.js \w+ already$/m,
  );

  await web.write(greeting("first"));
  const restart = async () => {
    await ensemble.lines("shutdown", "web1");
    await web.servers.get("web1")!.exit();
    await web.startServer("web1");
  };
  await restart();
  assert.deepEqual(await web.greetings(), ["second", "second"]);
  assert.equal((await ensemble.run("load", "--rollback", "--role", "web")).code, 0);
  assert.deepEqual(await web.greetings(), ["first", "first"]);
  await restart();
  assert.deepEqual(await web.greetings(), ["first", "first"]);
});

Deno.test("a roll-out asks for the passphrase once, and after Ctrl-C what to do", async () => {
  const ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  await installAdministrator(ensemble);
  await ensemble.startRegistry();
  await using web = await Web.startIn(ensemble, 2);
  await web.write(illIn("web2"));
  const command = [...ensemble.places.program, ..."load --role web --wait 60".split(" "), web.file];
  const answering = async (choose: (terminal: Terminal) => void) => {
    await using terminal = new Terminal(ensemble.places, command);
    await terminal.shows(PROMPT);
    terminal.type(`${PASSPHRASE}\r`);
    await terminal.shows("web1: ");
    await web.servers.get("web2")!.logs(++loads, /loaded greeting\.js|made current again/);
    terminal.type(CTRL_C);
    await terminal.shows("interrupted: 2 of 2 servers have the new version; what now?");
    choose(terminal);
    return await terminal.end();
  };
  let loads = 0;
  const back = await answering((terminal) => terminal.type("\r"));
  assert.equal(back.code, 1);
  assert.match(back.screen, /^web1: back to greeting\.js \w+, called its install\(\)$/m);
  assert.match(back.screen, /^web2: back to greeting\.js \w+, called its install\(\)$/m);
  assert.match(back.screen, /error: interrupted; all 2 are back$/m);
  assert.equal(back.screen.split(/✔|✓/).length - 1, 2, "the passphrase and the choice");

  const left = await answering((terminal) => terminal.type(CTRL_C));
  assert.equal(left.code, 1);
  assert.match(left.screen, /interrupted; 2 of 2 servers have the new version: to go on, load it/);
  const { right } = await installAdministrator(ensemble);
  const status = await ensemble.lines("load", "--status", "--role", "web", ...right);
  assert.equal(new Set(status.map((line) => /"(\w{64})"/.exec(line)![1])).size, 1);
});
