import assert from "node:assert/strict";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import {
  copyOf,
  HostNetwork,
  inside,
  type NetworkHost,
  programInside,
} from "../e2e/network_hosts.ts";
import { RunningEnsemble, RunningProcess, WAITING } from "../e2e/running_ensemble.ts";
import { ended, runs } from "../e2e/supervised_host.ts";
import { NETWORKS, ROOT, testWith } from "../requirements.ts";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";

/** How long anything may take, in ms. */
const DEADLINE = 120_000;

/** The number of hosts, and of the servers on each. */
const HOSTS = 3;
const SERVERS = 4;

/** A server as `control list-servers --json` prints it. */
interface Listed {
  supervisor: string;
  server: string;
  state: string;
  pid?: number;
  adopted: boolean;
  restarts: number;
}

/**
 * Three hosts with a supervisor and four servers each, under TLS. They announce only tls addresses:
 * a UNIX socket would cross a cut. All read the same configuration.
 */
class SupervisedHosts implements AsyncDisposable {
  readonly #network: HostNetwork;
  readonly #ensemble = new RunningEnsemble();
  readonly #places: TemporaryEnsemble[] = [];
  readonly #supervisors: RunningProcess[] = [];

  private constructor(network: HostNetwork) {
    this.#network = network;
  }

  static async start(): Promise<SupervisedHosts> {
    const hosts = new SupervisedHosts(await HostNetwork.create(HOSTS));
    await hosts.#prepare();
    for (let at = 0; at < HOSTS; at++) await hosts.startSupervisor(at);
    return hosts;
  }

  get network(): HostNetwork {
    return this.#network;
  }

  async #prepare(): Promise<void> {
    const ensemble = this.#ensemble;
    await ensemble.lines("cookie");
    const home = `${ensemble.places.gerbilPath}/ensemble`;
    const module = await ensemble.write("waiting.js", WAITING);
    await CertifiedEnsemble.giveAuthority(home);
    const { hosts } = this.#network;
    const registry = `tls://${hosts[0].address}:4000`;
    const servers: Record<string, unknown> = {};
    const certificates = [
      { id: "registry", hosts: [hosts[0].address] },
      {
        id: "console",
        hosts: hosts.map(({ address }) => address),
        capabilities: ["supervisor", "admin"],
      },
    ];
    for (const [at, { address }] of hosts.entries()) {
      certificates.push({ id: `supervisor-h${at}`, hosts: [address], capabilities: [] });
      for (let number = 0; number < SERVERS; number++) {
        const id = `web${at * SERVERS + number}`;
        const tls = [`tls://${address}:${4002 + number}`];
        servers[id] = { role: "web", host: `h${at}`, listen: tls, announce: tls };
        certificates.push({ id, hosts: [address], capabilities: [] });
      }
    }
    await CertifiedEnsemble.certify(ensemble.places, certificates);
    await Deno.writeTextFile(
      `${home}/ensemble.jsonc`,
      JSON.stringify({
        registry: { host: "h0", listen: [registry], announce: [registry] },
        roles: { web: { module, restart: "permanent" } },
        servers,
        supervisor: { listen: ["tls://${ADDRESS}:4001"], announce: ["tls://${ADDRESS}:4001"] },
      }),
    );
    for (const { address } of hosts) {
      const places = copyOf(ensemble);
      places.environment.ENSEMBLE_REGISTRY = registry;
      places.environment.ADDRESS = address;
      this.#places.push(places);
    }
  }

  /** Starts the supervisor of a host, which has a name of its own. */
  async startSupervisor(at: number): Promise<void> {
    const places = this.#places[at]!;
    const named = `hostname h${at} && exec "$@"`;
    const command = ["unshare", "--uts", "sh", "-c", named, "sh", ...places.program, "supervisor"];
    const supervisor = new RunningProcess(
      programInside(this.#host(at).namespace, places, ...command).spawn(),
    );
    this.#supervisors[at] = supervisor;
    await supervisor.logged(/ listens at tls:/);
  }

  /** Kills the supervisor of a host. */
  async killSupervisor(at: number): Promise<void> {
    await this.#supervisors[at]!.kill();
  }

  /** Waits until the supervisor of a host has ended. */
  async supervisorEnded(at: number): Promise<void> {
    assert.equal(await this.#supervisors[at]!.exit(), 0);
  }

  /** Runs `gxensemble` on a host. */
  async run(at: number, ...args: string[]): Promise<Outcome> {
    const { namespace } = this.#host(at);
    const { code, stdout, stderr } = await inside(namespace, this.#places[at]!, ...args).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** What `control list-servers --all` prints on a host, without the registry. */
  async list(at: number): Promise<Listed[]> {
    const { stdout } = await this.run(at, "control", "list-servers", "--all", "--json");
    const servers: Listed[] = stdout === "" ? [] : JSON.parse(stdout);
    return servers.filter(({ server }) => server !== "registry");
  }

  /** Lists the servers until a condition holds. */
  async until(
    at: number,
    { what, condition }: { what: string; condition: (servers: Listed[]) => boolean },
  ): Promise<Listed[]> {
    const late = performance.now() + DEADLINE;
    while (true) {
      const servers = await this.list(at);
      if (condition(servers)) return servers;
      assert.ok(performance.now() < late, `never ${what}: ${JSON.stringify(servers)}`);
    }
  }

  #host(at: number): NetworkHost {
    return this.#network.hosts[at]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const supervisor of this.#supervisors) await supervisor.kill();
    for (const [at, { gerbilPath }] of this.#places.entries()) {
      const file = `${gerbilPath}/ensemble/server/supervisor-h${at}/processes.json`;
      const text = await Deno.readTextFile(file).catch(() => '{"servers":{}}');
      for (
        const { process } of Object.values<{ process?: { pid?: number } }>(
          JSON.parse(text).servers,
        )
      ) {
        if (process?.pid !== undefined && runs(process.pid)) Deno.kill(process.pid, "SIGKILL");
      }
      this.#places[at]![Symbol.dispose]();
    }
    await this.#network[Symbol.asyncDispose]();
    await this.#ensemble[Symbol.asyncDispose]();
  }
}

const all = HOSTS * SERVERS;

function areUp(count: number) {
  return {
    what: `${count} servers are up`,
    condition: (servers: Listed[]) =>
      servers.filter(({ state }) => state === "up").length === count,
  };
}

testWith(["ip", ROOT, NETWORKS], {
  name: "supervisors of three hosts keep twelve servers running under TLS",
  timeout: 600_000,
  async fn() {
    await using hosts = await SupervisedHosts.start();
    const started = await hosts.until(1, areUp(all));
    assert.equal(new Set(started.map(({ pid }) => pid)).size, all);

    // A killed server comes back on each host.
    const killed = ["web0", "web5", "web11"];
    for (const { server, pid } of started) if (killed.includes(server)) Deno.kill(pid!, "SIGKILL");
    const restarted = await hosts.until(2, {
      what: "restarted",
      condition: (servers) =>
        servers.filter(({ state, restarts }) => state === "up" && restarts === 1).length === 3,
    });
    for (const { server, pid } of restarted) {
      assert.equal(
        pid !== started.find((each) => each.server === server)!.pid,
        killed.includes(server),
        server,
      );
    }

    // The servers of a killed supervisor live, and the next one takes them over.
    await hosts.killSupervisor(1);
    const orphans = restarted.filter(({ server }) =>
      ["web4", "web5", "web6", "web7"].includes(server)
    );
    for (const { server, pid } of orphans) {
      assert.ok(runs(pid!));
      assert.equal((await hosts.run(2, "ping", server)).stdout, "OK\n");
    }
    await hosts.startSupervisor(1);
    const adopted = await hosts.until(0, areUp(all));
    assert.deepEqual(
      adopted.filter((server) => server.adopted).map(({ server, pid }) => [server, pid]),
      orphans.map(({ server, pid }) => [server, pid]),
    );

    // A host that is cut off is named, and the others go on.
    const [, , third] = hosts.network.hosts;
    await hosts.network.cut(third);
    const cut = await hosts.run(0, "control", "list-servers", "--all", "--timeout", "5");
    assert.equal(cut.code, 1);
    assert.match(
      cut.stderr,
      /^gxensemble: error: supervisor-h2: .*\ngxensemble: error: 1 of 3 supervisors did not answer\n$/,
    );
    assert.equal((await hosts.list(0)).filter(({ state }) => state === "up").length, all - SERVERS);
    const { pid } = adopted.find(({ server }) => server === "web1")!;
    Deno.kill(pid!, "SIGKILL");
    await hosts.until(0, {
      what: "restarted while a host is cut off",
      condition: (servers) =>
        servers.some((server) =>
          server.server === "web1" && server.restarts === 1 && server.state === "up"
        ),
    });
    await hosts.network.join(third);
    const joined = await hosts.until(0, areUp(all));
    // Nothing was restarted on the host that was cut off.
    for (const id of ["web8", "web9", "web10", "web11"]) {
      assert.equal(
        joined.find((server) => server.server === id)!.pid,
        adopted.find((server) => server.server === id)!.pid,
      );
    }

    // One command ends all.
    const end = await hosts.run(1, "control", "shutdown", "--all", "-f");
    assert.equal(end.code, 0, end.stderr);
    for (let at = 0; at < HOSTS; at++) await hosts.supervisorEnded(at);
    for (const { pid } of joined) await ended(pid!);
  },
});
