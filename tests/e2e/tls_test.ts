import assert from "node:assert/strict";
import { type Certified, CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { freePort } from "../free_port.ts";
import { NETWORKS, testWith } from "../requirements.ts";
import type { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble, RunningProcess, WAITING } from "./running_ensemble.ts";
import { copyOf, HostNetwork, inside } from "./network_hosts.ts";

/** An ensemble whose authority has issued these certificates. */
async function certified(...certificates: Certified[]): Promise<RunningEnsemble> {
  const ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
  await CertifiedEnsemble.certify(ensemble.places, certificates);
  return ensemble;
}

async function passphrase(ensemble: RunningEnsemble): Promise<string[]> {
  return [
    "--passphrase-file",
    await ensemble.write("passphrase", `${PASSPHRASE}\n`, { mode: 0o600 }),
  ];
}

/** The options of a server that is announced only over tls. */
function overTls(): { options: string[]; address: string } {
  const address = `127.0.0.1:${freePort()}`;
  const url = `tls://${address}`;
  return { options: ["--listen", url, "--announce", url], address };
}

Deno.test("servers connect over tls, reread their certificates, and refuse revoked ones", async () => {
  await using ensemble = await certified({ id: "a" }, { id: "b" }, {
    id: "console",
    capabilities: ["loader"],
  });
  await ensemble.startRegistry();
  const [atA, atB] = [overTls(), overTls()];
  const [a] = await Promise.all([
    ensemble.startServer("a", atA.options),
    ensemble.startServer("b", atB.options),
  ]);
  assert.deepEqual(await ensemble.lines("eval", "a", 'ensemble.connect("b").then(() => 1)'), ["1"]);
  const between = `(b (tls: "${atB.address}"))`;
  assert.ok((await ensemble.lines("list-connections", "a")).includes(between));

  // A host with the old list still accepts a certificate that is revoked.
  using elsewhere = copyOf(ensemble);
  const ping = async () => {
    const registry = `unix:${ensemble.socket("registry")}`;
    return await elsewhere.run("ping", "--registry", registry, "a");
  };
  assert.equal((await ping()).stdout, "OK\n");
  await ensemble.lines("ca", "revoke", ...await passphrase(ensemble), "console");
  assert.equal((await ping()).stdout, "OK\n");
  a.signal("SIGHUP");
  await a.logged(/a has read its certificates again/);
  const { code, stderr } = await ping();
  assert.equal(code, 1);
  assert.match(stderr, /the certificate of console was revoked \(serial [0-9A-F]+\)/);
  await a.logged(/refused a connection from tls:\S+: the certificate of console was revoked/);
  assert.match(await ensemble.failure("ping", "a"), /console\/tls\/cert\.pem: .* was revoked/);

  // Without a certificate it is told why. With a new one it is back, and open connections stay
  // open.
  const files = `${ensemble.places.gerbilPath}/ensemble/server/console/tls`;
  await Deno.remove(files, { recursive: true });
  assert.match(
    await ensemble.failure("ping", "a"),
    /^cannot reach a: tls:\/\/127\.0\.0\.1:\d+: this server has no certificate/,
  );
  await ensemble.lines("ca", "cert", ...await passphrase(ensemble), "console");
  assert.ok((await ensemble.lines("list-connections", "a")).includes(between));

  // Invalid files are not used.
  const certificate = `${ensemble.places.gerbilPath}/ensemble/server/a/tls/cert.pem`;
  const kept = `${certificate}.kept`;
  await Deno.rename(certificate, kept);
  await Deno.writeTextFile(certificate, "nothing");
  a.signal("SIGHUP");
  await a.logged(/the certificates stay the same: \S+cert\.pem/);
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  await Deno.rename(kept, certificate);
});

Deno.test("a console whose certificate has admin asks for no passphrase", async () => {
  await using ensemble = await certified({ id: "a" }, { id: "console", capabilities: ["admin"] });
  await installAdministrator(ensemble);
  await ensemble.startRegistry();
  const { options } = overTls();
  const a = await ensemble.startServer("a", options);
  assert.deepEqual(await ensemble.lines("eval", "a", "6 * 7"), ["42"]);
  await a.logged(
    /audit: evaluate allowed who=certificate:console client=console-\S+ claimed=\S+@\S+ transport=tls certificate=[0-9A-F]+/,
  );
});

Deno.test("a server without a certificate does not listen over tls, and says how to get one", async () => {
  await using ensemble = await RunningEnsemble.start();
  const program = await ensemble.write("main.ts", WAITING);
  const { code, stderr } = await ensemble.run("run", "--listen", "tls://127.0.0.1:0", "a", program);
  assert.equal(code, 1);
  assert.match(stderr, /this server has no certificate; make one with: gxensemble ca cert/);
});

Deno.test("a server warns about a certificate that expires soon, and about unencrypted addresses", async () => {
  await using ensemble = await certified({ id: "a", days: 20 });
  await ensemble.startRegistry();
  const a = await ensemble.startServer("a", [
    ...["--listen", "tcp://0.0.0.0:0", "--listen", "tcp://127.0.0.1:0"],
  ]);
  assert.match(
    a.matching(/ the certificate of /).join("\n"),
    /^\S+ WARN server: the certificate of a expires at \S+, in 19 days: make a new one with "gxensemble ca cert a"/,
  );
  assert.equal(a.matching(/neither encrypted nor certified/).length, 1);
  assert.match(a.matching(/neither encrypted/)[0]!, /tcp:\/\/0\.0\.0\.0:0 is neither/);
});

testWith(["ip", NETWORKS], {
  name: "two servers in two network namespaces find each other through the registry, and use tls",
  async fn() {
    await using network = await HostNetwork.create();
    const [here, there] = network.hosts;
    await using ensemble = await certified(
      { id: "registry", hosts: [here.address] },
      { id: "a", hosts: [here.address] },
      { id: "b", hosts: [there.address] },
      { id: "console", capabilities: ["loader"], hosts: [there.address] },
    );
    using remote = copyOf(ensemble);
    const program = await ensemble.write("main.ts", WAITING);
    const registry = `tls://${here.address}:7000`;
    const at = (address: string) => ["--listen", address, "--announce", address];
    const running: RunningProcess[] = [];
    const start = (where: typeof here, places: TemporaryEnsemble, ...args: string[]) => {
      const process = new RunningProcess(inside(where.namespace, places, ...args).spawn());
      running.push(process);
      return process;
    };
    const lines = async (...args: string[]) => {
      const output = await inside(there.namespace, remote, ...args).output();
      const decoder = new TextDecoder();
      assert.equal(output.code, 0, decoder.decode(output.stderr));
      return decoder.decode(output.stdout).trimEnd().split("\n");
    };
    try {
      const first = start(here, ensemble.places, "registry", "--listen", registry);
      await first.logged(/registry listens at tls:/);
      const a = `tls://${here.address}:7001`;
      const b = `tls://${there.address}:7002`;
      const serverA = start(here, ensemble.places, "run", ...at(a), "a", program);
      const remotely = ["--registry", registry];
      const serverB = start(there, remote, "run", ...at(b), ...remotely, "b", program);
      await Promise.all([
        serverA.logged(/is in the registry$/),
        serverB.logged(/is in the registry$/),
      ]);
      assert.deepEqual(await lines("ping", ...remotely, "a"), ["OK"]);
      const connect = 'ensemble.connect("a").then(() => 1)';
      assert.deepEqual(await lines("eval", ...remotely, "b", connect), ["1"]);
      const connections = await lines("list-connections", ...remotely, "b");
      assert.ok(connections.includes(`(a (tls: "${here.address}:7001"))`), connections.join());
      assert.ok(connections.includes(`(registry (tls: "${here.address}:7000"))`));
    } finally {
      await Promise.all(running.map((process) => process.kill()));
    }
  },
});
