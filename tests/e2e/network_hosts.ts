/**
 * An ensemble on several hosts: network namespaces of this one.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";
import type { RunningEnsemble } from "./running_ensemble.ts";

/** The same ensemble as seen from another host: its files, and no sockets. */
export function copyOf({ places }: RunningEnsemble): TemporaryEnsemble {
  const copy = new TemporaryEnsemble();
  const { code } = new Deno.Command("cp", { args: ["-a", places.gerbilPath, copy.gerbilPath] })
    .outputSync();
  assert.equal(code, 0);
  return copy;
}

/** A program in a network namespace, with the places of an ensemble. */
export function programInside(
  namespace: string,
  places: TemporaryEnsemble,
  ...command: string[]
): Deno.Command {
  return places.external("ip", "netns", "exec", namespace, ...command);
}

/** `gxensemble` in a network namespace. */
export function inside(
  namespace: string,
  places: TemporaryEnsemble,
  ...args: string[]
): Deno.Command {
  return programInside(namespace, places, ...places.program, ...args);
}

/** A host of {@linkcode HostNetwork}. */
export interface NetworkHost {
  /** The name of its network namespace. */
  readonly namespace: string;
  /** Its IP address. */
  readonly address: string;
}

/** Network namespaces connected only with each other, by a bridge in one more. */
export class HostNetwork implements AsyncDisposable {
  /** The hosts. */
  readonly hosts: [NetworkHost, NetworkHost, ...NetworkHost[]];
  readonly #between: string;

  private constructor(name: string, count: number) {
    const host = (at: number) => ({
      namespace: `${name}${at}`,
      address: `10.231.77.${at + 1}`,
    });
    const more = Array.from({ length: count - 2 }, (_, at) => host(at + 2));
    this.hosts = [host(0), host(1), ...more];
    this.#between = `${name}c`;
  }

  /** Makes the namespaces of two or more hosts, and the links between them; it takes the rights of root. */
  static async create(count = 2): Promise<HostNetwork> {
    const network = new HostNetwork(`gx${crypto.randomUUID().slice(0, 8)}`, count);
    const between = network.#between;
    try {
      for (const namespace of network.#namespaces) await ip("netns", "add", namespace);
      await ip("-n", between, "link", "add", "bridge", "type", "bridge");
      await ip("-n", between, "link", "set", "bridge", "up");
      for (const [at, { namespace, address }] of network.hosts.entries()) {
        // Interface names are set inside the namespaces, where they cannot conflict.
        const peer = ["peer", "name", "gx0", "netns", namespace];
        await ip("-n", between, "link", "add", portOf(at), "type", "veth", ...peer);
        await ip("-n", between, "link", "set", portOf(at), "master", "bridge", "up");
        await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "gx0");
        for (const device of ["lo", "gx0"]) await ip("-n", namespace, "link", "set", device, "up");
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Cuts the hosts off from each other, or one from the others: packets are lost, and no host is told. */
  async cut(host?: NetworkHost): Promise<void> {
    const between = this.#between;
    if (!host) await ip("-n", between, "link", "set", "bridge", "down");
    else await ip("-n", between, "link", "set", portOf(this.hosts.indexOf(host)), "nomaster");
  }

  /** Connects them again. */
  async join(host?: NetworkHost): Promise<void> {
    const between = this.#between;
    if (!host) return await ip("-n", between, "link", "set", "bridge", "up");
    const port = portOf(this.hosts.indexOf(host));
    await ip("-n", between, "link", "set", port, "master", "bridge");
  }

  /** Removes them. Their processes have to have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#namespaces) await ip("netns", "del", namespace).catch(() => {});
  }

  get #namespaces(): string[] {
    return [...this.hosts.map(({ namespace }) => namespace), this.#between];
  }
}

function portOf(host: number): string {
  return `port${host}`;
}

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("ip", { args, stdin: "null" }).output();
  if (code !== 0) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
