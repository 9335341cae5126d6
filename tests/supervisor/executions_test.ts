import assert from "node:assert/strict";
import type { Client } from "../../runtime/actor/service.ts";
import type { ProcessEnd } from "../../supervisor/processes/server_report.ts";
import {
  type ExecutionRequest,
  KEPT_OUTPUT,
  MAX_ENDED,
  MAX_RUNNING,
} from "../../supervisor/executions_protocol.ts";
import type { SupervisorHandlers } from "../../supervisor/supervisor_protocol.ts";
import { eventually } from "../runtime/server/captured_logs.ts";
import { HOST, OperatedHost } from "./operated_host.ts";

const BY = "ada@host0";

function shell(script: string, other: Partial<ExecutionRequest> = {}): ExecutionRequest {
  return { program: "sh", args: ["-c", script], detached: false, by: BY, ...other };
}

interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: number;
  readonly lost: number;
  readonly exit: ProcessEnd;
}

/** Reads all that a program writes. */
async function finish(host: Client<SupervisorHandlers>, name: string): Promise<Finished> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  const texts = { stdout: "", stderr: "" };
  let [after, bytes, lost] = [0, 0, 0];
  for (;;) {
    const read = await host.readProcessOutput({ name, after, wait: 5_000 }, {
      timeout: 30_000,
    });
    for (const { stream, bytes: part } of read.parts) {
      texts[stream] += decoders[stream].decode(part, { stream: true });
      bytes += part.length;
    }
    after = read.position;
    lost += read.lost;
    if (read.exit) return { ...texts, bytes, lost, exit: read.exit };
  }
}

/** Whether a process runs. */
function runs(pid: number): boolean {
  try {
    // A zombie has an empty command line.
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`) !== "";
  } catch {
    return false;
  }
}

Deno.test("execute runs a program in the ensemble's directory, and gives its output and exit code", async () => {
  await using host = await OperatedHost.start();
  const request = shell("pwd; echo wrong >&2; echo $WORD; exit 3", { env: { WORD: "hello" } });
  const { name } = await host.operate().execute(request);
  assert.equal(name, "sh-1");
  const { stdout, stderr, exit } = await finish(host.operate(), name);
  assert.deepEqual([stdout, stderr, exit.code, exit.reason], [
    `${await Deno.realPath(host.directory)}\nhello\n`,
    "wrong\n",
    3,
    undefined,
  ]);
  assert.deepEqual(await host.operate().listProcesses(), []);
});

Deno.test("execute loses nothing of a long output, however slowly it is read", async () => {
  await using host = await OperatedHost.start();
  const size = 3 * KEPT_OUTPUT;
  const { name, pid } = await host.operate().execute(shell(`head -c ${size} /dev/zero`));
  await eventually(async () => (await host.operate().listProcesses())[0]!.output > KEPT_OUTPUT);
  assert.ok(runs(pid), "it waits for its reader");
  const { bytes, lost } = await finish(host.operate(), name);
  assert.deepEqual([bytes, lost], [size, 0]);
});

Deno.test("a detached program goes on without a reader, and the oldest of its output is dropped", async () => {
  await using host = await OperatedHost.start();
  const request = shell(`head -c ${3 * KEPT_OUTPUT} /dev/zero; echo end`, {
    detached: true,
    name: "zeros",
  });
  await host.operate().execute(request);
  await eventually(async () => (await host.operate().listProcesses())[0]!.exit !== undefined);
  const { stdout, bytes, lost, exit } = await finish(host.operate(), "zeros");
  assert.ok(stdout.endsWith("end\n"));
  assert.ok(bytes <= KEPT_OUTPUT && lost + bytes === 3 * KEPT_OUTPUT + 4, `${bytes} ${lost}`);
  assert.equal(exit.code, 0);
  const [listed] = await host.operate().listProcesses();
  assert.deepEqual([listed!.name, listed!.by, listed!.detached], ["zeros", BY, true]);
});

Deno.test("a program ends with its children when its operator leaves, unless it is detached", async () => {
  await using host = await OperatedHost.start();
  const leaving = await host.ensemble.start("console-2", { listen: [], register: false });
  const script = "trap '' HUP; sleep 1000 & echo $!; sleep 1000";
  const attached = await host.operate(leaving).execute(shell(script));
  const detached = await host.operate(leaving).execute(shell(script, { detached: true }));
  const { parts } = await host.operate(leaving).readProcessOutput({
    name: attached.name,
    after: 0,
    wait: 10_000,
  }, { timeout: 30_000 });
  const child = Number(new TextDecoder().decode(parts[0]!.bytes));
  assert.ok(runs(attached.pid) && runs(child));
  await host.ensemble.stop(leaving);
  await eventually(() => !runs(attached.pid) && !runs(child));
  assert.ok(runs(detached.pid));
  const names = (await host.operate().listProcesses()).map(({ name }) => name);
  assert.deepEqual(names, [detached.name]);
  await host.operate().killProcess({ name: detached.name, signal: "SIGKILL", by: BY });
  assert.equal((await finish(host.operate(), detached.name)).exit.signal, "SIGKILL");
});

Deno.test("the programs end with the supervisor", async () => {
  const host = await OperatedHost.start();
  const { pid } = await host.operate().execute(shell("sleep 1000", { detached: true }));
  await host[Symbol.asyncDispose]();
  await eventually(() => !runs(pid));
});

Deno.test("a program that ignores SIGTERM is killed when its time is over", async () => {
  await using host = await OperatedHost.start();
  const script = "trap '' TERM; echo begun; while :; do sleep 1; done";
  const { name } = await host.operate().execute(shell(script, { timeout: 500 }));
  const { stdout, exit } = await finish(host.operate(), name);
  assert.deepEqual([stdout, exit.signal, exit.reason], ["begun\n", "SIGKILL", "it ran for 0.5 s"]);
});

Deno.test("killProcess sends signals to a program, and says whether it still ran", async () => {
  await using host = await OperatedHost.start();
  const script =
    "trap 'echo noted' USR1; trap 'exit 5' TERM; echo ready; while :; do sleep 0.1; done";
  const { name } = await host.operate().execute(shell(script, { detached: true }));
  const output = async () => {
    const { parts } = await host.operate().readProcessOutput({ name, after: 0, wait: 0 });
    return parts.map(({ bytes }) => new TextDecoder().decode(bytes)).join("");
  };
  await eventually(async () => (await output()) === "ready\n");
  assert.ok(await host.operate().killProcess({ name, signal: "SIGUSR1", by: BY }));
  await eventually(async () => (await output()).includes("noted\n"));
  assert.ok(await host.operate().killProcess({ name, signal: "SIGTERM", by: BY }));
  const { exit } = await finish(host.operate(), name);
  assert.ok(exit.code === 5 || exit.signal === "SIGTERM", JSON.stringify(exit));
  assert.equal(exit.reason, `SIGTERM by ${BY}`);
  assert.equal(await host.operate().killProcess({ name, signal: "SIGTERM", by: BY }), false);
});

Deno.test("restartProcess runs a detached program again under its name", async () => {
  await using host = await OperatedHost.start();
  const request = shell("echo $$; sleep 1000", { detached: true, name: "job" });
  const { pid } = await host.operate().execute(request);
  const again = await host.operate().restartProcess({ name: "job", by: BY });
  assert.equal(again.name, "job");
  assert.notEqual(again.pid, pid);
  await eventually(() => !runs(pid) && runs(again.pid));
  const [listed] = await host.operate().listProcesses();
  assert.deepEqual([listed!.pid, listed!.restarts, listed!.exit], [again.pid, 1, undefined]);
});

Deno.test("a name that is in use is refused, and free again when its program has ended", async () => {
  await using host = await OperatedHost.start();
  const request = shell("sleep 1000", { detached: true, name: "job" });
  const { pid } = await host.operate().execute(request);
  await assert.rejects(host.operate().execute(request), {
    message: `job runs already on ${HOST}, as process ${pid}: choose another name`,
  });
  await host.operate().killProcess({ name: "job", signal: "SIGKILL", by: BY });
  await finish(host.operate(), "job");
  await host.operate().execute(shell("true", { name: "job", detached: true }));
});

Deno.test("the output of a program that is not detached goes only to its operator", async () => {
  await using host = await OperatedHost.start();
  const { name } = await host.operate().execute(shell("sleep 1000"));
  const other = await host.ensemble.start("console-2", { listen: [], register: false });
  await assert.rejects(
    host.operate(other).readProcessOutput({ name, after: 0, wait: 0 }),
    /goes to the operator who runs it/,
  );
  await assert.rejects(host.operate(other).restartProcess({ name, by: BY }), /it is not detached/);
  assert.ok(await host.operate(other).killProcess({ name, signal: "SIGKILL", by: BY }));
});

Deno.test("execute says why a program cannot be run", async () => {
  await using host = await OperatedHost.start();
  const run = (program: string, other: Partial<ExecutionRequest> = {}) =>
    host.operate().execute({ program, args: [], detached: false, by: BY, ...other });
  const programs = `${host.directory}/uploads/executables`;
  await assert.rejects(run("no-such"), {
    message: `cannot run no-such: it is neither in PATH nor in ${programs}`,
  });
  await assert.rejects(run("./no-such"), {
    message: `cannot run ./no-such: there is no file ${host.directory}/no-such`,
  });
  await assert.rejects(run("true", { directory: "none" }), {
    message: `cannot run true: there is no directory ${host.directory}/none`,
  });
  await Deno.writeTextFile(`${host.directory}/text`, "no program");
  await assert.rejects(run("./text"), /cannot run \.\/text: .*[Pp]ermission denied/);
  await assert.rejects(run("a\0b"), /program is "a\\u0000b", not a program/);
  await assert.rejects(run("true", { args: ["a\0b"] }), /args\.0 is .*, not a text without NUL/);
});

Deno.test("execute finds an uploaded executable by its name", async () => {
  await using host = await OperatedHost.start();
  await Deno.mkdir(host.store.programs, { recursive: true });
  await Deno.writeTextFile(`${host.store.programs}/greet`, "#!/bin/sh\necho hello $1\n", {
    mode: 0o755,
  });
  const request = { program: "greet", args: ["you"], detached: false, by: BY };
  const { name } = await host.operate().execute(request);
  assert.equal((await finish(host.operate(), name)).stdout, "hello you\n");
});

Deno.test("the number of programs is limited, and so is that of those that have ended", async () => {
  await using host = await OperatedHost.start();
  for (let n = 0; n < MAX_ENDED + 3; n++) {
    await host.operate().execute(shell("true", { detached: true, name: `ended-${n}` }));
    await finish(host.operate(), `ended-${n}`);
  }
  await eventually(async () => (await host.operate().listProcesses()).length === MAX_ENDED);
  const [oldest] = await host.operate().listProcesses();
  assert.equal(oldest!.name, "ended-3");
  for (let n = 0; n < MAX_RUNNING; n++) {
    await host.operate().execute(shell("exec sleep 1000", { detached: true }));
  }
  await assert.rejects(host.operate().execute(shell("true")), {
    message: `cannot run sh: ${MAX_RUNNING} programs run on ${HOST} already; kill one of them`,
    code: "LIMIT_REACHED",
  });
});

Deno.test("programs are refused unless the host allows them", async () => {
  await using host = await OperatedHost.start({ allowed: ["filesystem"] });
  await assert.rejects(
    host.operate().execute(shell("true")),
    /refuses exec-process: "executor" is off on its host\. To allow it, set "supervisor": \{/,
  );
  await assert.rejects(host.operate().listProcesses(), /refuses list-processes/);
});
