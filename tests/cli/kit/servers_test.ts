import assert from "node:assert/strict";
import { stopServer } from "../../../cli/kit/servers.ts";
import { suggestLookups, suggestServers } from "../../../cli/kit/suggestions.ts";
import { DisconnectedError, EnsembleError } from "../../../runtime/errors.ts";
import { decodePem } from "../../../runtime/pki/pem.ts";
import { generatePair } from "../../cheap_passphrase.ts";
import { FakeTime, LinkedSystems } from "../../runtime/actor/linked_systems.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { gxensembleOnTerminal } from "../../terminal.ts";
import { commandsIn } from "../commands_in.ts";

const PROMPT = "passphrase of the administrator key:";

/** Servers `a` and `b`, which evaluate nothing, and commands that find them. */
async function twoServers({ adminKeys }: { adminKeys?: readonly CryptoKey[] } = {}) {
  const ensemble = new LocalEnsemble();
  const registry = await ensemble.startRegistry(undefined, { adminKeys });
  const start = (id: string) =>
    ensemble.start(id, {
      adminKeys,
      roles: ["web"],
      prepare: ({ actors, capabilities }) =>
        void actors.serve("loader", {
          evaluate({ json }, { envelope }) {
            capabilities.require(envelope, { capability: "loader", what: "evaluate" });
            if (id === "b" && json) throw new EnsembleError("not today");
            return json ? `{"id":"${id}"}` : `one of ${id}\ntwo of ${id}`;
          },
        }),
    });
  const servers = await Promise.all([start("a"), start("b")]);
  const commands = commandsIn(ensemble);
  return {
    ensemble,
    registry,
    servers,
    commands,
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

function sortedLines(text: string): string[] {
  return text.trimEnd().split("\n").sort();
}

Deno.test("eval in several servers labels each result, and a failure in one does not stop the others", async () => {
  await using running = await twoServers();
  const { commands } = running;
  const mixed = await commands.run("eval", "a,nosuch,b,a", "x");
  assert.equal(mixed.code, 1);
  assert.deepEqual(sortedLines(mixed.stdout), [
    "a: one of a",
    "a: two of a",
    "b: one of b",
    "b: two of b",
  ]);
  assert.match(
    mixed.stderr,
    /^gxensemble: error: nosuch: .*no server nosuch is registered.*\ngxensemble: error: failed in 1 of 3 servers: nosuch\n$/,
  );

  const json = await commands.run("eval", "--json", "(b a)", "x");
  assert.equal(json.code, 1);
  assert.deepEqual(json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { server: "b", error: "not today", code: "FAILED" },
    { server: "a", result: { id: "a" } },
  ]);
  const ofRole = await commands.run("eval", "--role", "web", "x");
  assert.deepEqual([ofRole.code, sortedLines(ofRole.stdout)], [0, sortedLines(mixed.stdout)]);
  assert.match(
    (await commands.run("eval", "--role", "wbe", "x")).stderr,
    /error: no server with the role wbe is registered; did you mean --role web\?\n$/,
  );
  const alone = await commands.run("eval", "--json", "a", "x");
  assert.deepEqual([alone.code, alone.stdout], [0, '{"id":"a"}\n']);
  const failed = await commands.run("eval", "--json", "b", "x");
  assert.deepEqual([failed.code, failed.stderr], [1, "gxensemble: error: not today\n"]);
});

Deno.test("shutdown of several servers stops the registry last", async () => {
  await using running = await twoServers();
  const { commands, servers, registry } = running;
  const { code, stdout, stderr } = await commands.run("shutdown", "registry,b,nosuch,a");
  assert.equal(code, 1);
  assert.match(stderr, /error: failed in 1 of 4 servers: nosuch\n$/);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.at(-1), "... shutting down registry");
  assert.deepEqual(
    lines.sort(),
    ["a", "b", "nosuch", "registry"].map((id) => `... shutting down ${id}`),
  );
  await Promise.all([...servers, registry].map(({ stopped }) => stopped));
});

Deno.test("a command asks for the passphrase once for all its servers", async () => {
  const { open, sealed } = await generatePair("correct horse");
  const adminKey = await crypto.subtle.importKey(
    "spki",
    decodePem("PUBLIC KEY", open),
    "Ed25519",
    true,
    ["verify"],
  );
  await using running = await twoServers({ adminKeys: [adminKey] });
  const { commands } = running;
  const directory = `${commands.gerbilPath}/ensemble`;
  Deno.writeTextFileSync(`${directory}/admin.pub`, open);
  Deno.writeTextFileSync(`${directory}/admin.priv`, sealed, { mode: 0o600 });
  const evaluate = ["eval", "a,b", "x"];
  const right = await gxensembleOnTerminal(commands, evaluate, [[PROMPT, "correct horse"]]);
  assert.equal(right.code, 0, right.screen);
  for (const id of ["a", "b"]) {
    assert.ok(right.screen.includes(`${id}: two of ${id}`), right.screen);
  }
  // The prompt is redrawn after each key, but its answer is shown once.
  assert.equal(right.screen.split(/✔|✓/).length - 1, 1, right.screen);

  const wrong = await gxensembleOnTerminal(commands, evaluate, [[PROMPT, "battery staple"]]);
  assert.equal(wrong.code, 1, wrong.screen);
  for (const id of ["a", "b"]) {
    assert.ok(wrong.screen.includes(`error: ${id}: the passphrase is wrong`), wrong.screen);
  }
});

Deno.test("suggestions name servers and roles that exist", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("httpd1", { roles: ["web", "it's"] });
  await ensemble.start("worker1", { roles: ["worker"] });
  const { actors } = await ensemble.startConsole();
  const servers: [string, string][] = [
    ["htpd1", "; did you mean httpd1?"],
    ["worker", "; did you mean worker1?"],
    ["regisrty", "; did you mean registry?"],
    ["nosuch", ""],
  ];
  for (const [id, hint] of servers) assert.equal(await suggestServers(actors, id), hint);
  const lookups: [{ server: string } | { role: string }, string][] = [
    [{ server: "worker" }, "; did you mean --role worker or worker1?"],
    [{ server: "wroker" }, "; did you mean --role worker?"],
    [{ server: "web" }, "; did you mean --role web?"],
    [{ server: "it-s" }, "; did you mean --role 'it'\\''s'?"],
    [{ server: "nosuch" }, ""],
    [{ role: "wroker" }, "; did you mean --role worker?"],
    [{ role: "worker1" }, "; did you mean worker1 without --role or --role worker?"],
    [{ role: "nosuch" }, ""],
  ];
  for (const [query, hint] of lookups) assert.equal(await suggestLookups(actors, query), hint);
});

Deno.test("nothing is suggested when the registry does not answer", async () => {
  await using ensemble = new LocalEnsemble();
  const { actors } = await ensemble.startConsole();
  assert.equal(await suggestServers(actors, "registr"), "; did you mean registry?");
  assert.equal(await suggestLookups(actors, { role: "worker" }), "");
});

Deno.test("stopServer says what it waits for after a while", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  far.serve("server", {
    shutdown: () => ({ grace: 57_500 }),
    monitor: () => {},
    demonitor: () => {},
  });
  const printed: string[] = [];
  let gone = false;
  const stopped = stopServer(near, far.id, { print: (line) => printed.push(line) })
    .then(() => gone = true);
  await time.pass(4_999);
  assert.deepEqual(printed, []);
  await time.pass(20_000);
  assert.deepEqual(printed, ["far is stopping: its actors have up to 57.5 s to shut down"]);
  assert.equal(gone, false);
  near.disconnected(far.id, new DisconnectedError("far has stopped"));
  await stopped;
  far.kill("server");
});
