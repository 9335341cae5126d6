import assert from "node:assert/strict";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { startSupervisor, SUPERVISOR_ID } from "../../supervisor/tunnelled_host.ts";
import { commandsIn } from "../commands_in.ts";

/** The servers `near1` and `near2` on the host of the supervisor, and `far1` on another. */
async function withHosts() {
  const ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await startSupervisor(ensemble, { roles: ["supervisor"] });
  await Promise.all(["near1", "near2"].map((id) => ensemble.start(id, { roles: ["web"] })));
  const far = await RoguePeer.join(ensemble.socket("registry"), {
    cookie: ensemble.cookie,
    id: "far1",
  });
  const entry = {
    id: "far1",
    instance: far.instance.publicKey,
    addresses: [],
    roles: ["web"],
    state: "up",
    pid: 1,
    host: "elsewhere",
  };
  assert.equal((await far.ask("registry", { type: "register", entry })).failed, false);
  const commands = commandsIn(ensemble);
  return {
    commands,
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      far[Symbol.dispose]();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

Deno.test("--all and --role with -s mean the servers on the supervisor's host, without it", async () => {
  await using running = await withHosts();
  const { commands } = running;
  for (const set of [["--all"], ["--role", "web"]]) {
    const { stdout, stderr } = await commands.run("ping", "-s", SUPERVISOR_ID, ...set);
    assert.deepEqual([stdout, stderr], ["near1: OK\nnear2: OK\n", ""]);
  }
  const { code, stderr } = await commands.run("ping", "--all");
  assert.equal(code, 1);
  assert.match(stderr, /failed in 1 of 4 servers: far1/);
});

Deno.test("shutdown with -s needs to know which servers, and -s takes the id of a server", async () => {
  await using running = await withHosts();
  const { commands } = running;
  const { code, stderr } = await commands.run("shutdown", "-f", "-s", SUPERVISOR_ID);
  assert.equal(code, 2);
  assert.match(stderr, /--supervisor needs a server id, --role or --all/);
  const wrong = await commands.run("ping", "-s", "a/b", "near1");
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /'-s, --supervisor <server-id>' .* not a server id/);
});

Deno.test("-s with a server that is not a supervisor fails in every command that has it", async () => {
  await using running = await withHosts();
  const { commands } = running;
  const commandLines = [
    ["ping", "-s", "near1", "near1"],
    ["ping", "-s", "registry", "registry"],
    ["ping", "-s", "near1", "near2"],
    ["ping", "-s", "near1", "--all"],
    ["eval", "-s", "near1", "near1", "1"],
    ["status", "-s", "near1"],
    ["status", "-s", "near1", "near1"],
    ["top", "--once", "-s", "near1"],
    ["list-servers", "-s", "near1"],
    ["list-groups", "-s", "near1"],
    ["list-actors", "-s", "near1", "near1"],
    ["lookup", "-s", "near1", "near1"],
    ["logs", "-s", "near1", "near1"],
    ["repl", "-s", "near1", "near1"],
    ["trace", "-s", "near1", "server@near1"],
    ["profile", "-s", "near1", "--heap", "near1"],
    ["publish", "-s", "near1", "group", "hello"],
    ["drain", "-s", "near1", "near1"],
    ["shutdown", "-s", "near1", "-f", "near1"],
    ["control", "list-servers", "-s", "near1"],
    ["control", "stop-server", "-s", "near1", "near2"],
    ["control", "get-ensemble-config", "-s", "near1"],
    ["control", "list-uploads", "-s", "near1"],
  ];
  for (const commandLine of commandLines) {
    const { code, stdout, stderr } = await commands.run(...commandLine);
    const id = commandLine[commandLine.indexOf("-s") + 1];
    const what = commandLine.join(" ");
    assert.deepEqual([code, stdout], [1, ""], what);
    assert.equal(
      stderr,
      `gxensemble: error: ${id} is not a host's supervisor: list them with gxensemble lookup --role supervisor\n`,
      what,
    );
  }
  assert.equal((await commands.run("ping", "near1")).code, 0);
});
