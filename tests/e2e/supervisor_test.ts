import assert from "node:assert/strict";
import { ended, runs, SupervisedHost, SUPERVISOR } from "./supervised_host.ts";

const TWO = {
  registry: true,
  roles: { shop: { module: "WAITING", restart: "permanent" } },
  servers: { shop1: { role: "shop" }, shop2: { role: "shop", after: ["shop1"] } },
};

Deno.test("supervisor starts the registry and servers, restarts a killed one, and stops all", async () => {
  await using host = await SupervisedHost.with(TWO);
  const supervisor = await host.start();
  await host.up("shop2");
  const { pid: registry } = await host.up("registry");
  const { pid } = await host.up("shop1");
  assert.deepEqual(await host.ensemble.listed(), ["registry", "shop1", "shop2", SUPERVISOR]);
  Deno.kill(pid!, "SIGKILL");
  const again = await host.server("shop1", ({ state, restarts }) => state === "up" && restarts > 0);
  assert.notEqual(again.pid, pid);
  assert.equal(again.lastExit?.signal, "SIGKILL");
  supervisor.signal("SIGTERM");
  assert.equal(await supervisor.exit(), 0);
  assert.deepEqual([registry!, again.pid!].filter(runs), []);
  const stops = supervisor.matching(/ is stopping: the supervisor ends/).map((line) =>
    /(\S+) is stopping/.exec(line)![1]
  );
  assert.deepEqual(stops, ["shop2", "shop1", "registry"]);
});

Deno.test("supervisor takes its servers over after it was killed", async () => {
  await using host = await SupervisedHost.with(TWO);
  const killed = await host.start();
  const before = [await host.up("shop1"), await host.up("shop2")];
  await killed.kill();
  assert.ok(await host.ensemble.answers("shop1"));
  await host.start();
  const after = [await host.up("shop1"), await host.up("shop2")];
  assert.deepEqual(after.map(({ pid }) => pid), before.map(({ pid }) => pid));
  assert.ok(after.every(({ adopted }) => adopted));
  Deno.kill(after[0]!.pid!, "SIGKILL");
  const again = await host.server("shop1", ({ state, adopted }) => state === "up" && !adopted);
  assert.equal(again.lastExit?.signal, undefined);
});

Deno.test("supervisor leaves a server stopped that was shut down, also while it was away", async () => {
  await using host = await SupervisedHost.with(TWO);
  const killed = await host.start();
  await host.up("shop2");
  await host.ensemble.lines("shutdown", "shop1");
  const { reason } = await host.server("shop1", ({ state }) => state === "stopped");
  assert.match(reason!, /^shut down by \S+@\S+$/);
  await killed.kill();
  await host.ensemble.lines("shutdown", "shop2");
  await host.start();
  await host.server("shop1", ({ state }) => state === "stopped");
  await host.server("shop2", ({ state }) => state === "stopped");
  // It starts after shop1.
  await host.ask((supervisor) => supervisor.start({ id: "shop2", by: "me@t1" }));
  await host.server("shop2", ({ state }) => state === "waiting");
  await host.ask((supervisor) => supervisor.start({ id: "shop1", by: "me@t1" }));
  await host.up("shop2");
});

Deno.test("supervisor starts without the registry, and its servers when that is there", async () => {
  await using host = await SupervisedHost.with({ ...TWO, registry: false });
  const supervisor = await host.start();
  const { reason } = await host.server("shop1", ({ state }) => state === "waiting");
  assert.equal(reason, "for the registry, which does not answer");
  await supervisor.logged(/cannot register yet/);
  await host.ensemble.startRegistry();
  await host.up("shop2");
});

Deno.test("supervisor puts a changed configuration into effect on SIGHUP, and keeps it if the new one is wrong", async () => {
  await using host = await SupervisedHost.with(TWO);
  const supervisor = await host.start();
  const { pid } = await host.up("shop1");
  await host.up("shop2");
  Deno.writeTextFileSync(host.path, "{ roles: 3 }");
  supervisor.signal("SIGHUP");
  await supervisor.logged(/the configuration stays as it was: .*ensemble\.jsonc/);
  host.configure({
    ...TWO,
    servers: {
      shop1: { role: "shop", args: ["more"] },
      shop3: { role: "shop" },
    },
  });
  supervisor.signal("SIGHUP");
  await supervisor.logged(/in effect: start shop3; stop shop2; restart shop1 \(args\)/);
  await host.up("shop3");
  const again = await host.server("shop1", ({ state, pid: now }) => state === "up" && now !== pid);
  assert.equal(again.outdated, false);
  const { servers } = await host.ask((each) => each.list());
  assert.ok(!servers.some(({ id, state }) => id === "shop2" && state === "up"));
});

Deno.test("supervisor is refused when another has the host", async () => {
  await using host = await SupervisedHost.with({ registry: true, roles: {}, servers: {} });
  await host.start();
  const other = host.ensemble.spawn("supervisor", "--id", SUPERVISOR);
  assert.equal(await other.exit(), 1);
  assert.match(other.log.join("\n"), /already running|is that server already/);
});

Deno.test("supervisor ends with all mistakes of its configuration", async () => {
  await using host = await SupervisedHost.with({ registry: 3, servers: { "a b": {} } });
  const supervisor = host.ensemble.spawn("supervisor");
  assert.equal(await supervisor.exit(), 1);
  assert.match(supervisor.log.join("\n"), /errors in \S+ensemble\.jsonc:/);
});

Deno.test("shutdown of the ensemble stops supervisors first, and the next run starts all again", async () => {
  await using host = await SupervisedHost.with(TWO);
  const supervisor = await host.start();
  await host.up("shop2");
  const { pid: registry } = await host.up("registry");
  await host.ensemble.startServer("other1");
  const lines = await host.ensemble.lines("shutdown", "-f");
  assert.deepEqual(lines, [
    `... shutting down ${SUPERVISOR} and its servers`,
    "... shutting down other1",
    "... shutting down registry",
  ]);
  assert.equal(await supervisor.exit(), 0);
  await ended(registry!);
  assert.equal(supervisor.matching(/backing-off/).length, 0);
  await host.start();
  await host.up("shop2");
});
