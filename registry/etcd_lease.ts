/**
 * The etcd lease of a registry.
 *
 * @module
 */
import { EtcdError, type EtcdGateway } from "./etcd_gateway.ts";

/** A lease in etcd that is granted when it is first needed, and again when it has run out. */
export class EtcdLease {
  readonly #gateway: EtcdGateway;
  readonly #time: number;
  #granted: Promise<string> | undefined;
  #id: string | undefined;

  /** Prepares a lease that runs for a time in ms after each renewal. etcd rounds it to seconds. */
  constructor(gateway: EtcdGateway, time: number) {
    this.#gateway = gateway;
    this.#time = time;
  }

  /** Its id; undefined while there is none. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Writes something under the lease; with a new one if it has run out. */
  async use<Result>(write: (lease: string) => Promise<Result>): Promise<Result> {
    const lease = await (this.#granted ??= this.#grant());
    try {
      return await write(lease);
    } catch (error) {
      if (!(error instanceof EtcdError) || !error.isNotFound) throw error;
      this.#drop(lease);
      return await write(await (this.#granted ??= this.#grant()));
    }
  }

  /** Renews the lease, if there is one. */
  async renew(): Promise<void> {
    const lease = this.#id;
    if (lease === undefined) return;
    const { result } = await this.#gateway.request<{ result: { TTL?: string } }>(
      "/v3/lease/keepalive",
      { ID: lease },
    );
    if (result.TTL === undefined) this.#drop(lease);
  }

  async #grant(): Promise<string> {
    try {
      const { ID } = await this.#gateway.request<{ ID: string }>("/v3/lease/grant", {
        TTL: `${Math.ceil(this.#time / 1000)}`,
      });
      return this.#id = ID;
    } catch (error) {
      this.#granted = undefined;
      throw error;
    }
  }

  #drop(lease: string): void {
    if (this.#id !== lease) return;
    this.#id = undefined;
    this.#granted = undefined;
  }
}
