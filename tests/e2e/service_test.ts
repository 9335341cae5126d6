import assert from "node:assert/strict";
import { dirname } from "node:path";
import { hostName } from "../../runtime/wire/address.ts";
import { hostLabel } from "../../supervisor/configuration/configuration.ts";
import { supervisorId } from "../../supervisor/supervisor_protocol.ts";
import { LINUX, testWith } from "../requirements.ts";
import { NotifiedSystemd } from "../supervisor/notified_systemd.ts";
import { commandLine, UnitFile } from "../supervisor/unit_file.ts";
import { EXECUTABLE } from "../tested_program.ts";
import { RunningProcess } from "./running_ensemble.ts";
import { SupervisedHost } from "./supervised_host.ts";

const CONFIGURATION = {
  registry: true,
  roles: { waiting: { module: "WAITING", restart: "permanent" } },
  servers: { web1: { role: "waiting" } },
};

/** A host whose user has a directory for units, and a portable executable on the path. */
async function host(): Promise<SupervisedHost & { readonly unit: string }> {
  const host = await SupervisedHost.with(CONFIGURATION);
  const { environment, directory } = host.ensemble.places;
  environment.XDG_CONFIG_HOME = `${directory}/config`;
  if (EXECUTABLE !== undefined) {
    environment.PATH = `${dirname(EXECUTABLE)}:${Deno.env.get("PATH")}`;
  }
  const unit = `${directory}/config/systemd/user/gxensemble-supervisor.service`;
  return Object.assign(host, { unit });
}

testWith([LINUX], {
  name: "supervisor --install writes a unit, and keeps one that is different",
  async fn() {
    await using own = await host();
    const { unit } = own;
    const run = (...options: string[]) =>
      own.ensemble.places.runProcess("supervisor", "--user", ...options);

    const printed = await run("--install", "--dry-run");
    assert.deepEqual({ code: printed.code, stderr: printed.stderr }, { code: 0, stderr: "" });
    assert.throws(() => Deno.statSync(unit), Deno.errors.NotFound);

    const written = await run("--install");
    assert.equal(written.stderr, `... the service is in ${unit}. Next:\n`);
    assert.match(written.stdout, /^systemctl --user enable --now gxensemble-supervisor$/m);
    assert.equal(Deno.readTextFileSync(unit), printed.stdout);
    assert.equal((await run("--install")).stderr, `... ${unit} is up to date\n`);

    Deno.writeTextFileSync(unit, `${printed.stdout}# mine\n`);
    const refused = await run("--install");
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /service exists and is different: see what would change by adding /,
    );
    assert.equal((await run("--install", "-f")).code, 0);
    assert.equal(Deno.readTextFileSync(unit), printed.stdout);

    const wants = `${dirname(unit)}/default.target.wants`;
    Deno.mkdirSync(wants);
    Deno.symlinkSync(unit, `${wants}/gxensemble-supervisor.service`);
    const enabled = await run("--uninstall");
    assert.equal(enabled.code, 1);
    assert.match(enabled.stderr, /is enabled: .* systemctl --user disable --now gxensemble-sup/);
    Deno.removeSync(wants, { recursive: true });
    Deno.writeTextFileSync(unit, "[Service]\n");
    assert.match((await run("--uninstall")).stderr, /was not written by gxensemble supervisor/);
    Deno.writeTextFileSync(unit, printed.stdout);
    const removed = await run("--uninstall");
    assert.equal(removed.stdout, "systemctl --user daemon-reload\n");
    assert.throws(() => Deno.statSync(unit), Deno.errors.NotFound);
    assert.match((await run("--uninstall")).stderr, /there is no /);
  },
});

testWith([LINUX, "python3"], {
  name: "the unit runs the supervisor, which notifies systemd while it starts, reloads and stops",
  async fn() {
    await using own = await host();
    const { places } = own.ensemble;
    const { code, stdout } = await places.runProcess(
      ...["supervisor", "--install", "--user", "--dry-run"],
    );
    assert.equal(code, 0);
    const unit = new UnitFile(stdout, { E: `${places.directory}/config` });
    await using systemd = await NotifiedSystemd.listen(`${places.directory}/notify`);
    // The variables that systemd gives to every service, and those for Deno's own files.
    const environment = {
      HOME: places.directory,
      PATH: Deno.env.get("PATH")!,
      DENO_DIR: Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`,
      ...unit.environment(),
      NOTIFY_SOCKET: systemd.path,
      WATCHDOG_USEC: "200000",
    };
    const start = (line: string, variables: Record<string, string> = {}) => {
      const [program, ...args] = commandLine(line);
      return new RunningProcess(
        new Deno.Command(program!, {
          args,
          clearEnv: true,
          env: { ...environment, ...variables },
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }).spawn(),
      );
    };
    const supervisor = start(unit.value("ExecStart"));
    try {
      const { pid } = await systemd.receives("READY=1");
      assert.equal(pid, supervisor.pid);
      await systemd.receives("WATCHDOG=1");
      await systemd.receives("STATUS=2 of 2 servers are up");

      const reload = start(unit.value("ExecReload"), { MAINPID: String(pid) });
      assert.equal(await reload.exit(), 0);
      await systemd.receives("RELOADING=1");
      await supervisor.logged(/the configuration is in effect: nothing changes$/);
      const output = `${places.gerbilPath}/ensemble/server/web1/output.log`;
      await supervisor.until(
        async () => (await Deno.readTextFile(output)).includes("has read its certificates again"),
        "rereads the certificates of its server",
      );

      supervisor.signal("SIGTERM");
      const { lines } = await systemd.receives("STOPPING=1");
      assert.match(lines[1]!, /^EXTEND_TIMEOUT_USEC=\d{8}$/);
      assert.equal(await supervisor.exit(), 0);
      const told = systemd.received.flatMap(({ lines }) => lines)
        .filter((line) => /^(READY|RELOADING|STOPPING)=/.test(line));
      assert.deepEqual(told, ["READY=1", "RELOADING=1", "READY=1", "STOPPING=1"]);
      // Its servers do not notify systemd in its place.
      assert.ok(systemd.received.every((each) => each.pid === pid));
    } finally {
      await supervisor.kill();
      for (const pid of own.pids(supervisorId(hostLabel(hostName())))) {
        try {
          Deno.kill(pid, "SIGKILL");
        } catch {
          // It has ended.
        }
      }
    }
  },
});
