/**
 * etcd for a test: real members on this host, with places and ports of their own.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { InternetAddress } from "../runtime/wire/address.ts";
import { freePort } from "./free_port.ts";

/** How long a cluster may take to answer, in ms. */
const DEADLINE = 20_000;

/** Files of certificates, as paths. */
export interface EtcdTls {
  /** The authority that signs the certificates of members and clients. */
  readonly authority: string;
  /** The certificate of the members. */
  readonly certificate: string;
  /** Its private key. */
  readonly key: string;
}

/** One member of a cluster. */
export class EtcdMember {
  /** Where it takes clients. */
  readonly address: InternetAddress;
  readonly #args: readonly string[];
  #process: Deno.ChildProcess | undefined;

  /** Prepares a member that listens at an address, and runs `etcd` with arguments. */
  constructor(address: InternetAddress, args: readonly string[]) {
    this.address = address;
    this.#args = args;
  }

  /** Its process id, while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Starts it, or starts it again with the data that it has. */
  start(): void {
    const output = { stdin: "null", stdout: "null", stderr: "null" } as const;
    this.#process = new Deno.Command("etcd", { args: [...this.#args], ...output }).spawn();
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process?.kill(signal);
  }

  /** Ends it as a power failure would. */
  async kill(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    process?.kill("SIGKILL");
    await process?.status;
  }

  /** Makes a request of the JSON gateway, and gives the answer; undefined if there is none. */
  // deno-lint-ignore no-explicit-any -- whatever etcd answers
  async ask(path: string, body: unknown = {}): Promise<any> {
    try {
      const response = await fetch(`http://127.0.0.1:${this.address.port}${path}`, {
        method: "POST",
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(2_000),
      });
      return await response.json();
    } catch {
      return undefined;
    }
  }
}

/** A cluster; its processes end and its files go with `await using`. */
export class EtcdCluster implements AsyncDisposable {
  /** Its members. */
  readonly members: readonly EtcdMember[];
  readonly #directory: string;

  private constructor(directory: string, members: readonly EtcdMember[]) {
    this.#directory = directory;
    this.members = members;
  }

  /** Starts a cluster of some members, and waits until it answers; with TLS, without waiting. */
  static async start({ size = 1, tls }: { size?: number; tls?: EtcdTls } = {}): Promise<
    EtcdCluster
  > {
    const directory = await Deno.makeTempDir({ prefix: "gxetcd" });
    const names = Array.from({ length: size }, (_, at) => `member${at}`);
    const places = names.map((name) => ({ name, port: freePort(), peer: freePort() }));
    const all = places.map(({ name, peer }) => `${name}=http://127.0.0.1:${peer}`).join(",");
    const members = places.map(({ name, port, peer }) => {
      const client = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
      const options = {
        "name": name,
        "data-dir": `${directory}/${name}`,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": `http://127.0.0.1:${peer}`,
        "initial-advertise-peer-urls": `http://127.0.0.1:${peer}`,
        "initial-cluster": all,
        ...tls && {
          "cert-file": tls.certificate,
          "key-file": tls.key,
          "trusted-ca-file": tls.authority,
          "client-cert-auth": "true",
        },
      };
      const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
      return new EtcdMember({ kind: "tcp", host: "127.0.0.1", port }, args);
    });
    const cluster = new EtcdCluster(directory, members);
    cluster.startAll();
    if (!tls) await cluster.answers();
    return cluster;
  }

  /** Where the members take clients. */
  get addresses(): InternetAddress[] {
    return this.members.map(({ address }) => address);
  }

  /** The URL of a store with a prefix, for `--store`. */
  url(prefix: string): string {
    return `etcd://${
      this.addresses.map(({ host, port }) => `${host}:${port}`).join(",")
    }/${prefix}`;
  }

  /** Starts all members. */
  startAll(): void {
    for (const member of this.members) member.start();
  }

  /** Kills all members. */
  async killAll(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
  }

  /** Sends all members a signal. */
  signalAll(signal: Deno.Signal): void {
    for (const member of this.members) member.signal(signal);
  }

  /** Waits until the cluster takes changes. */
  async answers(): Promise<void> {
    const late = performance.now() + DEADLINE;
    while ((await this.ask("/v3/kv/range", { key: btoa("any") }))?.header === undefined) {
      assert.ok(performance.now() < late, "etcd does not answer");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Makes a request of the first member that answers. */
  // deno-lint-ignore no-explicit-any -- whatever etcd answers
  async ask(path: string, body: unknown = {}): Promise<any> {
    for (const member of this.members) {
      const answer = await member.ask(path, body);
      if (answer?.header) return answer;
    }
  }

  /** The member that leads the others. */
  async leader(): Promise<EtcdMember> {
    for (const member of this.members) {
      const answer = await member.ask("/v3/maintenance/status");
      if (answer?.leader && answer.leader === answer.header.member_id) return member;
    }
    return assert.fail("etcd has no leader");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll();
    await Deno.remove(this.#directory, { recursive: true });
  }
}
