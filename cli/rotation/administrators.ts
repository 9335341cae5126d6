/**
 * The administrator of a rotation, who may need two keys: while the administrators' key pair is
 * rotated, some servers accept only the current one, and others only the next one.
 *
 * @module
 */
import { ActorError, EnsembleError } from "../../runtime/errors.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { Administrator, type AdministratorOptions } from "../kit/administrator.ts";
import type { Elevating } from "./ensemble_servers.ts";

/** Elevates consoles with one of some keys. */
export class Administrators {
  /** The keys, in the order in which they are tried. */
  readonly #keys: readonly AdministratorOptions[];
  readonly #byConsole = new Map<ActorServer, Administrator[]>();
  #first: Administrator[] | undefined;

  /** Administrators with these keys, which are tried in this order. */
  constructor(keys: readonly AdministratorOptions[]) {
    this.#keys = keys;
  }

  /** Does work in a server as `Administrator.elevating` does, with the first key that it accepts. */
  readonly elevating: Elevating = async ({ console, id }, work) => {
    const administrators = this.#of(console);
    for (const administrator of administrators.slice(0, -1)) {
      try {
        return await administrator.elevating(id, "admin", work);
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    }
    return await administrators.at(-1)!.elevating(id, "admin", work);
  };

  #of(console: ActorServer): Administrator[] {
    const known = this.#byConsole.get(console);
    if (known) return known;
    const first = this.#first;
    // All share the unlocked keys, so that a passphrase is asked for once.
    const made = this.#keys.map((key, at) => new Administrator(console, key, first?.[at]));
    this.#first ??= made;
    this.#byConsole.set(console, made);
    return made;
  }
}

function isRefusal(error: unknown): boolean {
  return (error instanceof ActorError || error instanceof EnsembleError) &&
    error.code === "NOT_AUTHORIZED";
}
