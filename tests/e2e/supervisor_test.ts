import assert from "node:assert/strict";
import { installAdministrator } from "./administrator.ts";
import { ended, exists, runs, SupervisedHost, SUPERVISOR } from "./supervised_host.ts";

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
  assert.deepEqual(
    supervisor.matching(/ (?:WARN|ERROR) /).filter((line) => !/SIGKILL/.test(line)),
    [],
  );
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

Deno.test("restartSupervisor replaces the process, which takes its servers over and sees them end", async () => {
  await using host = await SupervisedHost.with(TWO);
  const supervisor = await host.start();
  const before = [await host.up("shop1"), await host.up("shop2")].map(({ pid }) => pid);
  await host.ask((each) => each.restartSupervisor({ by: "me@t1" }));
  await supervisor.logs(2, / listens at unix:/);
  const after = await host.up("shop1");
  assert.deepEqual([after.pid, (await host.up("shop2")).pid], before);
  assert.ok(after.adopted);
  Deno.kill(after.pid!, "SIGKILL");
  await host.server("shop1", ({ state, pid }) => state === "up" && pid !== after.pid);
  supervisor.signal("SIGTERM");
  assert.equal(await supervisor.exit(), 0);
});

Deno.test("supervisor that gets SIGTERM while it is replaced ends with its servers", async () => {
  // A server that ignores the signal is still being stopped, which holds up the restart.
  const stubborn = { executable: "stubborn.sh", plain: true, stop: { killAfter: "60s" } };
  await using host = await SupervisedHost.with({
    ...TWO,
    roles: { ...TWO.roles, stubborn },
    servers: { ...TWO.servers, stubborn1: { role: "stubborn" } },
  });
  const script = `${host.ensemble.places.gerbilPath}/ensemble/stubborn.sh`;
  await Deno.writeTextFile(
    script,
    "#!/bin/sh\ntrap '[ -e asked ] && exit 0; touch asked' TERM\nwhile :; do sleep 0.1; done\n",
  );
  await Deno.chmod(script, 0o755);
  const supervisor = await host.start();
  const pids = [];
  for (const id of ["registry", "shop1", "shop2", "stubborn1"]) pids.push((await host.up(id)).pid!);
  await host.ask(async (each) => {
    await each.stop({ id: "stubborn1", by: "me@t1" });
    await each.restartSupervisor({ by: "me@t1" });
    supervisor.signal("SIGTERM");
  });
  assert.equal(await supervisor.exit(), 0);
  assert.equal(supervisor.matching(/ is adopted: /).length, 4);
  assert.deepEqual(pids.filter(runs), []);
});

Deno.test("supervisor restarts a server whose health expression is not true, with administrators, too", async () => {
  await using host = await SupervisedHost.with({
    registry: true,
    roles: {
      shop: {
        module: "WAITING",
        health: {
          expression: 'Deno.readTextFileSync("ill") === "no"',
          interval: "200ms",
          startAfter: "0s",
          failures: 2,
        },
      },
    },
    servers: { shop1: { role: "shop" } },
  });
  const directory = `${host.ensemble.places.gerbilPath}/ensemble`;
  await Deno.writeTextFile(`${directory}/ill`, "no");
  await installAdministrator(host.ensemble);
  await host.start();
  const { pid } = await host.up("shop1");
  await Deno.writeTextFile(`${directory}/ill`, "yes");
  const again = await host.server("shop1", ({ restarts }) => restarts > 0);
  assert.notEqual(again.pid, pid);
  assert.match(again.lastExit!.reason!, /^2 health checks failed: .* is false, not true/);
});

Deno.test("stop lets a server finish its requests first, and start-workers scales up and down", async () => {
  const slow = `
    import { currentServer } from "@gxensemble/ensemble";
    export function main() {
      const server = currentServer();
      server.serve("slow", {
        work: async () => {
          Deno.writeTextFileSync("begun", "");
          await new Promise((resolve) => setTimeout(resolve, 1_500));
          return "done";
        },
      });
      return server.stopped;
    }
  `;
  await using host = await SupervisedHost.with({
    registry: true,
    roles: { slow: { module: "slow.js" }, idle: { module: "WAITING" } },
    servers: { slow1: { role: "slow" } },
  });
  const directory = `${host.ensemble.places.gerbilPath}/ensemble`;
  await Deno.writeTextFile(`${directory}/slow.js`, slow);
  await host.start();
  await host.up("slow1");
  const answer = host.ensemble.lines("call", "--timeout", "20", "slow@slow1", "work");
  const by = "me@t1";
  await host.ask(async (supervisor) => {
    await exists(`${directory}/begun`);
    const stopped = await supervisor.stop(
      { id: "slow1", by, drain: 15_000, wait: 15_000 },
      { timeout: 20_000 },
    );
    assert.equal(stopped.state, "stopped");
    assert.equal(stopped.lastExit?.code, 0);
    assert.deepEqual(await answer, ['"done"']);
    const workers = { role: "idle", prefix: "idle", by, wait: 15_000 };
    const up = await supervisor.startWorkers({ ...workers, count: 2 }, { timeout: 20_000 });
    assert.deepEqual(up, { started: ["idle-0", "idle-1"], stopped: [] });
    const down = await supervisor.startWorkers({ ...workers, count: 1 }, { timeout: 20_000 });
    assert.deepEqual(down, { started: [], stopped: ["idle-1"] });
    const { servers } = await supervisor.list();
    assert.deepEqual(
      servers.filter(({ added }) => added).map(({ id, state }) => [id, state]),
      [["idle-0", "up"]],
    );
  });
});

Deno.test("start-workers keeps workers that another operator has just ordered to stop", async () => {
  await using host = await SupervisedHost.with({
    roles: {
      stubborn: { executable: "stubborn.sh", plain: true, stop: { killAfter: "2s" } },
      other: { executable: "stubborn.sh", plain: true },
    },
  });
  const script = `${host.ensemble.places.gerbilPath}/ensemble/stubborn.sh`;
  await Deno.writeTextFile(script, "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n");
  await Deno.chmod(script, 0o755);
  await host.start();
  const workers = { role: "stubborn", prefix: "work", by: "me@t1", wait: 15_000 };
  await host.ask(async (supervisor) => {
    await supervisor.startWorkers({ ...workers, count: 2 }, { timeout: 20_000 });
    const down = assert.rejects(
      supervisor.startWorkers({ ...workers, count: 0 }, { timeout: 20_000 }),
      /was started again meanwhile/,
    );
    await host.server("work-0", ({ state }) => state === "stopping");
    const up = await supervisor.startWorkers({ ...workers, count: 2 }, { timeout: 20_000 });
    assert.deepEqual(up.started, ["work-0", "work-1"]);
    await down;
    await assert.rejects(
      supervisor.startWorkers({ ...workers, role: "other", count: 3 }),
      /work-0 is no worker of the role other: choose another prefix/,
    );
    const { servers } = await supervisor.list();
    assert.deepEqual(
      servers.map(({ id, state }) => [id, state]),
      [["work-0", "up"], ["work-1", "up"]],
    );
    await assert.rejects(
      supervisor.start({ id: SUPERVISOR, role: "other", by: "me@t1" }),
      /supervisor-t1 is the id of this supervisor: choose another for the server/,
    );
    // They take a moment to stop, in which the supervisor ends.
    await supervisor.shutDownHost({ by: "me@t1" });
    await assert.rejects(
      supervisor.restartSupervisor({ by: "me@t1" }),
      /cannot restart supervisor-t1: it is being shut down/,
    );
  });
  await host.supervisor!.exit();
  assert.deepEqual(host.pids(), []);
});

Deno.test("status and /metrics show a server in a crash loop", async () => {
  await using host = await SupervisedHost.with({
    registry: true,
    roles: {
      shop: {
        module: "failing.js",
        restart: { policy: "permanent", intensity: { restarts: 0, within: "1m" } },
      },
    },
    servers: { shop1: { role: "shop" } },
    supervisor: { http: 0 },
  });
  const directory = `${host.ensemble.places.gerbilPath}/ensemble`;
  await Deno.writeTextFile(`${directory}/failing.js`, "export const main = () => Deno.exit(3);");
  const supervisor = await host.start();
  const { reason } = await host.server("shop1", ({ state }) => state === "failed");
  assert.match(reason!, /^crash loop: .*exit code 3/);
  const one = await host.ensemble.lines("status", SUPERVISOR);
  assert.ok(one.some((line) => /supervises +registry up$/.test(line)), one.join("\n"));
  assert.ok(one.some((line) => / shop1 failed \(crash loop: /.test(line)), one.join("\n"));
  // The registry may still have its entry, as unreachable.
  const all = await host.ensemble.run("status");
  assert.match(all.stdout, /^shop1\tfailed\t/m);
  assert.match(all.stderr, /^$|; supervisor-t1 has it as failed \(crash loop: /);
  const why = await host.ensemble.failure("logs", "shop1");
  assert.match(why, /; supervisor-t1 says: shop1 is failed: crash loop: .* get-server-log shop1$/);
  const [, address] = await supervisor.logged(/(http:\/\/127\.0\.0\.1:\d+)/);
  const metrics = await (await fetch(`${address}/metrics`)).text();
  const value = `supervised="shop1",state="failed"} 1\n`;
  assert.ok(metrics.includes(value), metrics);
});
