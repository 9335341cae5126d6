import assert from "node:assert/strict";
import { eventually } from "../runtime/server/captured_logs.ts";
import { CTRL_C, CTRL_Z, type Seen, Terminal } from "../terminal.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A server with an actor that takes nothing, and one that takes all. */
const WORKING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = async () => {
    const server = currentServer();
    server.serve("quick", { add: () => 1 });
    server.spawn("deaf", () => server.stopped);
    await server.stopped;
  };
`;

/** An ensemble with the servers `a` and `b`; three messages wait in `b`. */
async function twoServers() {
  const ensemble = await RunningEnsemble.start();
  const [a, b] = await Promise.all([
    ensemble.startServer("a", ["--roles", "web"]),
    ensemble.startServer("b", [], WORKING),
  ]);
  for (let i = 0; i < 3; i++) await ensemble.lines("tell", "deaf@b", "anything");
  return { ensemble, a, b, [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose]() };
}

/** Runs `top` on a terminal. */
function topOf({ places }: RunningEnsemble, ...args: string[]): Terminal {
  const command = [...places.program, "top", "--interval", "0.5", ...args];
  return new Terminal(places, command, { columns: 100 });
}

/** The first screen is back, with its cursor. */
function assertRestored({ raw }: Seen): void {
  const [entered, left] = ["\x1b[?1049h", "\x1b[?1049l"].map((each) => raw.lastIndexOf(each));
  assert.ok(entered! >= 0 && left! > entered!, JSON.stringify(raw.slice(-200)));
  assert.ok(raw.lastIndexOf("\x1b[?25h") > raw.lastIndexOf("\x1b[?25l"));
}

Deno.test("top shows the servers, opens one, and goes on when it is killed and comes back", async () => {
  await using running = await twoServers();
  const { ensemble, b } = running;
  await using terminal = topOf(ensemble, "--sort", "server");
  await terminal.shows("3 servers: 3 up");
  await terminal.shows("server");
  terminal.type("j\r");
  await terminal.shows("every 0.5 s  b");
  await terminal.shows(`pid ${b.pid} on `);
  await terminal.shows("deaf");
  await terminal.shows("3");
  terminal.resize(50, 12);
  await terminal.shows("deaf");
  terminal.resize(100, 30);
  await terminal.shows("quick");
  b.signal("SIGKILL");
  await b.exit();
  await terminal.shows("b is unreachable");
  terminal.type("\x1b");
  await terminal.shows("3 servers:");
  await terminal.shows("unreachable");
  const again = await ensemble.startServer("b", [], WORKING);
  await terminal.shows("3 servers: 3 up");
  terminal.type("\r");
  await terminal.shows(`pid ${again.pid} on `);
  terminal.type("q");
  const seen = await terminal.end();
  assert.equal(seen.code, 0);
  assertRestored(seen);
});

Deno.test("top restores the terminal, however it ends", async () => {
  await using running = await twoServers();
  const { ensemble } = running;
  const ends: [end: (terminal: Terminal) => void, code: number][] = [
    [(terminal) => terminal.type("q"), 0],
    [(terminal) => terminal.type(CTRL_C), 0],
    [(terminal) => terminal.signal("SIGTERM"), 143],
    [(terminal) => terminal.signal("SIGINT"), 130],
  ];
  await Promise.all(ends.map(async ([end, code]) => {
    await using terminal = topOf(ensemble);
    await terminal.shows("3 servers: 3 up");
    end(terminal);
    const seen = await terminal.end();
    assert.equal(seen.code, code, seen.raw);
    assertRestored(seen);
  }));
  await using closed = topOf(ensemble);
  await closed.shows("3 servers: 3 up");
  await closed.close();
});

Deno.test("top is suspended with ctrl-z, and continues with fg", async () => {
  await using running = await twoServers();
  const { places } = running.ensemble;
  await using terminal = new Terminal(places, ["sh", "-i"], { columns: 100 });
  const words = [...places.program, "top"].map((word) => `'${word}'`).join(" ");
  terminal.type(`PS1=REA""DY\\>\r`);
  await terminal.shows("READY>");
  terminal.type(`${words}\r`);
  await terminal.shows("3 servers: 3 up");
  terminal.type(CTRL_Z);
  await terminal.shows("\x1b[?1049l");
  await terminal.shows("READY>");
  terminal.type("fg\r");
  await terminal.shows("\x1b[?1049h");
  await terminal.shows("3 servers: 3 up");
  terminal.type("q");
  await terminal.shows("READY>");
  terminal.type("exit\r");
  assertRestored(await terminal.end());
});

Deno.test("top prints plain text to a pipe, once, or again and again until it has no reader", async () => {
  await using running = await twoServers();
  const { ensemble } = running;
  const [first, headings, ...rows] = await ensemble.lines("top", "--once", "--sort", "server");
  assert.match(first!, /^\d\d:\d\d:\d\d 3 servers: 3 up; /);
  assert.match(headings!, /^server +state +cpu +memory +delay +mailbox .* version$/);
  assert.deepEqual(rows.map((row) => row.split(" ", 1)[0]), ["a", "b", "registry"]);
  const lines = await ensemble.lines("top", "--once", "b");
  assert.match(lines[0]!, / b$/);
  assert.match(lines[4]!, /^actor +state +mailbox +handled\/s +time /);
  assert.match(lines[5]!, /^deaf +running +3 +0 +/);
  const failed = await ensemble.run("top", "--once", "a,nosuch");
  assert.equal(failed.code, 1);
  assert.match(failed.stdout, /^a +up /m);
  assert.match(failed.stdout, /^nosuch +no answer/m);
  assert.match(failed.stdout, /no server nosuch is registered/);
  assert.equal(
    failed.stderr,
    "gxensemble: error: 1 of 2 servers did not answer: nosuch\n",
  );
  const piped = ensemble.spawn("top", "--interval", "0.5");
  let blocks = 0;
  await eventually(() => {
    blocks = piped.output.filter((line) => / 3 servers: 3 up; /.test(line)).length;
    return blocks >= 2;
  }, "two blocks");
  piped.signal("SIGTERM");
  await piped.exit();
});

Deno.test("top --once exits with 1 when a server does not answer, after it has printed the others", async () => {
  await using running = await twoServers();
  const { ensemble, b } = running;
  b.signal("SIGSTOP");
  const all = await ensemble.run("top", "--once", "--timeout", "0.5");
  const one = await ensemble.run("top", "--once", "--timeout", "0.5", "b");
  b.signal("SIGCONT");
  assert.equal(all.code, 1);
  assert.match(all.stdout, /^b +no answer/m);
  assert.match(all.stdout, /^a +up /m);
  assert.equal(all.stderr, "gxensemble: error: 1 of 3 servers did not answer: b\n");
  assert.equal(one.code, 1);
  assert.match(one.stdout, /^\d\d:\d\d:\d\d b\n.*\bb\b/);
  assert.equal(one.stderr, "gxensemble: error: b did not answer\n");
});
