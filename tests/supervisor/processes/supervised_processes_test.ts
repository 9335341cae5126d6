import assert from "node:assert/strict";
import { SUPERVISED } from "../../../runtime/home/supervised_process.ts";
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";
import { membersOf, ProcTable } from "../../../supervisor/processes/process_table.ts";
import { parseMarker } from "../../../supervisor/processes/spawning.ts";
import { LINUX, ROOT, testWith } from "../../requirements.ts";
import { withSeed } from "../../seeded_random.ts";
import { planOf, RUNS, TestSupervisor } from "./supervised_programs.ts";

function test(name: string, fn: () => Promise<void>): void {
  testWith([LINUX], { name: `SupervisedProcesses ${name}`, fn });
}

function restartPolicy(policy: "permanent" | "transient" | "temporary"): Partial<ServerPlan> {
  return { restart: { ...planOf("a", RUNS).restart, policy } };
}

test("starts a server, and stops it when an operator asks", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  const { pid, adopted, restarts } = processes.report("a");
  assert.deepEqual({ adopted, restarts }, { adopted: false, restarts: 0 });
  assert.deepEqual(await supervisor.processesOf("a"), [pid]);
  // Before that, it has not told its shell what to do with the signal.
  while (!(await supervisor.output("a")).includes("runs")) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  processes.stop("a", { by: "me@host1" });
  await processes.whenStopped("a");
  const { state, reason, lastExit } = processes.report("a");
  assert.deepEqual({ state, reason }, { state: "stopped", reason: "stopped by me@host1" });
  assert.equal(lastExit?.code, 0);
  assert.deepEqual(await supervisor.processesOf("a"), []);
});

test("restarts a permanent server that ended well", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", `[ -e ran ] && { ${RUNS}; }; touch ran`, {
    workingDirectory: supervisor.directory,
  })]);
  const { lastExit } = await supervisor.until(
    "a",
    ({ restarts, state }) => restarts === 1 && state === "up",
  );
  assert.equal(lastExit?.code, 0);
});

test("does not restart a transient server that ended well", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", "exit 0", restartPolicy("transient"))]);
  const { reason } = await supervisor.until("a", ({ state }) => state === "stopped");
  assert.equal(reason, "ended well; a transient server is not restarted then");
});

test("restarts a transient server that was killed", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS, restartPolicy("transient"))]);
  await processes.whenUp("a");
  Deno.kill(processes.report("a").pid!, "SIGKILL");
  const { lastExit } = await supervisor.until(
    "a",
    ({ restarts, state }) => restarts === 1 && state === "up",
  );
  assert.equal(lastExit?.signal, "SIGKILL");
});

test("says that a server is in a crash loop", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", "exit 7")]);
  const { reason, restarts } = await supervisor.until("a", ({ state }) => state === "failed");
  assert.equal(reason, "crash loop: it ended 6 times within 60 s; last: exit code 7");
  assert.equal(restarts, 5);
  await assert.rejects(processes.whenUp("a"), {
    message: `a is not up: failed: ${reason}`,
  });
});

test("takes over the servers of an earlier run", async () => {
  await using supervisor = new TestSupervisor();
  const first = await supervisor.open();
  first.configure([planOf("a", RUNS)]);
  await first.whenUp("a");
  const { pid } = first.report("a");
  await supervisor.leave();
  const second = await supervisor.open();
  second.configure([planOf("a", RUNS)]);
  await second.whenUp("a");
  const report = second.report("a");
  assert.deepEqual([report.pid, report.adopted, report.outdated], [pid, true, false]);
  Deno.kill(pid!, "SIGKILL");
  const { lastExit } = await supervisor.until(
    "a",
    ({ adopted, state }) => !adopted && state === "up",
  );
  assert.deepEqual([lastExit?.code, lastExit?.signal], [undefined, undefined]);
});

for (
  const [what, { plan, reason }] of Object.entries({
    "does not exist": {
      plan: { launch: () => ({ command: ["/no/such/program"], environment: {} }) },
      reason: "its program does not exist: /no/such/program",
    },
    "is not in PATH": {
      plan: { launch: () => ({ command: ["no-such-program"], environment: {} }) },
      reason: "its program is not in PATH: no-such-program",
    },
    "is not executable": {
      plan: { launch: () => ({ command: ["/etc/passwd"], environment: {} }) },
      reason: 'its program is not executable: run "chmod +x /etc/passwd"',
    },
    "is a directory": {
      plan: { launch: () => ({ command: ["/etc"], environment: {} }) },
      reason: "its program is no file: /etc",
    },
    "has no working directory": {
      plan: { workingDirectory: "/no/such/directory" },
      reason: "its working directory does not exist: /no/such/directory",
    },
    "has no user": {
      plan: { user: "no-such-user" },
      reason: "its user does not exist on this host: no-such-user",
    },
    "cannot be found out": {
      plan: { launch: () => Promise.reject(new Error("cannot read /secret: no permission")) },
      reason: "cannot read /secret: no permission",
    },
  })
) {
  test(`says why a server cannot be started whose program ${what}`, async () => {
    await using supervisor = new TestSupervisor();
    const processes = await supervisor.open();
    const { restart } = planOf("a", RUNS);
    const backoff = { min: 60_000, max: 60_000, factor: 1 };
    processes.configure([planOf("a", RUNS, { restart: { ...restart, backoff }, ...plan })]);
    const report = await supervisor.until("a", ({ state }) => state === "backing-off");
    assert.equal(report.reason, reason);
    assert.ok(report.startsAt! > Date.now());
    assert.equal(report.pid, undefined);
  });
}

test("gives a program its environment, directory, arguments and a session of its own", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", "", {
    launch: () => ({
      command: [
        "sh",
        "-c",
        `echo "$1|$COLOR|$PWD|$GXENSEMBLE_SUPERVISED"; echo error >&2; ${RUNS}`,
        "sh",
        'it\'s "quoted" $HOME',
      ],
      environment: { COLOR: "two words" },
    }),
    workingDirectory: "/tmp",
  })]);
  await supervisor.until("a", ({ state }) => state === "up");
  const read = () => supervisor.output("a");
  while (!(await read()).includes("runs")) await new Promise((resolve) => setTimeout(resolve, 20));
  const [first, second] = (await read()).split("\n");
  const [argument, color, directory, marker] = first!.split("|");
  assert.deepEqual([argument, color, directory, second], [
    ...['it\'s "quoted" $HOME', "two words", "/tmp", "error"],
  ]);
  assert.match(marker!, /^supervisor-test a [-0-9a-f]{36} \//);
  const { pid } = processes.report("a");
  const entry = (await new ProcTable().find([pid!])).get(pid!)!;
  assert.deepEqual([entry.group, entry.session], [pid, pid]);
  assert.equal((await Deno.stat(`${supervisor.directory}/a/output.log`)).mode! & 0o777, 0o600);
});

testWith([LINUX, ROOT, "setpriv"], {
  name: "SupervisedProcesses runs a server as another user, with that user's groups",
  async fn() {
    await using supervisor = new TestSupervisor();
    const processes = await supervisor.open();
    const script = `echo "$(id -u):$(id -g):$HOME:$USER"; ${RUNS}`;
    processes.configure([planOf("a", script, { user: "nobody" })]);
    await processes.whenUp("a");
    while (!(await supervisor.output("a")).includes("runs")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(await supervisor.output("a"), /^65534:65534:\/nonexistent:nobody\n/);
    processes.stop("a", { by: "me" });
    await processes.whenStopped("a");
    assert.equal(processes.report("a").lastExit?.code, 0);
  },
});

test("kills a server that ignores the signal, with all of its session", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const script = "trap '' TERM; sh -c 'while :; do sleep 1; done' & while :; do sleep 0.05; done";
  processes.configure([planOf("a", script, { stop: { signal: "SIGTERM", killAfter: 100 } })]);
  await processes.whenUp("a");
  const { pid } = processes.report("a");
  const members = async () => membersOf(pid!, await new ProcTable().all());
  while ((await members()).length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  processes.stop("a", { by: "me" });
  await processes.whenStopped("a");
  assert.equal(processes.report("a").lastExit?.signal, "SIGKILL");
  assert.deepEqual(await members(), []);
});

test("kills what a crashed server left in its session before the restart", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const script = `[ -e ran ] && { ${RUNS}; }; touch ran; sleep 1000 & exit 1`;
  processes.configure([planOf("a", script, { workingDirectory: supervisor.directory })]);
  await supervisor.until("a", ({ restarts, state }) => restarts === 1 && state === "up");
  const { pid } = processes.report("a");
  const table = new ProcTable();
  for (const entry of await table.all()) {
    const run = parseMarker(await table.variable(entry.pid, SUPERVISED) ?? "");
    if (run?.directory === supervisor.state) assert.equal(entry.session, pid);
  }
});

test("fails a start that takes too long, unless nothing can be seen to be up", async () => {
  await using supervisor = new TestSupervisor();
  let canSeeUp = false;
  const processes = await supervisor.open({ canSeeUp: () => canSeeUp });
  const { restart } = planOf("a", RUNS);
  const plan = planOf("a", RUNS, {
    announcesUp: true,
    start: { timeout: 50 },
    restart: { ...restart, policy: "temporary" },
  });
  processes.configure([plan]);
  await supervisor.until("a", ({ startedAt }) => Date.now() > startedAt! + 100);
  assert.equal(processes.report("a").state, "starting");
  canSeeUp = true;
  const { lastExit, reason } = await supervisor.until("a", ({ state }) => state === "failed");
  assert.equal(lastExit?.reason, "not up within 0.05 s");
  assert.equal(reason, "not up within 0.05 s; a temporary server is not restarted");
});

test("takes notice that a process of the server is up, and of no other", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const script = `sh -c 'echo $$ >child; ${RUNS.replaceAll("'", '"')}' & ${RUNS}`;
  processes.configure([
    planOf("a", script, { announcesUp: true, workingDirectory: supervisor.directory }),
  ]);
  await supervisor.until("a", ({ pid }) => pid !== undefined);
  assert.equal(processes.report("a").state, "starting");
  assert.equal(await processes.becameUp("a", Deno.pid), false);
  assert.equal(await processes.becameUp("b", Deno.pid), false);
  let child = 0;
  while (!child) {
    child = Number(await Deno.readTextFile(`${supervisor.directory}/child`).catch(() => ""));
  }
  assert.equal(await processes.becameUp("a", child), true);
  await processes.whenUp("a");
  assert.ok(processes.report("a").upSince! <= Date.now());
});

test("restarts a server after failed health checks in a row", async () => {
  await using supervisor = new TestSupervisor();
  const answers = [true, false, true, false, false, false];
  const processes = await supervisor.open({
    checkHealth: () =>
      answers.shift() ?? true ? Promise.resolve() : Promise.reject(new Error("no")),
  });
  const health = { interval: 1, timeout: 10_000, failures: 3, startAfter: 0 };
  processes.configure([planOf("a", RUNS, { health })]);
  const { lastExit } = await supervisor.until(
    "a",
    ({ restarts, state }) => restarts === 1 && state === "up",
  );
  assert.equal(lastExit?.reason, "3 health checks failed: no");
  const reasons = supervisor.reports.filter(({ state }) => state === "unhealthy")
    .map(({ reason }) => reason);
  assert.deepEqual(reasons.slice(0, 2), [
    ...["1 health check failed: no", "1 health check failed: no"],
  ]);
});

test("counts a health check without an answer as failed, and ends it", async () => {
  await using supervisor = new TestSupervisor();
  let ended = 0;
  const processes = await supervisor.open({
    checkHealth: (_id, signal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          ended++;
          reject(new Error("ended"));
        })
      ),
  });
  const health = { interval: 1, timeout: 20, failures: 2, startAfter: 0 };
  processes.configure([planOf("a", RUNS, { health })]);
  const { lastExit } = await supervisor.until("a", ({ restarts }) => restarts === 1);
  assert.equal(lastExit?.reason, "2 health checks failed: no answer within 0.02 s");
  assert.ok(ended >= 2);
});

test("restarts a server that uses too much memory", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open({ lookEvery: 20 });
  processes.configure([planOf("a", RUNS, { memoryLimit: 1024 })]);
  const { lastExit } = await supervisor.until("a", ({ restarts }) => restarts === 1);
  assert.match(lastExit!.reason!, /^memory limit passed: \d+\.\d MiB used, 0\.0 MiB allowed$/);
});

test("starts servers after those that they need, and stops them in the reverse order", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const script = (id: string) => RUNS.replace("exit 0", `echo ${id} >>stopped; exit 0`);
  const rest = { workingDirectory: supervisor.directory, announcesUp: true };
  processes.configure([
    planOf("c", script("c"), { ...rest, after: ["b"] }),
    planOf("b", script("b"), { ...rest, after: ["a"] }),
    planOf("a", script("a"), rest),
  ]);
  assert.deepEqual(processes.list.map(({ id }) => id), ["a", "b", "c"]);
  for (const [index, id] of ["a", "b", "c"].entries()) {
    const { pid } = await supervisor.until(id, ({ pid }) => pid !== undefined);
    while (!(await supervisor.output(id)).includes("runs")) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const next = ["b", "c"][index];
    if (next) {
      const { state, reason } = processes.report(next);
      assert.deepEqual([state, reason], ["waiting", `for ${id}, which is starting`]);
    }
    await processes.becameUp(id, pid!);
  }
  await processes.whenUp("c");
  await supervisor.stopAll();
  assert.equal(await Deno.readTextFile(`${supervisor.directory}/stopped`), "c\nb\na\n");
});

test("waits for a server on another host", async () => {
  await using supervisor = new TestSupervisor();
  let isUp = false;
  const processes = await supervisor.open({ isUpElsewhere: (id) => id === "db" && isUp });
  processes.configure([planOf("a", RUNS, { after: ["db"] })]);
  const { reason } = await supervisor.until("a", ({ state }) => state === "waiting");
  assert.equal(reason, "for db on another host");
  isUp = true;
  processes.lookAgain();
  await processes.whenUp("a");
});

test("starts no more than eight servers at the same time", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const ids = Array.from({ length: 10 }, (_, index) => `s${index}`);
  processes.configure(ids.map((id) => planOf(id, RUNS, { announcesUp: true })));
  for (const id of ids.slice(0, 8)) await supervisor.until(id, ({ pid }) => pid !== undefined);
  const { state, reason } = processes.report("s8");
  assert.deepEqual([state, reason], ["waiting", "for its turn"]);
  await processes.becameUp("s0", processes.report("s0").pid!);
  await supervisor.until("s8", ({ state }) => state === "starting");
  assert.equal(processes.report("s9").state, "waiting");
});

test("starts the servers again that stopped with the supervisor", async () => {
  await using supervisor = new TestSupervisor();
  const first = await supervisor.open();
  const plans = [planOf("a", RUNS), planOf("b", RUNS)];
  first.configure(plans);
  first.stop("b", { by: "me@host1" });
  await first.whenUp("a");
  await first.whenStopped("b");
  await supervisor.stopAll();
  const second = await supervisor.open();
  second.configure(plans);
  await second.whenUp("a");
  assert.equal(second.report("a").adopted, false);
  assert.equal(second.report("b").reason, "stopped by me@host1");
});

test("kills what does not stop with the supervisor when there is no more time", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const stubborn = "trap '' TERM; while :; do sleep 0.05; done";
  processes.configure([planOf("a", stubborn), planOf("b", stubborn, { after: ["a"] })]);
  await processes.whenUp("b");
  const time = new AbortController();
  const stopped = processes.stopAll({ signal: time.signal });
  await supervisor.until("b", ({ state }) => state === "stopping");
  assert.equal(processes.report("a").state, "up");
  time.abort();
  await stopped;
  assert.deepEqual(await supervisor.processesOf("a"), []);
  assert.deepEqual(await supervisor.processesOf("b"), []);
});

test("does not start a server that is stopped while it waits for its restart", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const { restart } = planOf("a", RUNS);
  const backoff = { min: 60_000, max: 60_000, factor: 1 };
  const plan = planOf("a", "exit 1", { restart: { ...restart, backoff } });
  processes.configure([plan]);
  await supervisor.until("a", ({ state }) => state === "backing-off");
  processes.stop("a", { by: "me" });
  await processes.whenStopped("a");
  processes.configure([planOf("a", RUNS, { restart: { ...restart, backoff } })]);
  assert.equal(processes.report("a").state, "stopped");
  processes.start("a");
  await processes.whenUp("a");
});

test("starts a server at once that waits for its restart when an operator does", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const { restart } = planOf("a", RUNS);
  const backoff = { min: 60_000, max: 60_000, factor: 1 };
  const rest = { workingDirectory: supervisor.directory, restart: { ...restart, backoff } };
  processes.configure([planOf("a", `[ -e ran ] && { ${RUNS}; }; touch ran; exit 1`, rest)]);
  await supervisor.until("a", ({ state }) => state === "backing-off");
  processes.start("a");
  await processes.whenUp("a");
});

test("starts a server again that is started while it stops", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const slow = "trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.02; done";
  processes.configure([planOf("a", slow, restartPolicy("transient"))]);
  await processes.whenUp("a");
  const { pid } = processes.report("a");
  processes.stop("a", { by: "me" });
  const stopped = processes.whenStopped("a");
  await supervisor.until("a", ({ state }) => state === "stopping");
  processes.start("a");
  await assert.rejects(stopped, { message: "a was started again meanwhile" });
  await processes.whenUp("a");
  assert.notEqual(processes.report("a").pid, pid);
  assert.equal((await supervisor.processesOf("a")).length, 1);
});

test("stops a server that is stopped while it is restarted", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const slow = "trap 'sleep 0.1; exit 0' TERM; while :; do sleep 0.02; done";
  processes.configure([planOf("a", slow)]);
  await processes.whenUp("a");
  processes.restart("a", { by: "me" });
  const up = processes.whenUp("a");
  await supervisor.until("a", ({ state }) => state === "stopping");
  processes.stop("a", { by: "you" });
  await assert.rejects(up, { message: "a is not up: stopped: stopped by you" });
  await processes.whenStopped("a");
  assert.deepEqual(await supervisor.processesOf("a"), []);
  assert.equal(processes.report("a").restarts, 0);
});

test("carries out orders in any order, with one process at the most", () =>
  withSeed(async (random) => {
    await using supervisor = new TestSupervisor();
    const processes = await supervisor.open();
    const plan = planOf(
      "a",
      `trap 'rmdir running; exit 0' TERM
       mkdir running || echo double >>doubles
       while :; do sleep 0.01; done`,
      { workingDirectory: supervisor.directory },
    );
    processes.configure([plan]);
    for (let step = 0; step < 60; step++) {
      random.pick([
        () => processes.start("a"),
        () => processes.stop("a", { by: "me" }),
        () => processes.restart("a", { by: "me" }),
        () => processes.configure([{ ...plan, hash: `${step}` }]),
        () => processes.configure([]),
        () => processes.configure([plan]),
      ].filter((_, index) => index > 2 || processes.has("a")))();
      await new Promise((resolve) => setTimeout(resolve, random.below(30)));
    }
    processes.configure([plan]);
    processes.start("a");
    await processes.whenUp("a");
    assert.equal((await supervisor.processesOf("a")).length, 1);
    assert.equal(await Deno.readTextFile(`${supervisor.directory}/doubles`).catch(() => ""), "");
  }));

test("keeps a server stopped that was shut down through the ensemble", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  // It ends by itself, since it was asked already. A signal would end it at once.
  const script = "trap 'exit 9' TERM; while [ ! -e end ]; do sleep 0.02; done";
  processes.configure([planOf("a", script, { workingDirectory: supervisor.directory })]);
  await processes.whenUp("a");
  const { pid } = processes.report("a");
  assert.equal(await processes.wasShutDown("a", { pid: Deno.pid, by: "me" }), false);
  assert.equal(await processes.wasShutDown("a", { pid: pid!, by: "me@host1" }), true);
  await supervisor.until("a", ({ state }) => state === "stopping");
  await Deno.writeTextFile(`${supervisor.directory}/end`, "");
  const { reason, lastExit } = await supervisor.until("a", ({ state }) => state === "stopped");
  assert.deepEqual([reason, lastExit?.code], ["shut down by me@host1", 0]);
});

test("asks after each end whether the server was shut down through the ensemble", async () => {
  await using supervisor = new TestSupervisor();
  const asked: string[] = [];
  const processes = await supervisor.open({
    shutDownBy: (id) => {
      asked.push(id);
      return Promise.resolve(asked.length === 2 ? "me@host1" : undefined);
    },
  });
  processes.configure([planOf("a", "exit 1")]);
  const { reason, restarts } = await supervisor.until("a", ({ state }) => state === "stopped");
  assert.deepEqual([reason, restarts, asked], ["shut down by me@host1", 1, ["a", "a"]]);
});

test("starts a server that is not enabled only when an operator does", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const plan = planOf("a", RUNS, { enabled: false });
  processes.configure([plan]);
  const { state, reason } = processes.report("a");
  assert.deepEqual([state, reason], ["stopped", "not enabled in the configuration"]);
  processes.start("a");
  await processes.whenUp("a");
  processes.configure([planOf("a", RUNS)]);
  processes.configure([plan]);
  await supervisor.until("a", ({ state }) => state === "stopped");
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
});

test("says that a process runs with an earlier configuration", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  processes.configure([planOf("a", RUNS)]);
  await processes.whenUp("a");
  processes.configure([planOf("a", RUNS, { hash: "second" })]);
  assert.equal(processes.report("a").outdated, true);
  processes.restart("a", { by: "me" });
  await processes.whenUp("a");
  assert.equal(processes.report("a").outdated, false);
});

test("says which servers it has when another one is named", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  assert.throws(() => processes.start("shop1"), {
    code: "UNKNOWN_SERVER",
    message:
      'supervisor-test has no server shop1: "gxensemble control list-servers" shows those it has',
  });
});

test("lets a server finish its work before it stops, until it is told to stop at once", async () => {
  await using supervisor = new TestSupervisor();
  const processes = await supervisor.open();
  const script = `trap 'echo drains' USR2; trap 'echo stops; exit 0' TERM
    echo runs; while :; do [ -e finished ] && exit 3; sleep 0.02; done`;
  processes.configure([planOf("a", script, { workingDirectory: supervisor.directory })]);
  const has = async (word: string) => {
    while (!(await supervisor.output("a")).includes(word)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await has("runs");
  const draining = { signal: "SIGUSR2", timeout: 60_000 } as const;
  processes.restart("a", { by: "me", draining });
  await has("drains");
  processes.stop("a", { by: "me" });
  await processes.whenStopped("a");
  assert.match(await supervisor.output("a"), /stops/);
  processes.start("a");
  await has("stops\nruns");
  processes.stop("a", { by: "me", draining });
  await Deno.writeTextFile(`${supervisor.directory}/finished`, "");
  await processes.whenStopped("a");
  assert.equal(processes.report("a").lastExit?.code, 3);
  assert.equal((await supervisor.output("a")).match(/stops/g)?.length, 1);
});

test("stops a server whose start hangs, and checks health as configured now", async () => {
  await using supervisor = new TestSupervisor();
  let checks = 0;
  const processes = await supervisor.open({ checkHealth: () => Promise.resolve(void checks++) });
  processes.configure([planOf("a", RUNS, { launch: () => new Promise(() => {}) })]);
  await supervisor.until("a", ({ state }) => state === "starting");
  processes.stop("a", { by: "me" });
  await processes.whenStopped("a");
  processes.configure([planOf("a", RUNS)]);
  processes.start("a");
  await processes.whenUp("a");
  assert.equal(checks, 0);
  const health = { interval: 10, timeout: 10_000, failures: 3, startAfter: 0 };
  processes.configure([planOf("a", RUNS, { health })]);
  await supervisor.until("a", () => checks > 1);
});
