/**
 * The requests that a server's loader answers.
 *
 * @module
 */
import type { Envelope } from "../actor/envelope.ts";
import type { ListedLoad } from "./load_history.ts";
import type { Unit } from "./unit.ts";
import type { Instance, LoadOutcome, LoadRequest } from "./unit_store.ts";

/** The name of the loader among a server's actors. */
export const LOADER_ACTOR = "loader";

/** The handlers of the actor `loader`, for `client`. */
export type LoaderHandlers = {
  /** Which of these units the store lacks. */
  missing(request: { hashes: string[] }): string[];
  /** The hashes that are current under these module ids. */
  running(request: { modules: string[] }): Map<string, string>;
  /** The modules that the server's program was built with: bare specifiers and module ids. */
  libraries(): string[];
  /** Takes units, to be loaded later; the members of an import cycle come together. */
  ship(request: { units: Unit[] }): Promise<void>;
  /** Loads a program of units that have been shipped; answers what that changed. */
  load(request: LoadRequest): Promise<LoadOutcome>;
  /** Every load that changed what is current: by module id, and of each the newest last. */
  history(): ListedLoad[];
  /** What was loaded and has been evaluated: it stays. */
  instances(): Instance[];
  /** Imports a library module of the server's own. */
  library(request: { specifier: string }): Promise<void>;
  /** Evaluates an expression; answers its value as text, or nothing for undefined. */
  evaluate(request: { expression: string; json?: boolean }): Promise<string | undefined>;
  /** Opens a REPL session for the asking actor; answers the serial number of the session's actor. */
  openSession(request: Record<never, never>, envelope: Envelope): number;
};
