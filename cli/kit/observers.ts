/**
 * The observers of servers, for commands that ask them again and again.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import {
  observerClient,
  type ObserverHandlers,
} from "../../runtime/observation/observer_protocol.ts";
import type { WorkContext } from "./server_set.ts";

/**
 * Asks the observers of servers. Where the capability `observer` is needed, the command is elevated
 * before its first request to a server, and again when the connection with it was lost.
 */
export class Observers {
  readonly #context: WorkContext;
  /** The servers in which the command has what it needs. */
  readonly #ready = new Set<string>();

  /** Asks through the console of a command. */
  constructor(context: WorkContext) {
    this.#context = context;
  }

  /**
   * Asks the observer of a server.
   *
   * @throws {EnsembleError} if it does not answer, or refuses.
   */
  async ask<Result>(
    server: string,
    work: (observer: Client<ObserverHandlers>) => Promise<Result>,
  ): Promise<Result> {
    const { actors, administrator } = this.#context;
    const askNow = () => work(observerClient(actors, server));
    if (this.#ready.has(server)) {
      try {
        return await askNow();
      } catch (error) {
        this.#ready.delete(server);
        if (!(error instanceof EnsembleError && error.code === "NOT_AUTHORIZED")) throw error;
      }
    }
    const result = await administrator.elevating(server, "observer", askNow);
    this.#ready.add(server);
    return result;
  }
}
