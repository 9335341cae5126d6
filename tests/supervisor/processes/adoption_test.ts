import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ProcTable, PsTable } from "../../../supervisor/processes/process_table.ts";
import { spawnChild } from "../../../supervisor/processes/spawning.ts";
import { LINUX, testWith } from "../../requirements.ts";
import { withSeed } from "../../seeded_random.ts";
import { MOMENTS, plansIn } from "./killed_supervisor.ts";
import { planOf, RUNS, TestSupervisor } from "./supervised_programs.ts";

const PROGRAM = fileURLToPath(new URL("killed_supervisor.ts", import.meta.url));

function test(name: string, fn: () => Promise<void>, needs: readonly string[] = []): void {
  testWith([LINUX, ...needs], { name: `SupervisedProcesses ${name}`, fn });
}

/** Starts a supervisor that runs servers `a` to `e`. Resolves when it begins. */
async function startSupervisor(
  { directory }: TestSupervisor,
  ...args: string[]
): Promise<Deno.ChildProcess> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", PROGRAM, directory, ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = process.stdout.getReader();
  await lines.read();
  await lines.cancel();
  return process;
}

/** Checks that the next run of the supervisor has each process once, and ends them all. */
async function checkNextRun(supervisor: TestSupervisor): Promise<void> {
  const processes = await supervisor.open();
  const ids = ["a", "b", "c", "d", "e"];
  processes.configure(plansIn(supervisor.directory));
  processes.start("c");
  for (const id of ids) {
    await processes.whenUp(id);
    assert.deepEqual(await supervisor.processesOf(id), [processes.report(id).pid], id);
  }
  await supervisor.stopAll();
  for (const id of ids) assert.deepEqual(await supervisor.processesOf(id), [], id);
  assert.equal(await Deno.readTextFile(`${supervisor.directory}/doubles`).catch(() => ""), "");
}

test("starts no server twice when it is killed at any moment", () =>
  withSeed(async (random) => {
    await using supervisor = new TestSupervisor();
    // Most of the delays are short, since the first start takes little time.
    for (let run = 0; run < 10; run++) {
      const process = await startSupervisor(supervisor);
      const delay = random.below(random.pick([10, 50, 200]));
      await new Promise((resolve) => setTimeout(resolve, delay));
      process.kill("SIGKILL");
      await process.status;
    }
    await checkNextRun(supervisor);
  }));

for (const moment of MOMENTS) {
  test(`starts no server twice when it is killed after a start, and then ${moment}`, async () => {
    await using supervisor = new TestSupervisor();
    for (const each of ["after a start", moment] as const) {
      const process = await startSupervisor(supervisor, each);
      assert.equal((await process.status).signal, "SIGKILL");
    }
    await checkNextRun(supervisor);
  });
}

testWith(["ps"], {
  name: "SupervisedProcesses takes servers over where the system has no /proc",
  async fn() {
    await using supervisor = new TestSupervisor();
    const table = new PsTable();
    const plans = [planOf("a", RUNS), planOf("b", RUNS)];
    const first = await supervisor.open({ table });
    first.configure(plans);
    for (const id of ["a", "b"]) await first.whenUp(id);
    const pids = ["a", "b"].map((id) => first.report(id).pid!);
    await supervisor.leave();
    // One was not yet recorded.
    await changeState(supervisor, ({ servers: { a: { process } } }) => {
      delete process.pid;
      delete process.startTime;
      Deno.writeTextFileSync(`${supervisor.state}/start-${process.marker}`, `${pids[0]}\n`);
    });
    const second = await supervisor.open({ table });
    second.configure(plans);
    for (const id of ["a", "b"]) await second.whenUp(id);
    assert.deepEqual(["a", "b"].map((id) => second.report(id).pid), pids);
    second.stop("a", { by: "me" });
    await second.whenStopped("a");
    assert.deepEqual(await supervisor.processesOf("a"), []);
  },
});

/** Runs server `a` under a supervisor that leaves it. Returns its process. */
async function leaveRunning(supervisor: TestSupervisor, plan = planOf("a", RUNS)): Promise<number> {
  const processes = await supervisor.open();
  processes.configure([plan]);
  await processes.whenUp("a");
  const { pid } = processes.report("a");
  await supervisor.leave();
  return pid!;
}

/** Changes the state that a run has kept. */
async function changeState(
  { state }: TestSupervisor,
  // deno-lint-ignore no-explicit-any
  change: (state: any) => void,
): Promise<void> {
  const path = `${state}/processes.json`;
  const content = JSON.parse(await Deno.readTextFile(path));
  change(content);
  await Deno.writeTextFile(path, JSON.stringify(content));
}

test("finds a process whose id was not yet recorded", async () => {
  await using supervisor = new TestSupervisor();
  const pid = await leaveRunning(supervisor);
  await changeState(supervisor, ({ servers: { a: { process } } }) => {
    delete process.pid;
    delete process.startTime;
    Deno.writeTextFileSync(`${supervisor.state}/start-${process.marker}`, `${pid}\n`);
  });
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  assert.deepEqual(await supervisor.processesOf("a"), [pid]);
  // Then its claim is no longer needed.
  while ([...Deno.readDirSync(supervisor.state)].some(({ name }) => name.startsWith("start-"))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

test("lets no process run its program that was started by a killed run and found too late", async () => {
  await using supervisor = new TestSupervisor();
  await leaveRunning(supervisor, planOf("a", "exit 0", { finalCodes: [0] })).catch(() => {});
  const marker = "11111111-2222-3333-4444-555555555555";
  await supervisor.leave();
  await changeState(supervisor, ({ servers: { a } }) => {
    a.process = { marker, startedAt: 1, hash: "first", stop: { signal: "SIGTERM", killAfter: 1 } };
    delete a.rest;
  });
  const processes = await supervisor.open();
  const late = await spawnChild(
    { command: ["touch", `${supervisor.directory}/late`], environment: {} },
    {
      identity: {
        ...{ supervisor: "supervisor-test", server: "a", marker },
        directory: supervisor.state,
      },
      ...{ output: "/dev/null", workingDirectory: "/", user: undefined, hash: "first" },
      table: new ProcTable(),
    },
  );
  assert.equal((await late.ended).code, 111);
  await assert.rejects(Deno.stat(`${supervisor.directory}/late`));
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  assert.equal(processes.report("a").adopted, false);
});

test("takes no process over that has the id of an earlier one", async () => {
  await using supervisor = new TestSupervisor();
  const pid = await leaveRunning(supervisor);
  // Another process, which has no marker of this supervisor.
  const other = new Deno.Command("sleep", { args: ["60"] }).spawn();
  await changeState(supervisor, ({ servers: { a: { process } } }) => {
    process.pid = other.pid;
  });
  Deno.kill(pid, "SIGKILL");
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  const report = processes.report("a");
  assert.notEqual(report.pid, other.pid);
  assert.equal(report.adopted, false);
  processes.stop("a", { by: "me" });
  await processes.whenStopped("a");
  other.kill("SIGTERM");
  assert.equal((await other.status).signal, "SIGTERM");
});

test("starts servers anew after a boot, but none that an operator stopped", async () => {
  await using supervisor = new TestSupervisor();
  const first = await supervisor.open();
  const plans = [planOf("a", RUNS), planOf("b", "exit 2"), planOf("c", RUNS)];
  first.configure(plans);
  first.stop("a", { by: "me@host1" });
  await first.whenStopped("a");
  await supervisor.until("b", ({ state }) => state === "failed");
  await first.whenUp("c");
  await supervisor.leave();
  const [pid] = await supervisor.processesOf("c");
  Deno.kill(pid!, "SIGKILL");
  await changeState(supervisor, (state) => {
    const boot = "another boot";
    state.kernel = boot;
    state.servers.c.process.kernel.boot = boot;
  });
  const second = await supervisor.open();
  second.configure([plans[0]!, planOf("b", RUNS), plans[2]!]);
  await second.whenUp("b");
  await second.whenUp("c");
  assert.equal(second.report("c").lastExit?.reason, "the host was booted");
  const { state, reason } = second.report("a");
  assert.deepEqual([state, reason], ["stopped", "stopped by me@host1"]);
});

test("keeps a failed server down when it comes back, until its configuration changes", async () => {
  await using supervisor = new TestSupervisor();
  const first = await supervisor.open();
  first.configure([planOf("a", "exit 2")]);
  await supervisor.until("a", ({ state }) => state === "failed");
  await supervisor.leave();
  const second = await supervisor.open();
  second.configure([planOf("a", RUNS)]);
  const { reason } = await supervisor.until("a", ({ state }) => state === "failed");
  assert.equal(reason, "exit code 2, which a restart cannot change");
  second.configure([planOf("a", RUNS, { hash: "second" })]);
  await second.whenUp("a");
});

for (
  const [what, damage] of Object.entries({
    "truncated": (text: string) => text.slice(0, text.length / 2),
    "empty": () => "",
    "of another version": (text: string) => text.replace('"version":1', '"version":99'),
    "of another program": () => '{"apps": []}',
    "with a wrong record": (text: string) => text.replace(/"marker":"[^"]*"/, '"marker":7'),
  })
) {
  test(`finds its processes by their markers when the state is ${what}`, async () => {
    await using supervisor = new TestSupervisor();
    const pid = await leaveRunning(supervisor);
    const path = `${supervisor.state}/processes.json`;
    const damaged = damage(await Deno.readTextFile(path));
    await Deno.writeTextFile(path, damaged);
    const processes = await supervisor.open();
    processes.configure([planOf("a", RUNS)]);
    const report = await supervisor.until("a", ({ state }) => state === "up");
    assert.deepEqual([report.pid, report.adopted, report.outdated], [pid, true, true]);
    const aside = [...Deno.readDirSync(supervisor.state)].find(({ name }) =>
      name.startsWith("processes.json.damaged-")
    );
    assert.equal(await Deno.readTextFile(`${supervisor.state}/${aside!.name}`), damaged);
  });
}

test("goes on when its state cannot be written, and finds its processes nevertheless", async () => {
  await using supervisor = new TestSupervisor();
  const path = `${supervisor.state}/processes.json`;
  await Deno.mkdir(`${path}/x`, { recursive: true });
  const pid = await leaveRunning(supervisor);
  const second = await supervisor.open();
  second.configure([planOf("a", RUNS)]);
  await supervisor.until("a", ({ state }) => state === "up");
  assert.deepEqual(await supervisor.processesOf("a"), [pid]);
});

test("leaves what a server detached from it to itself", async () => {
  await using supervisor = new TestSupervisor();
  const plan = planOf("a", `setsid sh -c 'echo $$ >detached; sleep 60' & ${RUNS}`, {
    workingDirectory: supervisor.directory,
  });
  const pid = await leaveRunning(supervisor, plan);
  const path = `${supervisor.directory}/detached`;
  let detached = 0;
  while (!detached) {
    detached = Number(await Deno.readTextFile(path).catch(() => ""));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  Deno.kill(pid, "SIGKILL");
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  assert.notEqual(processes.report("a").pid, detached);
  assert.ok((await new ProcTable().find([detached])).has(detached));
}, ["setsid"]);

test("does not restart a temporary server that ended while it was away", async () => {
  await using supervisor = new TestSupervisor();
  const { restart } = planOf("a", RUNS);
  const plan = planOf("a", RUNS, { restart: { ...restart, policy: "temporary" } });
  Deno.kill(await leaveRunning(supervisor, plan), "SIGKILL");
  const processes = await supervisor.open();
  processes.configure([plan]);
  const { reason } = await supervisor.until("a", ({ state }) => state === "failed");
  assert.equal(reason, "ended, exit code unknown; a temporary server is not restarted");
});

test("stops a process that is no longer in the configuration", async () => {
  await using supervisor = new TestSupervisor();
  await leaveRunning(supervisor);
  const processes = await supervisor.open();
  processes.configure([]);
  while (processes.has("a")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(await supervisor.processesOf("a"), []);
  await supervisor.leave();
  const { servers } = JSON.parse(await Deno.readTextFile(`${supervisor.state}/processes.json`));
  assert.deepEqual(servers, {});
});

test("keeps what operators added", async () => {
  await using supervisor = new TestSupervisor();
  const addition = { role: "shop", args: ["8080"] };
  await leaveRunning(supervisor, planOf("a", RUNS, { addition }));
  const processes = await supervisor.open();
  assert.deepEqual([...processes.additions], [["a", addition]]);
});

test("forgets what operators added once they have stopped it, also if a run did not come to that", async () => {
  await using supervisor = new TestSupervisor();
  const plans = ["a", "b"].map((id) => planOf(id, RUNS, { addition: { role: "shop" } }));
  const forgotten: string[] = [];
  const onForgotten = (id: string) => void forgotten.push(id);
  const first = await supervisor.open({ onForgotten });
  first.configure([...plans, planOf("c", RUNS)]);
  for (const id of ["a", "b", "c"]) await first.whenUp(id);
  const stopping = await first.stop("a", { by: "me@host1" });
  await stopping.whenStopped();
  assert.equal(stopping.report.reason, "stopped by me@host1");
  assert.equal(first.has("a"), false);
  const end = await first.readOutput("a", { after: { file: "0", offset: 0 } });
  assert.match(new TextDecoder().decode(end.bytes), /runs/);
  // The run ends while the other still stops.
  void first.stop("b", { by: "me@host1" });
  void first.stop("c", { by: "me@host1" });
  await supervisor.leave();
  const second = await supervisor.open({ onForgotten });
  assert.deepEqual([...second.additions.keys()].filter((id) => id !== "b"), []);
  second.configure([...plans.filter(({ id }) => second.additions.has(id)), planOf("c", RUNS)]);
  await second.whenStopped("c");
  while (second.has("b")) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(second.list.map(({ id, state }) => [id, state]), [["c", "stopped"]]);
  assert.deepEqual(forgotten, ["a", "b"]);
  await supervisor.leave();
  assert.equal((await supervisor.open()).additions.size, 0);
});

test("keeps what operators added and what failed", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", "exit 2", { addition: { role: "shop" }, announcesUp: true })]);
  await supervisor.until("a", ({ state }) => state === "failed");
  assert.equal(processes.additions.size, 1);
  await processes.stop("a", { by: "me@host1" });
  while (processes.has("a")) await new Promise((resolve) => setTimeout(resolve, 20));
});

test("refuses to run twice with one directory", async () => {
  await using supervisor = new TestSupervisor();
  await supervisor.open();
  await assert.rejects(supervisor.open(), {
    message: `another supervisor runs with ${supervisor.state}`,
  });
});

test("knows an order as soon as it is accepted", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  const rest = async () => {
    const text = await Deno.readTextFile(`${supervisor.state}/processes.json`);
    return JSON.parse(text).servers.a.rest?.reason;
  };
  await processes.stop("a", { by: "me@host1" });
  assert.equal(await rest(), "stopped by me@host1");
  await processes.start("a");
  assert.equal(await rest(), undefined);
});
