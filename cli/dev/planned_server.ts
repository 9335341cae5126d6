/**
 * The servers of a development ensemble, as they are asked for.
 *
 * @module
 */
import type { StopRule } from "./development_process.ts";

/** A server to run. */
export interface PlannedServer {
  /** Its id. */
  readonly id: string;
  /**
   * What it runs: a module in `gxensemble run`, an executable that takes the same options, or another
   * program, which is no server of the ensemble.
   */
  readonly program: { readonly kind: "module" | "executable" | "plain"; readonly path: string };
  /** The options of `gxensemble run`. */
  readonly options: readonly string[];
  /** The arguments of the program. */
  readonly args: readonly string[];
  /** Its environment, besides that of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** The directory in which it runs. */
  readonly workingDirectory: string;
  /** The ids of servers that have to be up before it is started. */
  readonly after: readonly string[];
  /** How it is stopped. */
  readonly stop: StopRule;
}

/**
 * The time that the actors and `main` of a server have to stop, in ms: shorter than elsewhere, since the next
 * version waits for it.
 */
export const DEVELOPMENT_GRACE = 1_000;

/** The time from the request to stop until a server is killed, in ms. */
export const KILL_AFTER: number = DEVELOPMENT_GRACE + 2_000;
