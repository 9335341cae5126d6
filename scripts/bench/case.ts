/**
 * What the benchmark measures: cases, who takes part in them, and targets.
 *
 * @module
 */

/** The transports between two servers of an ensemble. */
export const TRANSPORTS = ["unix", "tcp", "tls"] as const;

/** A transport between two servers of an ensemble. */
export type Transport = typeof TRANSPORTS[number];

/** What one run of one contestant gives: figures by name. */
export type Figures = Readonly<Record<string, number>>;

/** How a contestant is run. */
export interface Run {
  /**
   * How long it measures each figure that is a rate or a latency, in ms. Warming up takes half of
   * that besides.
   */
  readonly duration: number;
  /** An empty directory of its own. */
  readonly directory: string;
}

/**
 * Measures one contestant, in processes of its own. Undefined if what it needs is not installed
 * here.
 */
export type Contestant = (run: Run) => Promise<Figures | undefined>;

/** What a figure should be. */
export interface Target {
  /**
   * The contestant that it is a multiple of. Without one the target is absolute, in the figure's
   * unit.
   */
  readonly of?: string;
  /** The most, of a figure of which less is better, or the least. */
  readonly bound: number;
}

/** One figure of a case: a row of the table. */
export interface Figure {
  /** Its unit: `us`, `/s`, `MiB/s` and the like. */
  readonly unit: string;
  /** Whether less of it is better, as of a time, or more, as of a rate. */
  readonly better: "less" | "more";
  /** What the project's should be. */
  readonly target?: Target;
}

/** A case: the same work, done by each contestant in turn. */
export interface Case {
  /** Its name, unique together with the transport. */
  readonly name: string;
  /** The transport of the project's servers, if there is one. */
  readonly transport?: Transport;
  /** What is measured. */
  readonly figures: Readonly<Record<string, Figure>>;
  /** Who takes part, in the order in which they are measured. Always with {@linkcode PROJECT}. */
  readonly contestants: Readonly<Record<string, Contestant>>;
}

/** The contestant whose figures are compared with those of the others. */
export const PROJECT = "project";
