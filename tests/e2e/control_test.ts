import assert from "node:assert/strict";
import { hostName } from "../../runtime/wire/address.ts";
import { hostLabel } from "../../supervisor/configuration/configuration.ts";
import { supervisorId } from "../../supervisor/supervisor_protocol.ts";
import { eventually } from "../runtime/server/captured_logs.ts";
import { installAdministrator } from "./administrator.ts";
import { runs, SupervisedHost, SUPERVISOR } from "./supervised_host.ts";

const TWO = {
  registry: true,
  roles: { shop: { module: "WAITING", restart: "permanent" } },
  servers: { shop1: { role: "shop" }, shop2: { role: "shop" } },
  supervisor: { executor: true, filesystem: true },
};

interface Listed {
  server: string;
  state: string;
  pid: number;
  role: string | null;
}

/** A host whose servers are up. */
async function running(configuration: Record<string, unknown> = TWO): Promise<SupervisedHost> {
  const host = await SupervisedHost.with(configuration);
  await host.start();
  await host.up("shop1");
  await host.up("shop2");
  // The commands find the supervisor in the registry.
  await eventually(async () => (await host.ensemble.listed()).includes(SUPERVISOR));
  return host;
}

async function control(host: SupervisedHost, ...args: string[]): Promise<string[]> {
  return await host.ensemble.lines("control", ...args);
}

async function refused(host: SupervisedHost, ...args: string[]): Promise<string> {
  const { code, stderr } = await host.ensemble.run("control", ...args);
  assert.equal(code, 1, stderr);
  return stderr;
}

async function listed(host: SupervisedHost): Promise<Map<string, Listed>> {
  const { stdout } = await host.ensemble.run("control", "list-servers", "--json");
  return new Map((JSON.parse(stdout) as Listed[]).map((each) => [each.server, each]));
}

Deno.test("control lists, stops, starts and restarts servers", async () => {
  await using host = await running();
  const before = await listed(host);
  assert.deepEqual([...before.keys()], ["registry", "shop1", "shop2"]);
  assert.equal(before.get("shop1")!.state, "up");
  assert.deepEqual(await control(host, "stop-server", "shop1"), ["... stopped shop1"]);
  assert.equal((await listed(host)).get("shop1")!.state, "stopped");
  assert.ok(!runs(before.get("shop1")!.pid));
  const [started] = await control(host, "start-server", "shop1");
  assert.match(started!, /^\.\.\. started shop1 \(process \d+\)$/);
  const restarted = await control(host, "restart-server", "--role", "shop", "--drain");
  assert.deepEqual(
    restarted.map((line) => line.replace(/\d+\)$/, "n)")),
    ["... restarted shop1 (process n)", "... restarted shop2 (process n)"],
  );
  assert.notEqual((await listed(host)).get("shop2")!.pid, before.get("shop2")!.pid);
});

Deno.test("control names what is wrong: servers, roles, hosts", async () => {
  await using host = await running();
  assert.match(
    await refused(host, "stop-server", "shop3"),
    /no supervisor has a server shop3; did you mean/,
  );
  assert.match(await refused(host, "restart-server", "--role", "shup"), /with the role shup/);
  assert.match(
    await refused(host, "list-servers", "--host", "nowhere"),
    /no supervisor runs on the host nowhere/,
  );
  assert.match(
    await refused(host, "list-servers", "-s", "shop1"),
    /shop1 is not a host's supervisor/,
  );
  const { code } = await host.ensemble.run("control", "stop-server");
  assert.equal(code, 2);
});

Deno.test("control start-workers starts workers, and stops those with the highest numbers", async () => {
  await using host = await running();
  const [first] = await control(host, "start-workers", "shop", "worker", "3");
  assert.equal(first, "... started worker-0, worker-1, worker-2");
  const [second] = await control(host, "start-workers", "--drain", "shop", "worker", "1");
  assert.match(second!, /^\.\.\. stopped worker-2, worker-1$|^\.\.\. stopped worker-1, worker-2$/);
  const [third] = await control(host, "start-workers", "shop", "worker", "1");
  assert.equal(third, "... nothing to do: worker has 1 workers");
});

Deno.test("control stop-server forgets a server that was added, also over a restart of the supervisor", async () => {
  await using host = await running();
  await control(host, "start-server", "shop", "extra1", "an argument");
  await control(host, "start-server", "shop", "extra2");
  assert.ok((await listed(host)).has("extra1"));
  assert.deepEqual(await control(host, "stop-server", "extra1"), ["... stopped extra1"]);
  assert.deepEqual([...(await listed(host)).keys()].filter((id) => id.startsWith("extra")), [
    "extra2",
  ]);
  // Also one that was shut down through the ensemble, and when the configuration is read again.
  await host.ensemble.lines("shutdown", "extra2");
  await eventually(async () => !(await listed(host)).has("extra2"));
  await host.ask((supervisor) => supervisor.reload({ by: "me@t1" }));
  await control(host, "restart");
  await host.up("shop1");
  assert.deepEqual([...(await listed(host)).keys()], ["registry", "shop1", "shop2"]);
  const { gerbilPath } = host.ensemble.places;
  const output = await Deno.readTextFile(`${gerbilPath}/ensemble/server/extra1/output.log`);
  assert.match(output, /extra1 listens at/);
});

Deno.test("control get-server-log prints what a server has written, also one that has ended", async () => {
  await using host = await running();
  await control(host, "stop-server", "shop1");
  const lines = await control(host, "get-server-log", "shop1");
  assert.ok(lines.some((line) => line.includes("listens at")), lines.join("\n"));
  assert.equal((await control(host, "get-server-log", "-n", "1", "shop1")).length, 1);
});

Deno.test("control changes a configuration after a look at what that does", async () => {
  await using host = await running();
  const [line] = (await control(host, "get-ensemble-config")).filter((each) =>
    each.includes("shop2")
  );
  assert.ok(line !== undefined);
  const change = ["update-server-config", "shop1", "env.LEVEL=debug"];
  const shown = (await control(host, ...change, "--dry-run")).join("\n");
  assert.match(shown, /^\+.*"LEVEL": "debug"/m);
  assert.match(shown, /^restarts: shop1 \(env\.LEVEL\)$/m);
  assert.match(await refused(host, ...change), /confirm it with --force/);
  const { pid } = (await listed(host)).get("shop1")!;
  await control(host, ...change, "--force");
  await host.server("shop1", (server) => server.state === "up" && server.pid !== pid);
  const { stdout } = await host.ensemble.run("control", "get-server-config", "shop1");
  assert.equal(JSON.parse(stdout).env.LEVEL, "debug");
  const wrong = await host.ensemble.write("wrong.jsonc", `{\n  "roles": { "shop": 3 }\n}\n`);
  const message = await refused(host, "update-ensemble-config", "--force", wrong);
  assert.match(message, /wrong\.jsonc:2:\d+: roles\.shop/);
  assert.match(message, /nothing was changed/);
});

Deno.test("control exec-process passes output and exit code on, and ends the program with the command", async () => {
  await using host = await running();
  const script = "echo out; echo err >&2; exit 7";
  const { code, stdout, stderr } = await host.ensemble.places.runProcess(
    ...["control", "exec-process", "sh", "-c", script],
  );
  assert.deepEqual([code, stdout, stderr], [7, "out\n", "err\n"]);
  const exec = ["control", "exec-process", "sh", "-c", "echo pid $$; exec sleep 1000"];
  const command = host.ensemble.spawn(...exec);
  const pid = Number((await command.printed("pid ")).slice(4));
  assert.ok(runs(pid));
  command.signal("SIGINT");
  assert.equal(await command.exit(), 130);
  assert.ok(!runs(pid));
  const killed = host.ensemble.spawn(...exec);
  const other = Number((await killed.printed("pid ")).slice(4));
  await killed.kill();
  await eventually(() => !runs(other));
});

Deno.test("control leaves a detached program running, and lists, restarts and kills it", async () => {
  await using host = await running();
  const exec = [
    "exec-process",
    "--detach",
    "--name",
    "job",
    "sh",
    "-c",
    "echo begun; exec sleep 1000",
  ];
  const [started] = await control(host, ...exec);
  assert.match(started!, /^\.\.\. job runs \(process \d+\)$/);
  const [row] = await control(host, "list-processes");
  assert.match(row!, new RegExp(`^${SUPERVISOR}\tjob\t\\d+\tdetached\t`));
  await control(host, "restart-process", "job");
  await eventually(async () => (await control(host, "get-process-output", "job"))[0] === "begun");
  await control(host, "kill-process", "job");
  assert.deepEqual(await control(host, "get-process-output", "-f", "job"), ["begun"]);
  assert.match(await refused(host, "kill-process", "job"), /job has ended already/);
});

Deno.test("control upload stores a file once, and restore-upload brings the earlier one back", async () => {
  await using host = await running();
  const [one, two] = [
    await host.ensemble.write("one.sh", "#!/bin/sh\necho one\n"),
    await host.ensemble.write("two.sh", "#!/bin/sh\necho two\n"),
  ];
  const [first] = await control(host, "upload", one, "tool");
  assert.match(first!, /executables\/tool; sent 19 B$/);
  assert.match((await control(host, "upload", one, "tool"))[0]!, /; it was there already$/);
  await control(host, "upload", two, "tool");
  const said = async () =>
    (await host.ensemble.places.runProcess("control", "exec-process", "tool")).stdout;
  assert.equal(await said(), "two\n");
  await control(host, "restore-upload", "tool");
  assert.equal(await said(), "one\n");
  const { code, stderr } = await host.ensemble.run("control", "upload", one, "../tool");
  assert.equal(code, 2, stderr);
  assert.match(stderr, /not a name such as shop or assets\/logo\.png.*: "\.\.\/tool"/);
});

Deno.test("control needs the consent of the host for programs and files", async () => {
  await using host = await running({ ...TWO, supervisor: {} });
  const message = await refused(host, "exec-process", "true");
  assert.match(
    message,
    /"executor" is off on its host\. To allow it, set "supervisor": \{ "executor": true \}/,
  );
  assert.match(await refused(host, "upload", host.path), /"filesystem" is off on its host/);
});

Deno.test("control restart replaces the supervisor, and shutdown ends everything", async () => {
  await using host = await running();
  const before = await listed(host);
  const supervisor = host.supervisor!;
  const follower = host.ensemble.spawn("control", "get-server-log", "-f", "-n", "1", "shop1");
  await eventually(() => follower.output.length > 0);
  assert.deepEqual(await control(host, "restart"), [`... restarted ${SUPERVISOR}`]);
  const after = await listed(host);
  await follower.logged(/supervisor-t1 is away, trying again/);
  await control(host, "stop-server", "shop1");
  await eventually(() => follower.output.some((line) => line.includes("shop1 has stopped")));
  await follower.kill();
  assert.equal(after.get("shop1")!.pid, before.get("shop1")!.pid);
  assert.match(await refused(host, "shutdown"), /confirm it with --force/);
  assert.deepEqual(await control(host, "shutdown", "-f"), [`... shut down ${SUPERVISOR}`]);
  await supervisor.exit();
  for (const { pid } of after.values()) assert.ok(!runs(pid));
});

Deno.test("control takes the administrators' key for all but list-servers, and the host audits it", async () => {
  await using host = await SupervisedHost.with(TWO);
  const { right, wrong } = await installAdministrator(host.ensemble);
  await host.start();
  await host.up("shop1");
  await host.up("shop2");
  await eventually(async () => (await host.ensemble.listed()).includes(SUPERVISOR));
  assert.equal((await control(host, "list-servers")).length, 3);
  assert.match(await refused(host, "stop-server", "shop1", ...wrong), /the passphrase is wrong/);
  assert.deepEqual(await control(host, "stop-server", "shop1", ...right), ["... stopped shop1"]);
  const file = await host.ensemble.write("file", "text\n");
  await control(host, "upload", "--kind", "file", file, ...right);
  assert.deepEqual(await control(host, "exec-process", ...right, "cat", "uploads/files/file"), [
    "text",
  ]);
  const audited =
    (await host.supervisor!.logs(3, / audit: (?:stop-server|upload|exec-process) allowed /))
      .map((line) => / audit: (\S+) allowed who=admin:/.exec(line)?.[1]);
  assert.deepEqual(audited, ["stop-server", "upload", "exec-process"]);
});

Deno.test("control restart-server stops at the first server that does not come up", async () => {
  await using host = await running();
  const before = await listed(host);
  await host.ensemble.write("waiting.js", `throw new Error("broken");`);
  const message = await refused(host, "restart-server", "--role", "shop", "--wait", "3s");
  assert.match(message, /^gxensemble: error: shop1: shop1 is /m);
  assert.match(message, /failed for 1 of 2 servers: shop1; left as they are: shop2$/m);
  assert.equal((await listed(host)).get("shop2")!.pid, before.get("shop2")!.pid);
  const lines = await control(host, "get-server-log", "shop1");
  assert.ok(lines.some((line) => line.includes("broken")), lines.join("\n"));
});

Deno.test("control restart-server that is interrupted begins no other server, and says how far it has come", async () => {
  await using host = await running({
    ...TWO,
    servers: { ...TWO.servers, shop3: { role: "shop" } },
  });
  const before = await host.up("shop3");
  // The second server never comes up again.
  await host.ensemble.write(
    "waiting.js",
    `import { currentServer } from "@gxensemble/ensemble";
     export async function main() {
       if (currentServer().id === "shop2") currentServer().holdReady();
       await currentServer().stopped;
     }`,
  );
  for (const [signal, code] of [["SIGTERM", 143], ["SIGINT", 130]] as const) {
    const command = host.ensemble.spawn("control", "restart-server", "--role", "shop");
    await command.printed("... restarted shop1");
    await host.server("shop2", ({ state }) => state === "starting");
    command.signal(signal);
    assert.equal(await command.exit(), code);
    assert.deepEqual(command.log, [
      "gxensemble: error: interrupted; done: shop1; under way: shop2; left as they are: shop3",
    ]);
  }
  assert.equal((await host.up("shop3")).pid, before.pid);
});

Deno.test("control asks the supervisor of its own host while the registry is down", async () => {
  const id = supervisorId(hostLabel(hostName()));
  await using host = await SupervisedHost.with(TWO, { id });
  await host.start();
  await host.up("shop1");
  await eventually(async () => (await host.ensemble.listed()).includes(id));
  await control(host, "stop-server", "registry");
  const { code, stdout, stderr } = await host.ensemble.run("control", "list-servers");
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^registry\t\tstopped\t/);
  assert.match(
    stderr,
    new RegExp(`^cannot reach registry: .*; only ${id} of this host is asked$`, "m"),
  );
  const [started] = await control(host, "start-server", "registry");
  assert.match(started!, /^\.\.\. started registry \(process \d+\)$/);
});

Deno.test("control --all names a supervisor that is frozen, and goes on with the others", async () => {
  await using host = await running();
  await host.ensemble.write("other.jsonc", "{}");
  const other = host.ensemble.spawn(
    ...["supervisor", "--id", "supervisor-t2", "--config", host.ensemble.path("other.jsonc")],
  );
  await eventually(async () => (await host.ensemble.listed()).includes("supervisor-t2"));
  other.signal("SIGSTOP");
  const { code, stdout, stderr } = await host.ensemble.run("control", "list-servers", "--all");
  assert.equal(code, 1);
  assert.match(stdout, /shop1/);
  assert.match(stderr, /supervisor-t2: /);
  const shutdown = await host.ensemble.run("control", "shutdown", "--all", "-f");
  assert.match(shutdown.stdout, new RegExp(`shut down ${SUPERVISOR}`));
  assert.match(shutdown.stderr, /supervisor-t2/);
  await host.supervisor!.exit();
});
