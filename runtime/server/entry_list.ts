/**
 * Lists of the registry's entries, loaded page by page.
 *
 * @module
 */
import type { AskOptions } from "../actor/messaging.ts";
import type { Client } from "../actor/service.ts";
import { ProtocolError } from "../errors.ts";
import {
  epochOf,
  isOlder,
  type ListQuery,
  type RegistryEntry,
  type RegistryHandlers,
  type RegistryPage,
  SERVER_STATES,
} from "./registry_protocol.ts";

/** Entries, by id, and the cursor for the changes after them. */
export interface LoadedEntries {
  /** The entries. */
  readonly entries: Map<string, RegistryEntry>;
  /** The cursor. */
  readonly cursor: string;
}

/**
 * The list of all servers, or of those with a role or with members of a group. When a page cannot
 * be had, the next attempt begins with it: when a thousand servers load a thousand entries each,
 * the registry may be late, and must not be asked for the same pages again and again.
 */
export class EntryList {
  readonly #registry: Pick<Client<RegistryHandlers>, "list">;
  readonly #query: Pick<ListQuery, "role" | "group">;
  #entries = new Map<string, RegistryEntry>();
  #cursor: string | undefined;
  #after: string | undefined;

  /** Loads nothing yet. */
  constructor(
    registry: Pick<Client<RegistryHandlers>, "list">,
    { role, group }: Pick<ListQuery, "role" | "group">,
  ) {
    this.#registry = registry;
    this.#query = { role, group };
  }

  /**
   * Loads what is missing. `onPage` is called for each page.
   *
   * @throws {EnsembleError} if the registry does not answer. It can be called again.
   */
  async load(onPage: (page: RegistryPage) => void, options?: AskOptions): Promise<LoadedEntries> {
    while (true) {
      const after = this.#after;
      const query = { ...this.#query, states: SERVER_STATES, after };
      const page = await this.#registry.list(query, options);
      onPage(page);
      if (this.#cursor !== undefined && epochOf(this.#cursor) !== epochOf(page.cursor)) {
        // Another store, whose changes cannot be compared with what was loaded before.
        this.#begin();
        continue;
      }
      for (const entry of page.entries) this.#entries.set(entry.id, entry);
      // Of several registries, one may be behind the others, so that its entries miss changes.
      if (this.#cursor === undefined || isOlder(page.cursor, this.#cursor)) {
        this.#cursor = page.cursor;
      }
      const { next } = page;
      if (next === undefined) {
        const loaded = { entries: this.#entries, cursor: this.#cursor };
        this.#begin();
        return loaded;
      }
      if (after !== undefined && next <= after) {
        this.#begin();
        throw new ProtocolError(`the registry repeats its list after ${after}`);
      }
      this.#after = next;
    }
  }

  #begin(): void {
    this.#entries = new Map();
    this.#cursor = undefined;
    this.#after = undefined;
  }
}
