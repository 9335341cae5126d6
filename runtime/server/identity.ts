/**
 * Whose a server id is, over transports that certify nobody: unix and tcp.
 *
 * There the cookie shows that a peer is of the ensemble, and its instance that it is the process that it says;
 * nothing shows that its id is its own. Where capabilities are enforced the registry's word counts: while a
 * server is registered, its id is that of the instance which registered. The registry itself takes a new
 * instance only when the old one does not answer any more, which is how a server comes back after a crash.
 *
 * @module
 */
import { REGISTRY_ID, type ServerId } from "../actor/server_id.ts";
import { AuthenticationError } from "../errors.ts";
import { type Address, isLocal } from "../wire/address.ts";
import { connectTo } from "../wire/transport.ts";
import { within } from "../within.ts";
import { type Credentials, greet } from "./handshake.ts";
import type { Bytes } from "./handshake_messages.ts";
import { sameInstance } from "./instance.ts";
import type { RegistryEntry } from "./registry_entry.ts";

/** How long a registered instance may take to show that it lives when another claims its id, in ms. */
const PROBE_TIMEOUT = 1_000;

/** A peer that says who it is. */
export interface Claim {
  /** The id that it goes by. */
  readonly id: ServerId;
  /** Its instance. */
  readonly instance: Bytes;
  /** Whether it was reached at an address of that id, and did not come by itself. */
  readonly dialled: boolean;
}

/**
 * Makes sure that a peer may go by its id.
 *
 * @param lookup asks the registry.
 * @throws {AuthenticationError} when the id is that of another instance, or nobody can be asked.
 */
export async function requireIdentity(
  self: Credentials,
  { id, instance, dialled }: Claim,
  lookup: (id: ServerId) => Promise<RegistryEntry | undefined>,
): Promise<void> {
  if (id === REGISTRY_ID) {
    // It is whoever answers at the addresses of the registry, and nobody who comes by himself.
    if (dialled) return;
    throw new AuthenticationError(
      `${self.id} connects to the registry, and not the other way round`,
    );
  }
  let entry: RegistryEntry | undefined;
  try {
    entry = await lookup(id);
  } catch (error) {
    const { message } = error as Error;
    throw new AuthenticationError(`cannot ask the registry which instance is ${id}: ${message}`);
  }
  if (!entry || sameInstance(entry.instance, instance)) return;
  if (self.id === REGISTRY_ID && !await answers(self, entry)) return;
  throw new AuthenticationError(`another instance is registered as ${id}`);
}

/** Whether an instance still answers at one of the addresses that it announced. */
async function answers(self: Credentials, entry: RegistryEntry): Promise<boolean> {
  let found = false;
  const probe = async (address: Address) => {
    const instance = await instanceAt(self, entry.id, address);
    found ||= instance !== undefined && sameInstance(instance, entry.instance);
  };
  await within(PROBE_TIMEOUT, Promise.all(entry.addresses.filter(isLocal).map(probe)));
  return found;
}

/** The instance that says that it is a server, at an address; the handshake goes no further. */
async function instanceAt(
  self: Credentials,
  wanted: ServerId,
  address: Address,
): Promise<Bytes | undefined> {
  let found: Bytes | undefined;
  try {
    await greet(await connectTo(address, self.tls), self, {
      wanted,
      admit: (instance) => Promise.resolve(void (found = instance)),
      proceed: () => found === undefined,
    });
  } catch {
    // Nobody is there, or it is another; or this has been told what it wants to know, and broke off.
  }
  return found;
}
