import assert from "node:assert/strict";
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";
import { LINUX, testWith } from "../../requirements.ts";
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
