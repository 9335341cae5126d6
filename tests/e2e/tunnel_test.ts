import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { freePort } from "../free_port.ts";
import { NETWORKS, ROOT, testWith } from "../requirements.ts";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble, RunningProcess, WAITING } from "./running_ensemble.ts";
import { copyOf, type NetworkHost, programInside, TwoNamespaces } from "./two_hosts.ts";

const SUPERVISOR = fileURLToPath(new URL("tunnelling_server.ts", import.meta.url));
const ID = "supervisor-host1";

/** The arguments of `deno` for the supervisor. */
function supervisorAt(address: string): string[] {
  return ["run", "-A", "--no-check", SUPERVISOR, ID, address];
}

/** An ensemble with a supervisor and the server `web1`. */
async function startEnsemble(
  options: { prepare?: (ensemble: RunningEnsemble) => Promise<unknown> } = {},
) {
  const ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  await options.prepare?.(ensemble);
  const registry = await ensemble.startRegistry();
  const supervisor = ensemble.spawnDeno(...supervisorAt(`tcp://127.0.0.1:${freePort()}`));
  const [web1] = await Promise.all([
    ensemble.startServer("web1", ["--roles", "web"]),
    supervisor.logged(/is in the registry$/),
  ]);
  return { ensemble, registry, supervisor, web1 };
}

Deno.test("with -s a command reaches a server through the supervisor of its host", async () => {
  const { ensemble, registry, supervisor, web1 } = await startEnsemble();
  await using _ = ensemble;
  const through = ["-s", ID];
  const peers = await ensemble.lines(
    "eval",
    ...through,
    "web1",
    '[...ensemble.connections()].map(({peer}) => peer.replace(/-.*/, ""))',
  );
  assert.deepEqual(peers, ['[ "console", "registry" ]']);
  assert.deepEqual(await ensemble.lines("ping", ...through, "web1"), ["OK"]);
  assert.deepEqual(await ensemble.lines("ping", `--supervisor=${ID}`, "--all"), ["web1: OK"]);
  assert.deepEqual(await ensemble.lines("ping", ...through, "--role", "web"), ["web1: OK"]);
  assert.deepEqual(await ensemble.lines("ping", ...through, ID), ["OK"]);
  assert.deepEqual(await ensemble.lines("list-actors", ...through, "web1"), [
    "loader",
    "observer",
    "registration",
    "server",
  ]);
  assert.match((await ensemble.lines("status", ...through, "web1")).join("\n"), /web1/);
  assert.equal((await ensemble.lines("list-servers", ...through)).length, 3);

  // Code of some megabytes.
  await ensemble.write("deno.json", "{}");
  const module = await ensemble.write(
    "large.js",
    `export const size = ${JSON.stringify("x".repeat(10_000_000))}.length;\n`,
  );
  await ensemble.lines("load", ...through, "-f", "web1", module);
  assert.deepEqual(
    await ensemble.lines("eval", ...through, "web1", 'ensemble.module("large.js").size'),
    ["10000000"],
  );
  const { stdout } = await ensemble.places.runWithInput("1 + 1\n", "repl", ...through, "web1");
  assert.match(stdout, /2\n$/);

  assert.match(
    await ensemble.failure("ping", ...through, "web9"),
    /^cannot reach web9: through supervisor-host1: no server web9 listens on its host: unix:\S+: no such socket$/,
  );
  assert.match(
    await ensemble.failure("ping", "-s", "web1", ID),
    /^cannot reach supervisor-host1: through web1: it is no supervisor, or one of an older version$/,
  );
  assert.match(
    await ensemble.failure("ping", "-s", "supervisor-host2", "web1"),
    /^cannot reach supervisor-host2: no server supervisor-host2 is registered; did you mean supervisor-host1\?$/,
  );
  assert.equal((await ensemble.run("ping", "-s", "a/b", "web1")).code, 2);
  assert.equal((await ensemble.run("shutdown", "-f", ...through)).code, 2);

  // A server that is stopped is named as such.
  web1.signal("SIGSTOP");
  assert.match(
    await ensemble.failure("ping", ...through, "--timeout", "0.5", "web1"),
    /it accepts connections at its socket through supervisor-host1 but does not answer the handshake; web1 \(pid \d+ on host \S+\) is stopped/,
  );
  web1.signal("SIGCONT");

  // It goes on when the registry has ended: the supervisor is found at its socket.
  registry.signal("SIGKILL");
  await registry.exit();
  assert.deepEqual(await ensemble.lines("ping", ...through, "web1"), ["OK"]);
  supervisor.signal("SIGKILL");
  await supervisor.exit();
});

Deno.test("a command that waits through a supervisor that is killed fails, and names it", async () => {
  const { ensemble, supervisor } = await startEnsemble();
  await using _ = ensemble;
  const expression = "new Promise(() => globalThis.begun = 1)";
  const waiting = ensemble.spawn("eval", "-s", ID, "web1", expression);
  const hasBegun = async () =>
    (await ensemble.lines("eval", "web1", "globalThis.begun"))[0] === "1";
  await supervisor.until(hasBegun, "began");
  supervisor.signal("SIGKILL");
  await supervisor.exit();
  assert.equal(await waiting.exit(), 1);
  assert.match(
    waiting.log.join("\n"),
    /error: the connection to web1 was lost: the tunnel through supervisor-host1 has ended: the connection to supervisor-host1 was lost: /,
  );
});

Deno.test("with -s the administrators' key is asked for, for the supervisor and the server", async () => {
  let options: string[] = [];
  const { ensemble, supervisor } = await startEnsemble({
    prepare: async (ensemble) => options = (await installAdministrator(ensemble)).right,
  });
  await using _ = ensemble;
  const through = ["-s", ID, ...options];
  assert.deepEqual(await ensemble.lines("eval", ...through, "web1", "1 + 1"), ["2"]);
  assert.deepEqual(await ensemble.lines("ping", ...through, "web1"), ["OK"]);
  await supervisor.logged(/audit: tunnel allowed who=admin:\S+ client=console-\S+ .*target=web1/);
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.priv`);
  assert.match(
    await ensemble.failure("ping", "-s", ID, "web1"),
    /^cannot reach web1: through supervisor-host1: console-\S+ is not authorized for tunnel in supervisor-host1: it takes the capability supervisor, and the administrators' private key is not on this host$/,
  );
});

testWith(["ip", ROOT, NETWORKS], {
  name: "with -s a server of another host is reached that announces only its UNIX socket",
  timeout: 100_000,
  async fn() {
    await using network = await TwoNamespaces.create();
    await using ensemble = new RunningEnsemble();
    const [near, far] = network.hosts;
    await ensemble.lines("cookie");
    await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
    await CertifiedEnsemble.certify(ensemble.places, [
      { id: "registry", hosts: [near.address] },
      { id: ID, hosts: [near.address] },
      { id: "console", hosts: [far.address], capabilities: ["supervisor"] },
    ]);
    using elsewhere = copyOf(ensemble);
    elsewhere.environment.ENSEMBLE_REGISTRY = `tls://${near.address}:4000`;
    const url = `tls://${near.address}:4000`;
    const start = async (...command: string[]) => {
      const process = new RunningProcess(
        programInside(near.namespace, ensemble.places, ...command).spawn(),
      );
      running.push(process);
      await process.logged(/is in the registry$|registry listens at tls/);
      return process;
    };
    const running: RunningProcess[] = [];
    try {
      await start(...ensemble.places.program, "registry", "-l", url, "-a", url);
      const at = `tls://${near.address}:4001`;
      await start(Deno.execPath(), ...supervisorAt(at));
      const program = await ensemble.write("web1.js", WAITING);
      await start(...ensemble.places.program, "run", "web1", program);

      const { code, stderr } = await runOn(far, elsewhere, ensemble, "ping", "web1");
      assert.equal(code, 1, stderr);
      assert.match(stderr, /cannot reach web1: unix:/);
      const pinged = await runOn(far, elsewhere, ensemble, "ping", "-s", ID, "web1");
      assert.deepEqual([pinged.stdout, pinged.stderr], ["OK\n", ""]);
      const answer = await runOn(far, elsewhere, ensemble, "eval", "-s", ID, "web1", "6 * 7");
      assert.deepEqual([answer.stdout, answer.stderr], ["42\n", ""]);

      // A host that is cut off does not answer, and the command says which.
      await network.cut();
      const cut = await runOn(far, elsewhere, ensemble, "ping", "-s", ID, "web1");
      assert.equal(cut.code, 1);
      assert.match(cut.stderr, /^gxensemble: error: .*supervisor-host1/);
    } finally {
      await Promise.all(running.map((process) => process.kill()));
    }
  },
});

/** Runs `gxensemble` on a host that does not have the sockets of the other, to its end. */
async function runOn(
  { namespace }: NetworkHost,
  places: TemporaryEnsemble,
  { places: { socketDirectory } }: RunningEnsemble,
  ...args: string[]
): Promise<Outcome> {
  const hidden = `mount -t tmpfs none ${socketDirectory} && exec "$@"`;
  const command = ["unshare", "--mount", "sh", "-c", hidden, "sh", ...places.program, ...args];
  const { code, stdout, stderr } = await programInside(namespace, places, ...command).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
