import assert from "node:assert/strict";
import { RunningEnsemble } from "./running_ensemble.ts";

const TREE = `
import { currentServer, on, onShutdown } from "@gxensemble/ensemble";

const noting = (name) => (self) => {
  console.log("+" + name);
  return self.loop([
    on("crash", () => { throw new Error("enough"); }),
    onShutdown(() => console.log("-" + name)),
  ]);
};
const count = { add: (_request, context) => ++context.state };

export async function main() {
  const server = currentServer();
  server.supervise("top", {
    intensity: { restarts: 3, within: 60_000 },
    children: [
      { name: "first", run: noting("first") },
      { name: "below", supervise: { children: [
        { id: "session", run: noting("session") },
        { name: "counter", serve: count, state: 40, cleanUp: () => console.log("-counter") },
      ] } },
      { name: "slow", serve: { get: () => 1 }, shutdown: 50, cleanUp: () => new Promise(() => {}) },
    ],
  });
  console.log("ready");
  await server.stopped;
}
`;

Deno.test("a server whose main fails with its supervisor exits with 1", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer(
    "a",
    [],
    `import { currentServer } from "@gxensemble/ensemble";
     export async function main() {
       const server = currentServer();
       const supervisor = server.supervise("top", {
         intensity: { restarts: 0, within: 1 },
         children: [{ name: "child", serve: {} }],
       });
       const error = await Promise.race([supervisor.ended, server.stopped]);
       if (error) throw error;
     }`,
  );
  await server.logged(/is in the registry$/);
  assert.deepEqual(await ensemble.lines("shutdown", "-f", "child@a"), []);
  assert.equal(await server.exit(), 1);
  await server.logged(/top@a failed: its children had to be restarted more often than 0 times/);
});

Deno.test("list-actors --tree shows supervisors with what they restarted", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a", [], TREE);
  await server.printed("ready");
  const shown = (counter: string) => [
    "loader",
    "observer",
    "registration",
    "server",
    "top",
    "├─ first",
    "├─ below",
    "│  ├─ <serial> (session)",
    `│  └─ counter${counter}`,
    "└─ slow",
  ];
  const tree = async () => {
    const lines = await ensemble.lines("list-actors", "--tree", "a");
    return lines.map((line) => line.replace(/\d+ \(/, "<serial> ("));
  };
  assert.deepEqual(await tree(), shown(""));
  assert.deepEqual(await ensemble.lines("call", "counter@a", "add"), ["41"]);
  // A child that is ended from afar is restarted, with its last state.
  assert.deepEqual(await ensemble.lines("shutdown", "-f", "counter@a"), []);
  await server.logged(/counter@a is killed/);
  await server.logged(/below@a restarts counter@a: killed/);
  assert.deepEqual(await ensemble.lines("call", "counter@a", "add"), ["42"]);
  assert.deepEqual(await tree(), shown(", 1 restart"));
  const { stdout } = await ensemble.run("list-actors", "--tree", "--json", "a");
  const top = JSON.parse(stdout).at(-1);
  assert.deepEqual(
    [top.actor, top.id, top.children[1].actor, top.children[1].children[1]],
    ["top", null, "below", {
      actor: "counter",
      serial: top.children[1].children[1].serial,
      state: "receiving",
      mailbox: 0,
      handled: 1,
      types: ["add"],
      id: "counter",
      restarts: 1,
      children: [],
    }],
  );
  // A server that stops ends the tree in order, and kills what takes too long.
  assert.deepEqual(await ensemble.lines("shutdown", "a"), []);
  assert.equal(await server.exit(), 0);
  await server.logged(/slow@a did not shut down within 50 ms, and is killed by its supervisor/);
  const notes = ["ready", "+first", "+session", "-counter", "-session", "-first"];
  assert.deepEqual(server.output, notes);
});
