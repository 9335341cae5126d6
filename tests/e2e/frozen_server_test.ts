import assert from "node:assert/strict";
import { CTRL_C, gxensembleOnTerminal } from "../terminal.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const IDS = Array.from({ length: 10 }, (_, n) => `web${n}`);

const MOD = new URL("../../mod.ts", import.meta.url).href;

/** Runs servers that serve `counter` in one process, which starts faster than one for each. */
const serving = (ids: readonly string[]) => `
  import { startServer } from ${JSON.stringify(MOD)};
  const servers = await Promise.all(
    ${JSON.stringify(ids)}.map((id) => startServer(id, { roles: ["web"], log: false })),
  );
  for (const server of servers) {
    let total = 0;
    server.serve("counter", {
      add: ({ amount }) => total += amount,
      wait: () => server.id === "web1" ? new Promise(() => {}) : "done",
    });
  }
  console.log("serving");
  await Promise.all(servers.map(({ stopped }) => stopped));
`;

/** Starts ten servers, of which the first has a process of its own. */
async function startTen() {
  const ensemble = await RunningEnsemble.start();
  const start = async (ids: readonly string[]) => {
    const file = await ensemble.write(`${ids[0]}.js`, serving(ids));
    const process = ensemble.spawnDeno("run", "-A", "--no-check", file);
    await process.printed("serving");
    return process;
  };
  const [frozen] = await Promise.all([start(IDS.slice(0, 1)), start(IDS.slice(1))]);
  return { ensemble, frozen };
}

Deno.test("what servers answer is printed while one of them is suspended", async () => {
  const { ensemble, frozen } = await startTen();
  await using _ensemble = ensemble;
  assert.deepEqual(
    await ensemble.lines("call", "--role", "web", "counter", "add", "amount=3"),
    IDS.map((id) => `${id}: 3`),
  );
  frozen.signal("SIGSTOP");
  const waiting = ensemble.spawn("ping", "--timeout", "60", IDS.join(","));
  await waiting.printed("web9: OK");
  assert.deepEqual(waiting.output, IDS.slice(1).map((id) => `${id}: OK`));
  frozen.signal("SIGCONT");
  assert.equal(await waiting.exit(), 0);
  assert.equal(waiting.output.at(-1), "web0: OK");
});

Deno.test("a command says which server of a set does not answer", async () => {
  const { ensemble, frozen } = await startTen();
  await using _ensemble = ensemble;
  frozen.signal("SIGSTOP");
  const all = await ensemble.run(
    "call",
    "--json",
    "--timeout",
    "3",
    `counter@${IDS}`,
    "add",
    "amount=1",
  );
  assert.equal(all.code, 1);
  const objects = all.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(objects.slice(0, 9), IDS.slice(1).map((server) => ({ server, result: 1 })));
  const { server, error, code } = objects[9];
  assert.deepEqual([server, code], ["web0", "TIMEOUT"]);
  assert.match(error, /^no answer from counter@web0 .*kill -CONT \d+/);
  const [first, ...rest] = all.stderr.trimEnd().split("\n");
  assert.match(first!, /^gxensemble: error: web0: no answer from counter@web0 /);
  assert.deepEqual(rest, ["gxensemble: error: failed in 1 of 10 servers: web0"]);

  const few = ["ping", "--timeout", "0.5", "--fail-fast", "--concurrency", "1", "web0,web1,web2"];
  const { code: exit, stdout, stderr } = await ensemble.run(...few);
  assert.deepEqual([exit, stdout], [1, ""]);
  assert.match(stderr, /error: failed in 1 of 3 servers: web0; not started in 2: web1, web2\n$/);
  frozen.signal("SIGCONT");
});

Deno.test("Ctrl-C ends work in several servers, and says where it may go on", async () => {
  const { ensemble } = await startTen();
  await using _ensemble = ensemble;
  const call = ["call", "--timeout", "60", "counter@web1,web2,web3", "wait"];
  const interrupted = ensemble.spawn(...call);
  await interrupted.printed('web3: "done"');
  interrupted.signal("SIGINT");
  assert.equal(await interrupted.exit(), 130);
  const message = "interrupted: 2 of 3 servers are done; it may go on in web1";
  assert.deepEqual(interrupted.log, [`gxensemble: error: ${message}`]);

  const { code, screen } = await gxensembleOnTerminal(ensemble.places, call, [
    // The results clear the progress, which is drawn again.
    ['web2: "done"', ""],
    ["2 of 3 servers", CTRL_C],
  ]);
  assert.equal(code, 130, screen);
  assert.ok(screen.includes(message), screen);
});
