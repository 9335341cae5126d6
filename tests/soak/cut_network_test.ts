import assert from "node:assert/strict";
import { RunningEnsemble, RunningProcess, WAITING } from "../e2e/running_ensemble.ts";
import { copyOf, HostNetwork, inside, type NetworkHost } from "../e2e/network_hosts.ts";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { NETWORKS, ROOT, testWith } from "../requirements.ts";
import type { Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";

/** How long all may take to agree again, in ms. */
const DEADLINE = 120_000;

/** A cut that is over before a lease is, and one that is longer than the heartbeat's timeout. */
const SHORT_CUT = 5_000;
const LONG_CUT = 70_000;

/** Two hosts: `near` has the registry and the server `near1`, `far` has `far1`. */
class CutEnsemble implements AsyncDisposable {
  readonly network: HostNetwork;
  readonly #ensemble = new RunningEnsemble();
  readonly #scheme: "tcp" | "tls";
  readonly #running: RunningProcess[] = [];
  #elsewhere!: TemporaryEnsemble;

  private constructor(network: HostNetwork, scheme: "tcp" | "tls") {
    this.network = network;
    this.#scheme = scheme;
  }

  static async start(scheme: "tcp" | "tls"): Promise<CutEnsemble> {
    const cut = new CutEnsemble(await HostNetwork.create(), scheme);
    await cut.#prepare();
    return cut;
  }

  async #prepare(): Promise<void> {
    const ensemble = this.#ensemble;
    await ensemble.lines("cookie");
    const [near, far] = this.network.hosts;
    if (this.#scheme === "tls") {
      await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
      await CertifiedEnsemble.certify(ensemble.places, [
        { id: "registry", hosts: [near.address] },
        { id: "near1", hosts: [near.address] },
        { id: "near2", hosts: [near.address] },
        { id: "far1", hosts: [far.address] },
        { id: "console", hosts: [near.address, far.address] },
      ]);
    }
    this.#elsewhere = copyOf(ensemble);
    for (const { environment } of [ensemble.places, this.#elsewhere]) {
      environment.ENSEMBLE_REGISTRY = `${this.#scheme}://${near.address}:4000`;
    }
    const registry = this.#spawn(near, "registry", ...this.#at(near, 4000));
    await registry.logged(/registry listens at t/);
    await this.startServer(near, "near1", 4001);
    await this.startServer(far, "far1", 4001);
  }

  /** Starts a server that announces no UNIX socket, which would cross the cut. */
  async startServer(host: NetworkHost, id: string, port: number): Promise<RunningProcess> {
    const program = await this.#ensemble.write(`${id}.js`, WAITING);
    const server = this.#spawn(host, "run", ...this.#at(host, port), "--roles", "web", id, program);
    await server.logged(/is in the registry$/);
    return server;
  }

  /** Starts `gxensemble watch` on a host. */
  async watch(host: NetworkHost): Promise<Watcher> {
    const watch = this.#spawn(host, "watch");
    await watch.printed("present near1");
    return new Watcher(watch);
  }

  /** Runs `gxensemble` on a host. */
  async run(host: NetworkHost, ...args: string[]): Promise<Outcome> {
    const { code, stdout, stderr } = await this.#command(host, ...args).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  #spawn(host: NetworkHost, ...args: string[]): RunningProcess {
    const process = new RunningProcess(this.#command(host, ...args).spawn());
    this.#running.push(process);
    return process;
  }

  #command(host: NetworkHost, ...args: string[]): Deno.Command {
    const places = host === this.network.hosts[0] ? this.#ensemble.places : this.#elsewhere;
    return inside(host.namespace, places, ...args);
  }

  #at({ address }: NetworkHost, port: number): string[] {
    const url = `${this.#scheme}://${address}:${port}`;
    return ["--listen", url, "--announce", url];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map((process) => process.kill()));
    this.#elsewhere?.[Symbol.dispose]();
    await this.#ensemble[Symbol.asyncDispose]();
    await this.network[Symbol.asyncDispose]();
  }
}

/** What a watcher was told. */
class Watcher {
  readonly #process: RunningProcess;

  constructor(process: RunningProcess) {
    this.#process = process;
  }

  /** The changes of a server. */
  changesOf(id: string): string[] {
    return this.#process.output.map((line) => line.split(" "))
      .filter(([, of]) => of === id).map(([change]) => change!);
  }

  /** Waits until the last change of a server is this one. */
  async hears(change: string, id: string): Promise<void> {
    const late = performance.now() + DEADLINE;
    while (this.changesOf(id).at(-1) !== change) {
      const lines = [...this.#process.output, ...this.#process.log].join("\n");
      assert.ok(performance.now() < late, `never ${change} ${id}:\n${lines}`);
      await pause(50);
    }
  }
}

for (const scheme of ["tcp", "tls"] as const) {
  testWith(["ip", ROOT, NETWORKS], {
    name: `hosts that are cut off for 5 s and for 70 s agree afterwards, over ${scheme}`,
    timeout: 400_000,
    async fn() {
      await using ensemble = await CutEnsemble.start(scheme);
      const [near, far] = ensemble.network.hosts;
      const watchers = await Promise.all([ensemble.watch(near), ensemble.watch(far)]);
      const both = (change: string, id: string) =>
        Promise.all(watchers.map((watcher) => watcher.hears(change, id)));
      await both("present", "far1");

      // Shorter than a lease: no server is told anything.
      await ensemble.network.cut();
      await pause(SHORT_CUT);
      await ensemble.network.join();
      await ensemble.startServer(near, "near2", 4002);
      await both("up", "near2");
      for (const watcher of watchers) {
        assert.deepEqual(watcher.changesOf("far1"), ["present"]);
        assert.deepEqual(watcher.changesOf("near1"), ["present"]);
      }

      // Longer than a lease and than the heartbeat: the side of the registry is told in time.
      await ensemble.network.cut();
      const joined = pause(LONG_CUT).then(() => ensemble.network.join());
      await watchers[0]!.hears("unreachable", "far1");
      assert.deepEqual(watchers[1]!.changesOf("far1"), ["present"]);
      const { stdout: found } = await ensemble.run(near, "lookup", "--role", "web");
      assert.deepEqual(found.match(/^\(\w+/gm), ["(near1", "(near2"]);
      const { code, stderr } = await ensemble.run(near, "ping", "far1");
      assert.equal(code, 1);
      assert.match(stderr, /cannot reach far1: it is unreachable: /);
      await joined;
      await both("up", "far1");
      for (const watcher of watchers) {
        // It is gone if a minute went by before it could register again.
        const changes = watcher.changesOf("far1").filter((change) => change !== "gone");
        assert.deepEqual(changes, ["present", "unreachable", "up"]);
        assert.deepEqual(watcher.changesOf("near1"), ["present"]);
      }
      for (const host of [near, far]) {
        const { stdout } = await ensemble.run(host, "lookup", "--role", "web");
        assert.deepEqual(stdout.match(/^\(\w+/gm), ["(far1", "(near1", "(near2"]);
        assert.equal((await ensemble.run(host, "ping", "far1")).stdout, "OK\n");
      }
    },
  });
}

function pause(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time));
}
