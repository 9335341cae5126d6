/**
 * Chooses the registry's store by its URL.
 *
 * @module
 */
import { InvalidInputError } from "../runtime/errors.ts";
import type { RegistryStore } from "./store.ts";

/** Which store: what `--store` says. */
export type StoreLocation =
  | {
    readonly kind: "sqlite"; /** The file; the default one when absent. */
    readonly path?: string;
  }
  | { readonly kind: "memory" };

/**
 * Reads the URL of a store: `sqlite:`, `sqlite:<path>` or `memory:`.
 *
 * @throws {InvalidInputError} for anything else.
 */
export function parseStoreLocation(text: string): StoreLocation {
  if (text === "memory:") return { kind: "memory" };
  if (text === "sqlite:") return { kind: "sqlite" };
  if (text.startsWith("sqlite:")) return { kind: "sqlite", path: text.slice("sqlite:".length) };
  throw new InvalidInputError(
    `not a registry store: ${JSON.stringify(text)}: there are "sqlite:", "sqlite:<path>" and ` +
      `"memory:"`,
  );
}

/**
 * Opens a store.
 *
 * @param location which one.
 * @param defaultPath the file of a `sqlite:` store that names none.
 * @throws {EnsembleError} when the store cannot be opened.
 */
export async function openStore(
  location: StoreLocation,
  defaultPath: string,
): Promise<RegistryStore> {
  // Each store is loaded only when it is the one asked for.
  if (location.kind === "memory") {
    const { MemoryStore } = await import("./memory_store.ts");
    return new MemoryStore();
  }
  const { SqliteStore } = await import("./sqlite_store.ts");
  return new SqliteStore(location.path ?? defaultPath);
}
