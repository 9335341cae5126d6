import assert from "node:assert/strict";
import { gxensembleOnTerminal } from "../terminal.ts";
import { SEALING_PROGRAM } from "../tested_program.ts";
import { installAdministrator } from "./administrator.ts";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

const PROMPT = "passphrase of the administrator key:";

/** A program that acts on other servers as requested. */
const TOOL = `
  import { currentServer } from "@gxensemble/ensemble";
  export async function main() {
    const server = currentServer();
    server.serve("tool", {
      shutDown: ({ id }) => server.remote(id).shutDown(),
      evaluate: ({ id, expression }) => server.remote(id).evaluate(expression),
    });
    await server.stopped;
  }
`;

/**
 * An ensemble with an administrator and its registry, and the options of a command that knows the
 * passphrase.
 */
async function administered() {
  const ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const { right, wrong } = await installAdministrator(ensemble);
  const registry = await ensemble.startRegistry();
  return { ensemble, registry, right, wrong };
}

/** Has the program in a server act, and returns the result. */
async function useTool(
  ensemble: RunningEnsemble,
  right: string[],
  server: string,
  request: Record<string, string>,
): Promise<string> {
  const expression = `ensemble.ask("tool", ${JSON.stringify(request)})
    .then((value) => "done: " + value, (error) => "failed: " + error.message)`;
  const [text] = await ensemble.lines("eval", "--json", ...right, server, expression);
  return JSON.parse(text!);
}

function audit(process: RunningProcess): string[] {
  return process.matching(/ audit: /).map(shortened);
}

/** Returns the lines, once there are this many. */
async function audited(process: RunningProcess, count: number): Promise<string[]> {
  return (await process.logs(count, / audit: /)).map(shortened);
}

function shortened(line: string): string {
  return line.replace(/^\S+ /, "").replace(/who=(admin|instance):\S+/, "who=$1")
    .replace(/client=console-\S+ claimed=\S+@\S+/, "client=console");
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

Deno.test("shutdown needs no passphrase before admin, and the right passphrase after it", async () => {
  await using ensemble = await RunningEnsemble.start();
  const free = await ensemble.startServer("my-server");
  assert.deepEqual(await ensemble.lines("eval", "my-server", "6 * 7"), ["42"]);
  assert.deepEqual(await ensemble.lines("shutdown", "my-server"), []);
  assert.equal(await free.exit(), 0);
  assert.deepEqual(audit(free), []);

  const file = await ensemble.write("passphrase", PASSPHRASE, { mode: 0o600 });
  const admin = [...SEALING_PROGRAM, "admin", "--passphrase-file", file];
  assert.equal((await ensemble.places.external(...admin).output()).code, 0);
  // Servers enforce it after a restart.
  await ensemble.lines("shutdown", "-f");
  await ensemble.startRegistry();
  const server = await ensemble.startServer("my-server");

  assert.match(
    await ensemble.failure("shutdown", "my-server"),
    /^cannot ask for the passphrase: there is no terminal; use --passphrase-file$/,
  );
  const shutdown = ["shutdown", "my-server"];
  const wrong = await gxensembleOnTerminal(ensemble.places, shutdown, [[PROMPT, "wrong one"]]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.screen, /gxensemble: error: the passphrase is wrong\n$/);
  assert.ok(!wrong.raw.includes("wrong one"));
  assert.deepEqual(await ensemble.lines("ping", "my-server"), ["OK"]);
  // The command above and the server's log both report it, once for each attempt.
  const REFUSED =
    "WARN audit: elevation refused who=instance client=console transport=unix capabilities=shutdown";
  assert.deepEqual(await audited(server, 2), [REFUSED, REFUSED]);

  const right = await gxensembleOnTerminal(ensemble.places, shutdown, [[PROMPT, PASSPHRASE]]);
  assert.equal(right.code, 0, right.screen);
  assert.ok(!right.raw.includes(PASSPHRASE));
  assert.equal(await server.exit(), 0);
  assert.deepEqual(audit(server).slice(2), [
    "INFO audit: elevation allowed who=admin client=console transport=unix capabilities=shutdown",
    "INFO audit: shutdown allowed who=admin client=console transport=unix actor=server",
  ]);
});

Deno.test("authorize lets another server use a capability until retract", async () => {
  const { ensemble, right } = await administered();
  await using _ = ensemble;
  const start = () => ensemble.startServer("my-server");
  let mine = await start();
  await ensemble.startServer("other", [], TOOL);
  const shutDown = () => useTool(ensemble, right, "other", { type: "shutDown", id: "my-server" });
  const evaluate = () =>
    useTool(ensemble, right, "other", { type: "evaluate", id: "my-server", expression: "1 + 1" });

  assert.match(await shutDown(), /^failed: other is not authorized for shutdown in my-server/);
  assert.deepEqual(await ensemble.lines("authorize", "--list", "my-server"), []);
  const authorize = ["authorize", ...right, "my-server", "other", "(shutdown)"];
  const authorized = await ensemble.run(...authorize);
  assert.deepEqual([authorized.code, authorized.stdout], [0, ""], authorized.stderr);
  const [, instance] = /authorized instance ([0-9a-f]{16}) of other \(pid \d+ on host \S+\)\n$/
    .exec(authorized.stderr) ?? assert.fail(authorized.stderr);
  const [listed, ...rest] = await ensemble.lines("authorize", "--list", "my-server");
  assert.deepEqual(rest, []);
  assert.match(
    listed!,
    new RegExp(
      `^\\(other \\(shutdown\\) "\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z" admin:[0-9a-f]{16} "${instance}"\\)$`,
    ),
  );
  const [json] = JSON.parse(
    (await ensemble.lines("authorize", "--list", "--json", "my-server")).join(""),
  );
  assert.deepEqual([json.server, json.capabilities], ["other", ["shutdown"]]);
  assert.match(json.instance, /^[0-9a-f]{64}$/);
  assert.equal(json.instance.slice(0, 16), instance);
  const [, entry] = JSON.parse((await ensemble.lines("list-servers", "--json")).join(""));
  assert.deepEqual([entry.server, entry.instance], ["other", json.instance]);

  assert.match(await evaluate(), /^failed: other is not authorized for evaluate in my-server/);
  assert.equal(await shutDown(), "done: undefined");
  assert.equal(await mine.exit(), 0);
  assert.deepEqual(audit(mine).slice(-2), [
    `WARN audit: evaluate refused who=instance client=other transport=unix hash=${await sha256(
      "1 + 1",
    )}`,
    "INFO audit: shutdown allowed who=instance client=other transport=unix actor=server",
  ]);

  // A capability ends with the server that granted it.
  mine = await start();
  assert.match(await shutDown(), /^failed: other is not authorized/);
  await ensemble.lines(...authorize);
  const retracted = await ensemble.run("retract", ...right, "my-server", "other");
  assert.deepEqual([retracted.code, retracted.stdout], [0, ""], retracted.stderr);
  assert.equal(retracted.stderr, "... other had (shutdown) in my-server\n");
  assert.match(await shutDown(), /^failed: other is not authorized/);
  assert.equal(
    await ensemble.failure("retract", ...right, "my-server", "other"),
    "other has no capabilities in my-server",
  );
  await mine.logged(/ audit: retract failed .* reason="other has no capabilities in my-server"$/);
  assert.equal(mine.matching(/ audit: retract allowed /).length, 1);

  // Without a list, all are granted.
  await ensemble.lines("authorize", ...right, "my-server", "other");
  assert.equal(await evaluate(), "done: 2");
});

Deno.test("a restarted delegate must be authorized again", async () => {
  const { ensemble, right } = await administered();
  await using _ = ensemble;
  const other = await ensemble.startServer("other", [], TOOL);
  const mine = await ensemble.startServer("my-server");
  await ensemble.lines("authorize", ...right, "my-server", "other");
  // As after a crash: it stays in the registry.
  await other.kill();
  await ensemble.startServer("other", [], TOOL);
  const request = { type: "shutDown", id: "my-server" };
  assert.match(
    await useTool(ensemble, right, "other", request),
    /^failed: other is not authorized/,
  );
  await ensemble.lines("authorize", ...right, "my-server", "other", "(shutdown)");
  assert.equal(await useTool(ensemble, right, "other", request), "done: undefined");
  assert.equal(await mine.exit(), 0);
});

Deno.test("run --authorize lets every instance of another server use a capability", async () => {
  const { ensemble, right } = await administered();
  await using _ = ensemble;
  const mine = await ensemble.startServer("my-server", ["--authorize", "other=shutdown"]);
  await ensemble.startServer("other", [], TOOL);
  assert.deepEqual(
    (await ensemble.lines("authorize", "--list", "my-server"))
      .map((line) => line.replace(/"[\dTZ:.-]+"/, "<time>")),
    ["(other (shutdown) <time> options)"],
  );
  const request = { type: "shutDown", id: "my-server" };
  assert.equal(await useTool(ensemble, right, "other", request), "done: undefined");
  assert.equal(await mine.exit(), 0);
});

Deno.test("shutdown -f of the whole ensemble asks for the passphrase once, dead servers or not", async () => {
  const { ensemble, registry, wrong } = await administered();
  await using _ = ensemble;
  const ids = ["a", "b", "c"];
  const servers = await Promise.all(ids.map((id) => ensemble.startServer(id)));
  const dead = await Promise.all(["d", "e", "f"].map((id) => ensemble.startServer(id)));
  await Promise.all(dead.map((server) => server.kill()));

  const refused = await ensemble.run("shutdown", "-f", ...wrong);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the passphrase is wrong/);
  for (const id of [...ids, "registry"]) assert.deepEqual(await ensemble.lines("ping", id), ["OK"]);

  const dialogue: [string, string][] = [[PROMPT, PASSPHRASE]];
  const { code, screen } = await gxensembleOnTerminal(
    ensemble.places,
    ["shutdown", "-f"],
    dialogue,
  );
  assert.equal(code, 0, screen);
  for (const process of [...servers, registry]) assert.equal(await process.exit(), 0);
  assert.deepEqual(ensemble.sockets().filter((name) => !["d", "e", "f"].includes(name)), []);
  // The prompt is redrawn after each key, but its answer is shown once.
  assert.equal(screen.split(/✔|✓/).length - 1, 1, screen);
});

Deno.test("commands that only read never ask for a passphrase", async () => {
  const { ensemble, registry } = await administered();
  await using _ = ensemble;
  const server = await ensemble.startServer("a", ["--roles", "web"]);
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  assert.deepEqual(await ensemble.lines("ping", "a", "loader"), ["OK"]);
  assert.deepEqual(await ensemble.lines("ping", "loader@a"), ["OK"]);
  assert.equal((await ensemble.lines("lookup", "a")).length, 1);
  assert.equal((await ensemble.lines("lookup", "--role", "web")).length, 1);
  assert.equal((await ensemble.lines("list-servers")).length, 2);
  assert.equal((await ensemble.lines("list-actors", "a")).length, 4);
  assert.equal((await ensemble.lines("list-connections", "a")).length, 1);
  assert.deepEqual(await ensemble.lines("authorize", "--list", "a"), []);
  assert.deepEqual([...audit(server), ...audit(registry)], []);
});

Deno.test("eval, load and shutdown of an actor take the passphrase, and appear in the audit log", async () => {
  const { ensemble, right, wrong } = await administered();
  await using _ = ensemble;
  const server = await ensemble.startServer("a", [], TOOL);
  const module = await ensemble.write("loaded.ts", `console.log("loaded"); export {};\n`);
  const expression = "globalThis.secret = 6 * 7";
  const commands = {
    eval: ["a", expression],
    load: ["a", module],
    shutdown: ["a", "tool"],
    authorize: ["a", "a"],
    retract: ["a", "a"],
  };
  for (const [command, args] of Object.entries(commands)) {
    assert.match(
      await ensemble.failure(command, ...args),
      /^cannot ask for the passphrase/,
      command,
    );
  }
  assert.match(
    await ensemble.failure("eval", ...wrong, ...commands.eval),
    /^the passphrase is wrong$/,
  );
  assert.deepEqual(server.output, []);
  assert.equal(audit(server).filter((line) => / allowed /.test(line)).length, 0);
  const before = (await audited(server, Object.keys(commands).length + 1)).length;

  assert.deepEqual(await ensemble.lines("eval", ...right, "a", expression), ["42"]);
  const [, hash] = await ensemble.lines("load", ...right, "a", module);
  await server.printed("loaded");
  await ensemble.lines("shutdown", ...right, "a", "tool");
  await server.logs(1, / audit: shutdown allowed /);
  const records = audit(server).slice(before).filter((line) => !/elevation allowed/.test(line));
  assert.deepEqual(records, [
    `INFO audit: evaluate allowed who=admin client=console transport=unix hash=${await sha256(
      expression,
    )}`,
    `INFO audit: load allowed who=admin client=console transport=unix hash=${hash}`,
    "INFO audit: shutdown allowed who=admin client=console transport=unix actor=tool",
  ]);
  assert.deepEqual(server.matching(/globalThis|correct horse|battery staple/), []);
});

Deno.test("each REPL input has its own line in the audit log", async () => {
  const { ensemble } = await administered();
  await using _ = ensemble;
  const server = await ensemble.startServer("a");
  const { code, screen } = await gxensembleOnTerminal(ensemble.places, ["repl", "a"], [
    [PROMPT, PASSPHRASE],
    ["a> ", "6 * 7"],
    ["42", "7 * 8"],
    ["56", ",q"],
  ]);
  assert.equal(code, 0, screen);
  assert.deepEqual(
    (await audited(server, 4)).map((line) => line.replace(/hash=[0-9a-f]{64}$/, "hash=...")),
    [
      "INFO audit: elevation allowed who=admin client=console transport=unix capabilities=loader",
      "INFO audit: openSession allowed who=admin client=console transport=unix",
      "INFO audit: evaluate allowed who=admin client=console transport=unix hash=...",
      "INFO audit: evaluate allowed who=admin client=console transport=unix hash=...",
    ],
  );
});

Deno.test("a host without the private key does not ask for its passphrase", async () => {
  const { ensemble, right } = await administered();
  await using _ = ensemble;
  await ensemble.startServer("a");
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.priv`);
  const seen = await gxensembleOnTerminal(ensemble.places, ["shutdown", "a"]);
  assert.equal(seen.code, 1);
  assert.match(
    seen.screen,
    /console-\S+ is not authorized for shutdown in a: it takes the capability shutdown, and the administrators' private key is not on this host\n$/,
  );
  assert.match(await ensemble.failure("shutdown", ...right, "a"), /is not on this host$/);
});

Deno.test("servers keep the public key that they were started with", async () => {
  const { ensemble, right } = await administered();
  await using _ = ensemble;
  const server = await ensemble.startServer("a");
  const pub = `${ensemble.places.gerbilPath}/ensemble/admin.pub`;
  const text = await Deno.readTextFile(pub);
  await Deno.remove(pub);
  assert.match(await ensemble.failure("shutdown", "a"), /^cannot ask for the passphrase/);
  await Deno.writeTextFile(pub, text);
  await ensemble.lines("shutdown", ...right, "a");
  assert.equal(await server.exit(), 0);
});

Deno.test("a process with the cookie cannot take a running server's id or entry", async () => {
  const { ensemble, registry, right } = await administered();
  await using _ = ensemble;
  const other = await ensemble.startServer("other", [], TOOL);
  const mine = await ensemble.startServer("my-server");
  await ensemble.lines("authorize", ...right, "my-server", "other");
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.pub`);
  // Its socket does not conflict, since it listens elsewhere.
  const rogue = await ensemble.places.evaluate(`
    import { findPlaces } from "${new URL("../../runtime/home/paths.ts", import.meta.url)}";
    import { readCookie } from "${new URL("../../runtime/home/cookie.ts", import.meta.url)}";
    import { ActorServer } from "${new URL(
    "../../runtime/server/actor_server.ts",
    import.meta.url,
  )}";
    import { parseAddresses } from "${new URL("../../runtime/wire/address.ts", import.meta.url)}";
    const at = (id) => parseAddresses("unix:${ensemble.places.socketDirectory}/" + id);
    const attempt = async (register) => {
      const server = await ActorServer.start({
        id: "other", cookies: [await readCookie(findPlaces())], listen: [],
        registry: at("registry"), roles: [], register,
      });
      await server.connect("my-server", at("my-server"));
    };
    for (const register of [true, false]) {
      console.log(await attempt(register).then(() => "in", (error) => error.message));
    }
    Deno.exit();
  `);
  assert.equal(rogue.code, 0, rogue.stderr);
  const lines = rogue.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 2);
  for (const line of lines) {
    assert.match(line, /other is already running: pid \d+ on host|instance is registered as other/);
  }
  await registry.logged(/WARN server: refused .* other is already running: pid \d+ /);
  await mine.logged(/WARN server: refused .* registered as other \(pid \d+ /);
  assert.equal(other.matching(/ (WARN|ERROR) /).length, 0);
});
