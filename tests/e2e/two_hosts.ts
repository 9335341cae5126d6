/**
 * An ensemble on two hosts: network namespaces of this one.
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

/** A host of {@linkcode TwoNamespaces}. */
export interface NetworkHost {
  /** The name of its network namespace. */
  readonly namespace: string;
  /** Its IP address. */
  readonly address: string;
}

/** Two network namespaces connected only with each other. */
export class TwoNamespaces implements AsyncDisposable {
  /** The two hosts. */
  readonly hosts: [NetworkHost, NetworkHost];

  private constructor(name: string) {
    this.hosts = [
      { namespace: `${name}a`, address: "10.231.77.1" },
      { namespace: `${name}b`, address: "10.231.77.2" },
    ];
  }

  /** Makes the namespaces and the link between them; it takes the rights of root. */
  static async create(): Promise<TwoNamespaces> {
    const name = `gx${crypto.randomUUID().slice(0, 8)}`;
    const network = new TwoNamespaces(name);
    const [{ namespace: a }, { namespace: b }] = network.hosts;
    try {
      for (const { namespace } of network.hosts) await ip("netns", "add", namespace);
      // Interface names are set inside the namespaces, where they cannot conflict.
      await ip("-n", a, "link", "add", "gx0", "type", "veth", "peer", "name", "gx0", "netns", b);
      for (const { namespace, address } of network.hosts) {
        await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "gx0");
        for (const device of ["lo", "gx0"]) await ip("-n", namespace, "link", "set", device, "up");
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Removes them. Their processes have to have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.hosts) await ip("netns", "del", namespace).catch(() => {});
  }
}

async function ip(...args: string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("ip", { args, stdin: "null" }).output();
  if (code !== 0) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
