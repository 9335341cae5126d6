/**
 * The messages and services of the example.
 *
 * @module
 */

/** A job: a text to work on. */
export interface Job {
  /** The job's number, set by the dispatcher. */
  readonly id: number;
  /** The text to work on. */
  readonly text: string;
  /** How long the work takes, in ms. The example does no real work. */
  readonly duration: number;
}

/** The service `worker`, a member of the group `workers`. */
export interface Worker {
  /** Does a job. Jobs are done one at a time. */
  work(request: { job: Job }): Promise<Done>;
}

/** A job that is done. */
export interface Done {
  /** The id of the worker's server. */
  readonly worker: string;
  /** The result of the job. */
  readonly result: string;
}

/** The service `dispatcher`. */
export interface Dispatcher {
  /** Has a worker do a job, and answers with the result. */
  add(request: { text: string; duration?: number }): Promise<string>;
}

/** The service `statistics` beside the dispatcher. */
export interface Statistics {
  /** Counts a job that a worker has done. */
  done(request: { worker: string }): void;
  /** Counts a job whose worker was lost. */
  lost(): void;
  /** Returns the numbers counted so far. */
  report(): Report;
}

/** Numbers of jobs. */
export interface Report {
  /** Number of jobs done by each worker. */
  readonly done: Record<string, number>;
  /** Number of jobs that had to be given to another worker. */
  lost: number;
}
