import assert from "node:assert/strict";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const SERVICE = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => {
    let total = 0;
    const server = currentServer();
    server.serve("counter", {
      add: ({ amount }) => total += amount,
      reset: () => void (total = 0),
      stop: () => { throw new Error("it cannot"); },
    });
    return server.stopped;
  };
`;

/** A line without what differs from run to run. */
function plain(line: string): string {
  return line.replace(/^\d\d:\d\d:\d\d\.\d{3} /, "").replace(/console-[\w-]+/, "console")
    .replace(/\d+(\.\d+)? ms/, "0 ms");
}

Deno.test("trace prints what an actor takes and answers, and ends after the number of messages", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a", [], SERVICE);
  const trace = ensemble.spawn("trace", "counter@a", "--count", "3");
  await trace.logged(/^\.\.\. tracing counter@a, for at most 3 messages and 600 s$/);
  await ensemble.lines("call", "counter@a", "add", "amount=3");
  await ensemble.lines("tell", "counter@a", "reset");
  await trace.until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 10));
    return trace.output.some((line) => /#2 done/.test(line));
  }, "is done with the second");
  await ensemble.failure("call", "counter@a", "stop");
  assert.equal(await trace.exit(), 0);
  assert.deepEqual(trace.output.map(plain), [
    "#1 took add from server@console, waited 0 ms: { amount: 3 }",
    "#1 answered after 0 ms: 3",
    "#2 took reset from server@console, waited 0 ms",
    "#2 done after 0 ms",
    "#3 took stop from server@console, waited 0 ms",
    "#3 failed after 0 ms: it cannot",
  ]);
  assert.match(trace.output[0]!, /^\d\d:\d\d:\d\d\.\d{3} #1 /);
});

Deno.test("trace ends in the server with Ctrl-C, and with the actor, and names unknown actors", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a", [], SERVICE);
  const isTraced = async () =>
    (await ensemble.lines("eval", "a", 'ensemble.actors.find("counter").observation !== undefined'))
      .at(-1) === "true";
  const first = ensemble.spawn("trace", "counter@a", "--for", "10m");
  await first.logged(/tracing counter@a/);
  assert.ok(await isTraced());
  first.signal("SIGINT");
  await first.exit();
  await server.until(async () => !await isTraced(), "ended the trace");
  const second = ensemble.spawn("trace", "counter@a", "--json");
  await second.logged(/tracing counter@a, for at most 100 messages and 60 s$/);
  await ensemble.lines("call", "counter@a", "add", "amount=1");
  await ensemble.lines("shutdown", "--force", "a", "counter");
  assert.equal(await second.exit(), 0);
  const events = second.output.map((line) => JSON.parse(line));
  assert.deepEqual(events.map(({ event }) => event), ["took", "answered", "end"]);
  assert.deepEqual([events[0].type, events[0].text, events[1].text], [
    "add",
    "{ amount: 1 }",
    "1",
  ]);
  assert.deepEqual(events[2], { event: "end", why: "actor", reason: "killed" });
  assert.match(second.log.at(-1)!, /^\.\.\. counter@a has ended: killed$/);
  assert.match(await ensemble.failure("trace", "countr@a"), /^unknown actor: countr@a/);
});

Deno.test("trace and profile ask for the passphrase where an administrator is set up", async () => {
  await using ensemble = await RunningEnsemble.start();
  const { right, wrong } = await installAdministrator(ensemble);
  const server = await ensemble.startServer("a", [], SERVICE);
  const trace = ensemble.spawn("trace", "counter@a", "--count", "1", ...right);
  await trace.logged(/tracing counter@a/);
  await ensemble.lines("call", "counter@a", "add", "amount=1");
  assert.equal(await trace.exit(), 0);
  assert.equal(trace.output.length, 2);
  const ofPart = await ensemble.run("trace", "server@a", "--for", "1ms", ...right);
  assert.equal(ofPart.code, 0, ofPart.stderr);
  const file = ensemble.path("a.cpuprofile");
  await ensemble.lines("profile", "a", "--cpu", "10ms", "-o", file, ...right);
  assert.match(
    await ensemble.failure("trace", "counter@a", ...wrong),
    /passphrase/,
  );
  const audited = (await server.logs(7, / audit: /)).map((line) =>
    /audit: (\w+ \w+) .*?(capabilities=\w+|actor=\w+|time=\d+)/.exec(line)?.slice(1).join(" ")
  );
  assert.deepEqual(audited, [
    "elevation allowed capabilities=observer",
    "trace allowed actor=counter",
    "elevation allowed capabilities=admin",
    "trace allowed actor=server",
    "elevation allowed capabilities=admin",
    "profile allowed time=10",
    "elevation refused capabilities=observer",
  ]);
});
