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
