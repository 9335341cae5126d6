import assert from "node:assert/strict";
import { gxensembleOnTerminal, Terminal } from "../terminal.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

/** A server that is ready when it is told. */
const HELD = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => {
    const server = currentServer();
    server.holdReady();
    globalThis.becomeReady = () => server.ready();
    return server.stopped;
  };
`;

/** The line of a change, with the addresses of the server's socket. */
function lineOf(ensemble: RunningEnsemble, change: string, id: string, roles: string): string {
  return `${change} ${id} (${roles}) (unix: "${Deno.hostname()}" "${ensemble.socket(id)}")`;
}

/** The changes that were printed as JSON, without addresses and revisions. */
function changesOf({ output }: RunningProcess): string[] {
  return output.map((line) => {
    const { change, id, state } = JSON.parse(line);
    return `${change} ${id} ${state}`;
  });
}

Deno.test("watch tells once of each change: a server that comes, is killed, is forgotten, or stops", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a", ["--roles", "web"]);
  const watch = ensemble.spawn("watch");
  const ofRole = ensemble.spawn("watch", "--role", "db", "--json");
  await watch.printed("present a");
  const b = await ensemble.startServer("b", ["--roles", "(db web)"]);
  await watch.printed("up b");
  await ofRole.printed('{"change":"up"');
  b.signal("SIGKILL");
  await watch.printed("unreachable b");
  assert.equal(
    await ensemble.failure("lookup", "--role", "db"),
    "no server with the role db is up: b is unreachable; --state any finds all",
  );
  assert.deepEqual((await ensemble.lines("lookup", "--role", "web")).length, 1);
  assert.deepEqual((await ensemble.lines("lookup", "--role", "--state", "any", "web")).length, 2);
  assert.deepEqual(await ensemble.listed(), ["a", "registry"]);
  const [row] = await ensemble.lines("list-servers", "--long", "--state", "unreachable");
  assert.deepEqual(row!.split("\t").slice(0, 5), [
    "b",
    "unreachable",
    "db,web",
    `${b.pid}`,
    Deno.hostname(),
  ]);
  assert.deepEqual(await ensemble.lines("forget", "b"), ["... removed b from the registry"]);
  await watch.printed("gone b");
  await ensemble.lines("shutdown", "a");
  await watch.printed("left a");
  await ofRole.printed('{"change":"gone"');
  const present = lineOf(ensemble, "present", "a", "web");
  const printed = watch.output.filter((line) => !line.startsWith("starting"));
  assert.deepEqual(printed, [
    present,
    lineOf(ensemble, "up", "b", "db web"),
    "unreachable b",
    "gone b",
    "left a",
  ]);
  const changes = changesOf(ofRole).filter((line) => !line.startsWith("starting"));
  assert.deepEqual(changes, ["up b up", "unreachable b unreachable", "gone b null"]);
  const revisions = ofRole.output.map((line) => JSON.parse(line).revision);
  assert.deepEqual(revisions, revisions.toSorted((a, b) => a - b));
});

Deno.test("a server that holds itself starting is found by its id and not by its role, until it is ready", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a");
  const watch = ensemble.spawn("watch");
  await watch.printed("present a");
  const file = await ensemble.write("held/main.js", HELD);
  const held = ensemble.spawn("run", "--roles", "web", "held", file);
  await held.logged(/held is in the registry, and not ready yet$/);
  assert.equal(
    await watch.printed("starting held"),
    lineOf(ensemble, "starting", "held", "web"),
  );
  assert.deepEqual(await ensemble.listed(), ["a", "held", "registry"]);
  assert.deepEqual((await ensemble.lines("lookup", "held")).length, 1);
  assert.equal(
    await ensemble.failure("lookup", "--role", "web"),
    "no server with the role web is up: held is starting; --state any finds all",
  );
  assert.equal(
    await ensemble.failure("lookup", "--state", "up", "held"),
    "held is not up: held is starting",
  );
  // Its main is called a moment after that.
  await held.until(
    async () => (await ensemble.run("eval", "held", "globalThis.becomeReady()")).code === 0,
    "ready",
  );
  assert.equal(await watch.printed("up held"), lineOf(ensemble, "up", "held", "web"));
  assert.deepEqual((await ensemble.lines("lookup", "--role", "web")).length, 1);
});

Deno.test("forget refuses what runs unless it is forced, and what is not there", async () => {
  await using ensemble = await RunningEnsemble.start();
  const a = await ensemble.startServer("worker1");
  const watch = ensemble.spawn("watch");
  await watch.printed("present worker1");
  assert.match(
    await ensemble.failure("forget", "worker1"),
    new RegExp(`^worker1 is up, as pid ${a.pid} on host \\S+ at unix:\\S+: stop it, or use -f$`),
  );
  assert.equal(
    await ensemble.failure("forget", "worker"),
    "no server worker is registered; did you mean worker1?",
  );
  assert.equal(
    await ensemble.failure("forget", "registry"),
    "the registry cannot be forgotten: shut it down",
  );
  assert.deepEqual(
    JSON.parse((await ensemble.lines("forget", "-f", "--json", "worker1")).join("")),
    {
      server: "worker1",
    },
  );
  // It notices that at its next renewal.
  await watch.printed("gone worker1");
  await watch.printed("up worker1");
});

Deno.test("lookup prints the servers that are there, and reports each that is not", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("worker1", ["--roles", "job"]);
  const { code, stdout, stderr } = await ensemble.run(
    "lookup",
    "worke",
    "worker1",
    "x",
    "registry",
  );
  assert.equal(code, 1);
  assert.deepEqual(stdout.split("\n").map((line) => line.split(" ")[0]), [
    "(worker1",
    "(registry",
    "",
  ]);
  assert.equal(
    stderr,
    "gxensemble: error: no server worke is registered; did you mean worker1?\n" +
      "gxensemble: error: no server x is registered\n",
  );
  const json = await ensemble.run("lookup", "--json", "x", "worker1");
  assert.deepEqual(JSON.parse(json.stdout).map(({ server }: { server: string }) => server), [
    "worker1",
  ]);
  const seen = await gxensembleOnTerminal(ensemble.places, ["lookup", "--long", "worker1"]);
  assert.match(seen.screen, /^server {3}state {2}roles +pid {2}host .*\nworker1 {2}up {5}job {2}/);
});

Deno.test("watch goes on through a restart of the registry, and tells what changed meanwhile", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const registry = await ensemble.startRegistry();
  await ensemble.startServer("a");
  const watch = ensemble.spawn("watch", "--json");
  await watch.printed('{"change":"present"');
  registry.signal("SIGKILL");
  await watch.logged(/^the registry was lost; waiting for it: /);
  await ensemble.startRegistry();
  await watch.logged(/^the registry is back$/);
  await ensemble.lines("shutdown", "a");
  await watch.printed('{"change":"left"');
  assert.deepEqual(changesOf(watch).at(0), "present a up");
  assert.equal(changesOf(watch).filter((line) => line.startsWith("left a")).length, 1);
  assert.equal(watch.log.length, 2, watch.log.join("\n"));
});

Deno.test("watch fails where no registry is, as other commands do", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  assert.match(
    await ensemble.failure("watch"),
    /^cannot reach registry: .*start a registry with: gxensemble registry$/,
  );
});

Deno.test("watch --exec runs a command for each change, one after the other, and reports one that fails", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a", ["--roles", "(web db)"]);
  await ensemble.startServer("b");
  const command = 'read -r json; echo "ran $ENSEMBLE_CHANGE $ENSEMBLE_SERVER [$ENSEMBLE_ROLES] ' +
    '$ENSEMBLE_STATE $ENSEMBLE_ADDRESSES"; echo "$json"; test $ENSEMBLE_SERVER = a';
  const watch = ensemble.spawn("watch", "--json", "--exec", command);
  await watch.printed(`ran present b [] up unix:${ensemble.socket("b")}`);
  await watch.logged(/^gxensemble: error: the command for "present b" failed with exit code 1$/);
  await ensemble.lines("shutdown", "a");
  await watch.printed("ran left a [web db]  ");
  const [first, ran, json] = watch.output;
  assert.equal(ran, `ran present a [web db] up unix:${ensemble.socket("a")}`);
  assert.equal(json, first);
});

Deno.test("watch ends quietly when its reader ends, and as others do at Ctrl-C", async () => {
  await using ensemble = await RunningEnsemble.start();
  await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
  const { program } = ensemble.places;
  const script = '"$@" watch | head -n 1';
  const piped = ensemble.spawnProgram("sh", "-c", script, "sh", ...program);
  await piped.printed("present a");
  await ensemble.lines("shutdown", "b");
  assert.equal(await piped.exit(), 0);
  assert.deepEqual([piped.output, piped.log], [[lineOf(ensemble, "present", "a", "")], []]);
  await using terminal = new Terminal(ensemble.places, [...program, "watch"]);
  await terminal.shows("present a");
  terminal.type("\x03");
  const { code, screen } = await terminal.end();
  assert.equal(code, 130);
  assert.equal(screen, `${lineOf(ensemble, "present", "a", "")}\n^C`);
});
