/**
 * The servers of a development ensemble, as they are asked for.
 *
 * @module
 */

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
  /** How long it may take to stop, in ms. */
  readonly stopTime: number;
}
