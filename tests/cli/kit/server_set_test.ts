import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/local_store.ts";
import type { Address } from "../../../runtime/wire/address.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { commandsIn } from "../commands_in.ts";

/** Servers `a` to `d` that evaluate with `evaluate`, and commands that find them. */
async function fourServers(evaluate: (server: string) => unknown) {
  const ensemble = new LocalEnsemble();
  const store = new MemoryStore();
  await ensemble.startRegistry(store);
  for (const id of ["c", "a", "d", "b"]) {
    await ensemble.start(id, {
      roles: id < "c" ? ["web"] : ["db"],
      prepare: ({ actors }) =>
        void actors.serve("loader", { evaluate: () => evaluate(id) }, { concurrent: true }),
    });
  }
  const commands = commandsIn(ensemble);
  return {
    ensemble,
    store,
    commands,
    async [Symbol.asyncDispose]() {
      commands[Symbol.dispose]();
      await ensemble[Symbol.asyncDispose]();
    },
  };
}

function objects(stdout: string): unknown[] {
  return stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
}

Deno.test("a command works in all servers but the registry, or in those with one of several roles", async () => {
  await using running = await fourServers((id) => `one of ${id}`);
  const { commands } = running;
  const all = "a: OK\nb: OK\nc: OK\nd: OK\n";
  assert.deepEqual(await commands.run("ping", "--all"), { code: 0, stdout: all, stderr: "" });
  assert.equal((await commands.run("ping", "--role", "web,db")).stdout, all);
  assert.equal((await commands.run("ping", "--role", "db", "--role", "web")).stdout, all);
  assert.equal((await commands.run("ping", "--role", "db", "loader")).stdout, "c: OK\nd: OK\n");
  assert.equal((await commands.run("ping", "loader@d,loader@a,b")).stdout, "d: OK\na: OK\nb: OK\n");
  assert.equal(
    (await commands.run("eval", "x", "--role", "web")).stdout,
    "a: one of a\nb: one of b\n",
  );
  const json = await commands.run("ping", "--json", "--role", "web", "nosuch");
  assert.equal(json.code, 1);
  assert.deepEqual(objects(json.stdout), [
    { server: "a", error: "unknown actor: nosuch@a", code: "UNKNOWN_ACTOR" },
    { server: "b", error: "unknown actor: nosuch@b", code: "UNKNOWN_ACTOR" },
  ]);
});

Deno.test("a command lists the actors and connections of a set of servers", async () => {
  await using running = await fourServers(() => undefined);
  const { commands, ensemble } = running;
  const lines = async (...args: string[]) => {
    const { stdout, stderr } = await commands.run(...args);
    assert.equal(stderr, "");
    return stdout.trimEnd().split("\n");
  };
  assert.deepEqual(await lines("list-actors", "a,b"), [
    ...["a: loader", "a: registration", "a: server"],
    ...["b: loader", "b: registration", "b: server"],
  ]);
  const served = await ensemble.start("e");
  served.actors.serve("counter", { get: () => 1, add: () => 2 });
  const [counter] = await lines("list-actors", "--long", "e");
  assert.equal(counter, "counter\treceiving\t0\t0\tadd,get");
  const table = (await lines("list-actors", "--long", "e,a")).map((line) => line.split("\t"));
  assert.deepEqual(table.map(([server, actor]) => `${actor}@${server}`), [
    ...["counter@e", "registration@e", "server@e"],
    ...["loader@a", "registration@a", "server@a"],
  ]);
  const [first] = objects((await commands.run("list-actors", "--json", "--long", "e,a")).stdout);
  const { server, result: [described] } = first as { server: string; result: object[] };
  assert.deepEqual([server, { ...described, serial: 0 }], ["e", {
    actor: "counter",
    serial: 0,
    state: "receiving",
    mailbox: 0,
    handled: 0,
    types: ["add", "get"],
  }]);
  const connections = await lines("list-connections", "--role", "web");
  assert.deepEqual(connections.map((line) => line.replace(/ \(unix.*/, "")), [
    "a: (registry",
    "b: (registry",
  ]);
  const [peer] = await lines("list-connections", "--long", "--role", "web");
  assert.deepEqual(peer!.split("\t").slice(0, 2), ["a", "registry"]);
});

Deno.test("a command refuses what cannot be an actor's name as wrong usage", async () => {
  await using running = await fourServers(() => undefined);
  const { commands } = running;
  const refused = (command: string, message: string) => ({
    code: 2,
    stdout: "",
    stderr: `gxensemble: error: ${message}\nsee gxensemble help ${command}\n`,
  });
  const alone = (flag: string) =>
    `${flag} names the servers: give the name of the actor alone, without @`;
  for (const command of ["ping", "shutdown"]) {
    assert.deepEqual(
      await commands.run(command, "--all", "loader@a"),
      refused(command, alone("--all")),
    );
    const unnamed = await commands.run(command, "a,b", "");
    assert.equal(unnamed.code, 2);
    assert.match(unnamed.stderr, /^gxensemble: error: not an actor name: "": a name is up to /);
  }
  const call = await commands.run("call", "--role", "web", "loader@a", "x");
  assert.deepEqual(call, refused("call", alone("--role")));
  assert.equal((await commands.run("call", "--role", "web", "a b", "x")).code, 2);
});

Deno.test("a command names the servers in which it failed in their order", async () => {
  const failed = Promise.withResolvers<void>();
  await using running = await fourServers(async (id) => {
    if (id === "a") await failed.promise;
    else if (id === "c") failed.resolve();
    throw new Error("not here");
  });
  const { stderr } = await running.commands.run("eval", "a,b,c,d", "x");
  assert.equal(
    stderr.trimEnd().split("\n").at(-1),
    "gxensemble: error: failed in 4 of 4 servers: a, b, c, d",
  );
});

Deno.test("shutdown of an actor in several servers names the actor, not the server alone", async () => {
  await using running = await fourServers(() => undefined);
  const { commands } = running;
  const { stdout } = await commands.run("shutdown", "c,d", "loader");
  assert.equal(stdout, "... shutting down loader@c\n... shutting down loader@d\n");
  assert.equal((await commands.run("ping", "c,d")).stdout, "c: OK\nd: OK\n");
});

Deno.test("a command works in as many servers at the same time as --concurrency says", async () => {
  let running = 0;
  let most = 0;
  let full = Promise.withResolvers<void>();
  await using set = await fourServers(async () => {
    most = Math.max(most, ++running);
    if (running === 2) full.resolve();
    await full.promise;
    if (--running === 0) full = Promise.withResolvers();
    return "done";
  });
  const result = await set.commands.run("eval", "--concurrency", "2", "--all", "x");
  assert.deepEqual([result.code, result.stdout], [0, "a: done\nb: done\nc: done\nd: done\n"]);
  assert.equal(most, 2);
});

Deno.test("a command with --fail-fast starts in no other server after a failure", async () => {
  const asked: string[] = [];
  await using running = await fourServers((id) => {
    asked.push(id);
    if (id === "b") throw new Error("not here");
    return "1";
  });
  const { commands } = running;
  const args = ["eval", "--fail-fast", "--concurrency", "1", "--all", "x"];
  const { code, stdout, stderr } = await commands.run(...args);
  assert.deepEqual([code, stdout, asked], [1, "a: 1\n", ["a", "b"]]);
  assert.equal(
    stderr,
    "gxensemble: error: b: not here\n" +
      "gxensemble: error: failed in 1 of 4 servers: b; not started in 2: c, d\n",
  );
  const json = await commands.run(...args, "--json");
  assert.equal(json.code, 1);
  const error = "not started, since it failed in b";
  assert.deepEqual(objects(json.stdout).slice(1), [
    { server: "b", error: "not here", code: "FAILED" },
    { server: "c", error, code: "NOT_STARTED" },
    { server: "d", error, code: "NOT_STARTED" },
  ]);
});

Deno.test("a set of servers leaves out those that are unreachable, and says so", async () => {
  await using running = await fourServers((id) => id);
  const { commands, store } = running;
  const lose = async (id: string, role: string) => {
    const addresses: Address[] = [{ kind: "tcp", host: "127.0.0.1", port: 1 }];
    const instance = new Uint8Array(32);
    const revision = await store.put({ id, instance, addresses, roles: [role], state: "up" }, 0);
    await store.lapse(id, revision!);
  };
  await lose("lost1", "web");
  assert.deepEqual(await commands.run("ping", "--role", "web"), {
    code: 0,
    stdout: "a: OK\nb: OK\n",
    stderr: "lost1 is unreachable, and left out\n",
  });
  await lose("lost2", "cache");
  assert.deepEqual(await commands.run("ping", "--role", "cache"), {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: no server with the role cache runs: lost2 is unreachable\n",
  });
  const all = await commands.run("ping", "--all");
  assert.equal(all.stderr, "lost1, lost2 are unreachable, and left out\n");
  assert.match(
    (await commands.run("ping", "--role", "nosuch")).stderr,
    /error: no server with the role nosuch is registered\n$/,
  );
});

Deno.test("a command in all servers says when none runs", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  using commands = commandsIn(ensemble);
  assert.deepEqual(await commands.run("ping", "--all"), {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: no server runs\n",
  });
});

Deno.test("shutdown --all stops all servers but the registry, and needs -f without a terminal", async () => {
  await using running = await fourServers(() => undefined);
  const { commands } = running;
  const refused = await commands.run("shutdown", "--all");
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /this shuts down all servers but the registry: without a terminal to confirm it, pass -f/,
  );
  const { code, stdout } = await commands.run("shutdown", "-f", "--all");
  assert.equal(code, 0);
  assert.deepEqual(
    stdout.trimEnd().split("\n").sort(),
    ["a", "b", "c", "d"].map((id) => `... shutting down ${id}`),
  );
  assert.deepEqual(await commands.run("ping", "registry"), { code: 0, stdout: "OK\n", stderr: "" });
});
