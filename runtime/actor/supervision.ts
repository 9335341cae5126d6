/**
 * What a supervisor is told: its strategy, its limits, and its children.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import type { Actor } from "./actor.ts";
import { checkMailboxOptions, type MailboxOptions } from "./mailbox.ts";
import { checkActorName } from "./references.ts";
import { type Handlers, type ServeOptions, ServiceProgram } from "./service.ts";

/**
 * Options of `supervise`. Defaults are those of Erlang/OTP.
 *
 * @example Restart a child and those after it, up to five times in a minute, later each time
 * ```ts
 * import { type SupervisorOptions } from "@gxensemble/ensemble";
 *
 * const options: SupervisorOptions = {
 *   strategy: "rest-for-one",
 *   intensity: { restarts: 5, within: 60_000 },
 *   backoff: { initial: 100, max: 10_000 },
 *   children: [{ name: "counter", serve: { get: () => 0 } }],
 * };
 * ```
 */
export interface SupervisorOptions {
  /**
   * Which children are restarted when one of them ended. Default: `one-for-one`.
   *
   * - `one-for-one`: that child.
   * - `one-for-all`: all of them. The others are shut down first.
   * - `rest-for-one`: that child and those that started after it.
   */
  readonly strategy?: "one-for-one" | "one-for-all" | "rest-for-one";
  /** When children are restarted that do not say so themselves. Default: `permanent`. */
  readonly restart?: ChildSpec["restart"];
  /**
   * The limit of restarts: at most `restarts` in any `within` ms. A supervisor that passes it ends
   * its children and then itself, and its own supervisor restarts it, if it has one. Default: 1
   * restart in 5000 ms.
   */
  readonly intensity?: { readonly restarts: number; readonly within: number };
  /**
   * Delays each restart: the first by `initial` ms, and each next one of the same child by twice as
   * long, up to `max` ms. It begins anew when the child has run for `max` ms. Default: no delay.
   */
  readonly backoff?: { readonly initial: number; readonly max: number };
  /** The children, in the order they start. They end in the reverse order. */
  readonly children?: readonly ChildSpec[];
}

/**
 * A child of a supervisor. It is an actor (`run`), a service (`serve`), or another supervisor
 * (`supervise`).
 *
 * @example A service that keeps its state over restarts, and an actor
 * ```ts
 * import { type ChildSpec, type HandlerContext, on } from "@gxensemble/ensemble";
 *
 * const children: ChildSpec[] = [
 *   {
 *     name: "counter",
 *     state: 0,
 *     serve: { add: (_request: object, context: HandlerContext<number>) => ++context.state },
 *   },
 *   {
 *     name: "printer",
 *     run: (self) => self.loop([on("print", ({ text }: { text: string }) => console.log(text))]),
 *   },
 * ];
 * ```
 */
export interface ChildSpec extends Pick<ServeOptions, "requests" | "concurrent" | "cleanUp"> {
  /** Its id in its supervisor. Default: its name; without one, a number. */
  readonly id?: string;
  /** Its name in the server. Without one, it can be reached only by its reference. */
  readonly name?: string;
  /** The body of an actor. */
  readonly run?: (self: Actor) => void | Promise<void>;
  /** The handlers of a service, or a function that makes them at each start. */
  readonly serve?: Handlers | (() => Handlers);
  /** The options of a supervisor. */
  readonly supervise?: SupervisorOptions;
  /**
   * When it is restarted: `permanent` always, `transient` if it failed or was killed, `temporary`
   * never. Default: as its supervisor says.
   */
  readonly restart?: "permanent" | "transient" | "temporary";
  /**
   * How long it may take to shut down before it is killed, in ms. `kill` does not let it. Default:
   * 5000; for a supervisor, `Infinity`.
   */
  readonly shutdown?: number | "kill";
  /**
   * Whether messages that wait in its mailbox when it ends wait for its restart. Default: true.
   * Otherwise their askers get an error with the code `ACTOR_ENDED` at once, also while the child
   * waits for its restart.
   */
  readonly keepMailbox?: boolean;
  /** The bound of its mailbox. Default: the server's. */
  readonly mailbox?: MailboxOptions | undefined;
  /**
   * The first value of its state: `self.state`, or `context.state` in a handler. A restart hands
   * over the last value that was set. A function is called for it whenever the supervisor starts.
   */
  readonly state?: unknown;
}

/**
 * A child, as `Supervisor.children` gives it.
 *
 * @example The children that are not running
 * ```ts
 * import { type ChildInfo, currentServer } from "@gxensemble/ensemble";
 *
 * const isRunning = ({ status }: ChildInfo) => status === "running";
 * const children = currentServer().supervisor("jobs").children();
 * console.log(children.filter((child) => !isRunning(child)).map(({ id }) => id));
 * ```
 */
export interface ChildInfo {
  /** Its id. */
  readonly id: string;
  /** Its reference, as text. Absent if it is stopped. */
  readonly ref?: string;
  /**
   * `restarting` while it waits for its restart; `stopped` if it was stopped, or ended and is not
   * restarted.
   */
  readonly status: "running" | "restarting" | "stopped";
  /** When it is restarted. */
  readonly restart: "permanent" | "transient" | "temporary";
  /** How many times it was restarted. */
  readonly restarts: number;
}

/** When a child is restarted. */
export type RestartKind = ChildInfo["restart"];

/** The limit of a supervisor's restarts. */
export type Intensity = NonNullable<SupervisorOptions["intensity"]>;

/** The delays of restarts. */
export type Backoff = NonNullable<SupervisorOptions["backoff"]>;

/** The default of OTP. */
const INTENSITY: Intensity = { restarts: 1, within: 5_000 };

/** How long a child that is not a supervisor may take to shut down, in ms, as in OTP. */
const SHUTDOWN = 5_000;

/** Options with their defaults. */
export interface CheckedSupervisor {
  readonly strategy: NonNullable<SupervisorOptions["strategy"]>;
  readonly restart: RestartKind;
  readonly intensity: Intensity;
  readonly backoff: Backoff | undefined;
  readonly children: readonly ChildSpec[];
}

/**
 * Checks the options of a supervisor, with those of its children at any depth.
 *
 * @throws {InvalidInputError} if they are not valid.
 */
export function checkSupervisor(options: SupervisorOptions): CheckedSupervisor {
  const given: SupervisorOptions = record(options, "the options of a supervisor");
  const { strategy = "one-for-one", intensity = INTENSITY, backoff, children = [] } = given;
  if (!["one-for-one", "one-for-all", "rest-for-one"].includes(strategy)) {
    throw new InvalidInputError(
      `not the strategy of a supervisor: ${describeValue(strategy)}: it is "one-for-one", ` +
        `"one-for-all" or "rest-for-one"`,
    );
  }
  const { restarts, within } = record(intensity, "an intensity");
  if (!(restarts >= 0 && (Number.isSafeInteger(restarts) || restarts === Infinity))) {
    throw new InvalidInputError(`not a number of restarts: ${describeValue(restarts)}`);
  }
  positive(within, "the time of an intensity");
  if (backoff !== undefined) {
    const { initial, max } = record(backoff, "a backoff");
    positive(initial, "the initial delay of a backoff");
    positive(max, "the longest delay of a backoff");
    if (initial > max || max === Infinity) {
      throw new InvalidInputError(`not a backoff: from ${initial} to ${max} ms`);
    }
  }
  if (!Array.isArray(children)) {
    throw new InvalidInputError(`not the children of a supervisor: ${describeValue(children)}`);
  }
  const restart = checkRestart(given.restart ?? "permanent");
  const ids = new Set<string>();
  for (const child of children) {
    const { id = child?.name } = checkChild(child);
    if (id === undefined) continue;
    if (ids.has(id)) throw new InvalidInputError(`two children of a supervisor have the id ${id}`);
    ids.add(id);
  }
  return { strategy, restart, intensity, backoff, children };
}

/**
 * Checks a child, with those below it.
 *
 * @throws {InvalidInputError} if it is not valid.
 */
export function checkChild(spec: ChildSpec): ChildSpec {
  const given = record(spec, "a child of a supervisor");
  const { id, name, restart, shutdown, mailbox, run, serve, supervise } = given;
  if ([run, serve, supervise].filter((kind) => kind !== undefined).length !== 1) {
    throw new InvalidInputError(
      `not a child of a supervisor: ${describeValue(spec)}: it has one of run, serve and supervise`,
    );
  }
  if (id !== undefined && (typeof id !== "string" || id === "")) {
    throw new InvalidInputError(`not the id of a child: ${describeValue(id)}`);
  }
  if (name !== undefined) checkActorName(name);
  if (restart !== undefined) checkRestart(restart);
  if (shutdown !== undefined && shutdown !== "kill" && !(shutdown >= 0)) {
    throw new InvalidInputError(
      `not the time that a child may take to shut down: ${describeValue(shutdown)}: it is a ` +
        `number of ms, Infinity or "kill"`,
    );
  }
  if (mailbox !== undefined) checkMailboxOptions(mailbox);
  if (run !== undefined && typeof run !== "function") {
    throw new InvalidInputError(`not the body of an actor: ${describeValue(run)}`);
  }
  if (serve !== undefined && typeof serve !== "function") new ServiceProgram(serve, spec);
  if (supervise !== undefined) checkSupervisor(supervise);
  return spec;
}

/** How long a child may take to shut down, in ms. */
export function shutdownOf(spec: ChildSpec): number | "kill" {
  return spec.shutdown ?? (spec.supervise ? Infinity : SHUTDOWN);
}

function checkRestart(kind: RestartKind): RestartKind {
  if (["permanent", "transient", "temporary"].includes(kind)) return kind;
  throw new InvalidInputError(
    `not when a child is restarted: ${describeValue(kind)}: it is "permanent", "transient" or ` +
      `"temporary"`,
  );
}

function record<Value>(value: Value, what: string): Value {
  if (typeof value === "object" && value !== null) return value;
  throw new InvalidInputError(`not ${what}: ${describeValue(value)}`);
}

function positive(value: number, what: string): void {
  if (typeof value === "number" && value > 0) return;
  throw new InvalidInputError(`not ${what}: ${describeValue(value)}: it is a number of ms`);
}
