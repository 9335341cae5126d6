import assert from "node:assert/strict";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { freePort } from "../free_port.ts";
import { NETWORKS, ROOT, testWith } from "../requirements.ts";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningProcess } from "./running_ensemble.ts";
import { SupervisedHost, SUPERVISOR } from "./supervised_host.ts";
import { copyOf, HostNetwork, type NetworkHost, programInside } from "./network_hosts.ts";

/** The configuration of a host with a registry and the server `web1`. */
const WEB = {
  registry: true,
  roles: { web: { module: "WAITING", restart: "permanent" } },
  servers: { web1: { role: "web" } },
};

/** A host with a supervisor, reached at a tcp port, and the server `web1`. */
async function startHost(prepare?: (host: SupervisedHost) => Promise<unknown>) {
  const host = await SupervisedHost.with(WEB);
  await prepare?.(host);
  const address = `tcp://127.0.0.1:${freePort()}`;
  const supervisor = await host.start("-l", address, "-a", address);
  const { pid } = await host.up("web1");
  return { host, ensemble: host.ensemble, supervisor, pid: pid! };
}

Deno.test("with -s a command reaches a server through the supervisor of its host", async () => {
  const { host, ensemble, pid } = await startHost();
  await using _ = host;
  const through = ["-s", SUPERVISOR];
  const peers = await ensemble.lines(
    "eval",
    ...through,
    "web1",
    '[...ensemble.connections()].map(({peer}) => peer.replace(/-.*/, ""))',
  );
  assert.deepEqual(peers, ['[ "console", "registry" ]']);
  assert.deepEqual(await ensemble.lines("ping", ...through, "web1"), ["OK"]);
  assert.deepEqual(await ensemble.lines("ping", `--supervisor=${SUPERVISOR}`, "--all"), [
    "web1: OK",
  ]);
  assert.deepEqual(await ensemble.lines("ping", ...through, "--role", "web"), ["web1: OK"]);
  assert.deepEqual(await ensemble.lines("ping", ...through, SUPERVISOR), ["OK"]);
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
    /^cannot reach web9: through supervisor-t1: no server web9 listens on its host: unix:\S+: no such socket$/,
  );
  assert.match(
    await ensemble.failure("ping", "-s", "web1", SUPERVISOR),
    /^web1 is not a host's supervisor: list them with gxensemble lookup --role supervisor$/,
  );
  assert.match(
    await ensemble.failure("ping", "-s", "supervisor-t2", "web1"),
    /^cannot reach supervisor-t2: no server supervisor-t2 is registered; did you mean supervisor-t1\?$/,
  );
  assert.equal((await ensemble.run("ping", "-s", "a/b", "web1")).code, 2);
  assert.equal((await ensemble.run("shutdown", "-f", ...through)).code, 2);

  // A server that is stopped is named as such.
  Deno.kill(pid, "SIGSTOP");
  assert.match(
    await ensemble.failure("ping", ...through, "--timeout", "0.5", "web1"),
    /it accepts connections at its socket through supervisor-t1 but does not answer the handshake; web1 \(pid \d+ on host \S+\) is stopped/,
  );
  Deno.kill(pid, "SIGCONT");
});

Deno.test("a command that waits through a supervisor that is killed fails, and names it", async () => {
  const { host, ensemble, supervisor } = await startHost();
  await using _ = host;
  const expression = "new Promise(() => globalThis.begun = 1)";
  const waiting = ensemble.spawn("eval", "-s", SUPERVISOR, "web1", expression);
  const hasBegun = async () =>
    (await ensemble.lines("eval", "web1", "globalThis.begun"))[0] === "1";
  await supervisor.until(hasBegun, "began");
  supervisor.signal("SIGKILL");
  await supervisor.exit();
  assert.equal(await waiting.exit(), 1);
  assert.match(
    waiting.log.join("\n"),
    /error: the connection to web1 was lost: the tunnel through supervisor-t1 has ended: the connection to supervisor-t1 was lost: /,
  );
});

Deno.test("with -s the administrators' key is asked for, for the supervisor and the server", async () => {
  let options: string[] = [];
  const { host, ensemble, supervisor } = await startHost(async ({ ensemble }) =>
    options = (await installAdministrator(ensemble)).right
  );
  await using _ = host;
  const through = ["-s", SUPERVISOR, ...options];
  assert.deepEqual(await ensemble.lines("eval", ...through, "web1", "1 + 1"), ["2"]);
  assert.deepEqual(await ensemble.lines("ping", ...through, "web1"), ["OK"]);
  await supervisor.logged(/audit: tunnel allowed who=admin:\S+ client=console-\S+ .*target=web1/);
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.priv`);
  assert.match(
    await ensemble.failure("ping", "-s", SUPERVISOR, "web1"),
    /^cannot reach web1: through supervisor-t1: console-\S+ is not authorized for tunnel in supervisor-t1: it takes the capability supervisor, and the administrators' private key is not on this host$/,
  );
});

testWith(["ip", ROOT, NETWORKS], {
  name: "with -s a server of another host is reached that announces only its UNIX socket",
  timeout: 100_000,
  async fn() {
    await using network = await HostNetwork.create();
    const [near, far] = network.hosts;
    const [registry, supervisor] = [4000, 4001].map((port) => `tls://${near.address}:${port}`);
    await using host = await SupervisedHost.with({
      ...WEB,
      registry: { listen: [registry], announce: [registry] },
      supervisor: { listen: [supervisor], announce: [supervisor] },
    });
    const { places } = host.ensemble;
    await CertifiedEnsemble.giveAuthority(`${places.gerbilPath}/ensemble`);
    await CertifiedEnsemble.certify(places, [
      { id: "registry", hosts: [near.address] },
      { id: SUPERVISOR, hosts: [near.address] },
      { id: "console", hosts: [far.address], capabilities: ["supervisor"] },
    ]);
    using elsewhere = copyOf(host.ensemble);
    elsewhere.environment.ENSEMBLE_REGISTRY = registry!;
    const command = [...places.program, "supervisor", "--id", SUPERVISOR];
    host.supervisor = new RunningProcess(
      programInside(near.namespace, places, ...command).spawn(),
    );
    await host.supervisor.logged(/web1 is up/);
    const run = (...args: string[]) => runOn(far, elsewhere, host, ...args);

    const { code, stderr } = await run("ping", "web1");
    assert.equal(code, 1, stderr);
    assert.match(stderr, /cannot reach web1: unix:/);
    const pinged = await run("ping", "-s", SUPERVISOR, "web1");
    assert.deepEqual([pinged.stdout, pinged.stderr], ["OK\n", ""]);
    const answer = await run("eval", "-s", SUPERVISOR, "web1", "6 * 7");
    assert.deepEqual([answer.stdout, answer.stderr], ["42\n", ""]);

    // A host that is cut off does not answer, and the command says which.
    await network.cut();
    const cut = await run("ping", "-s", SUPERVISOR, "web1");
    assert.equal(cut.code, 1);
    assert.match(cut.stderr, /^gxensemble: error: .*supervisor-t1/);
  },
});

/** Runs `gxensemble` on a host that does not have the sockets of the other, to its end. */
async function runOn(
  { namespace }: NetworkHost,
  places: TemporaryEnsemble,
  { ensemble: { places: { socketDirectory } } }: SupervisedHost,
  ...args: string[]
): Promise<Outcome> {
  const hidden = `mount -t tmpfs none ${socketDirectory} && exec "$@"`;
  const command = ["unshare", "--mount", "sh", "-c", hidden, "sh", ...places.program, ...args];
  const { code, stdout, stderr } = await programInside(namespace, places, ...command).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
