/**
 * Whether a server is ready to get work, as load balancers and supervisors of processes ask it.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { describeThrown } from "../error_report.ts";
import { InvalidInputError } from "../errors.ts";
import { describeValue } from "../inspection.ts";
import { shorten } from "../safe_text.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { within } from "../timeout.ts";

const logger = getLogger(["gxensemble", "health"]);

/**
 * The result of all health checks of a server.
 *
 * @example Answer a load balancer at the program's own port
 * ```ts
 * import { currentServer, type ServerHealth } from "@gxensemble/ensemble";
 *
 * const describe = ({ checks }: ServerHealth) =>
 *   checks.filter(({ passes }) => !passes).map(({ name, message }) => `${name}: ${message}`);
 *
 * Deno.serve({ port: 8080 }, async () => {
 *   const health = await currentServer().health();
 *   return Response.json(describe(health), { status: health.isReady ? 200 : 503 });
 * });
 * ```
 */
export interface ServerHealth {
  /** Whether all checks pass, so that the server may get work. */
  readonly isReady: boolean;
  /** The checks: those of every server, and then the program's own, sorted by name. */
  readonly checks: readonly {
    /** Its name: `state`, `registry`, or the name that the program gave it. */
    readonly name: string;
    /** Whether it passes. */
    readonly passes: boolean;
    /** Why it does not. */
    readonly message?: string;
  }[];
}

type CheckResult = ServerHealth["checks"][number];

/** The check of a server's state. */
const STATE = "state";

/** The check that the registry has the server. */
const REGISTRY = "registry";

/** How long a check may take, in ms, unless the program says otherwise. */
const DEFAULT_TIMEOUT = 2_000;

/** The longest time that a check may take, in ms: what asks for health does not wait for long. */
const MAX_TIMEOUT = 5_000;

/** How long a result is used again, in ms, so that many probes do not cost more than one. */
const REUSE = 1_000;

/** The longest name of a check. */
const MAX_NAME = 64;

/** The longest message of a check, in UTF-16 code units. */
const MAX_MESSAGE = 500;

/** The parts of a server that are checked. */
type CheckedServer = Pick<
  ActorServer,
  "id" | "entry" | "signal" | "isRegistered" | "registeredState"
>;

/** A check of a program: passes unless it throws, rejects or gives `false`. */
type Check = (signal: AbortSignal) => unknown;

/** The health checks of one server. */
export class HealthChecks {
  readonly #server: CheckedServer;
  readonly #enter: <Result>(run: () => Result) => Result;
  readonly #own = new Map<string, OwnCheck>();

  /** Begins with those that every server has. `enter` runs a program's check in its server. */
  constructor(
    server: CheckedServer,
    { enter }: { enter: <Result>(run: () => Result) => Result },
  ) {
    this.#server = server;
    this.#enter = enter;
  }

  /**
   * Adds a check of the program, in place of an earlier one with its name.
   *
   * @param check gets a signal that is aborted when its time is over.
   * @throws {InvalidInputError} if the name or the timeout is not valid.
   */
  add(
    name: string,
    check: Check,
    { timeout = DEFAULT_TIMEOUT }: { readonly timeout?: number } = {},
  ): void {
    const isName = typeof name === "string" && name.length <= MAX_NAME && /^[\w.:/-]+$/.test(name);
    if (!isName || name === STATE || name === REGISTRY) {
      throw new InvalidInputError(
        `not the name of a health check: ${describeValue(name)}: it has 1 to ${MAX_NAME} of the ` +
          `characters A-Z a-z 0-9 _ . : / -, and is neither ${STATE} nor ${REGISTRY}`,
      );
    }
    if (typeof check !== "function") {
      throw new InvalidInputError(`health check ${name} is no function: ${describeValue(check)}`);
    }
    if (typeof timeout !== "number" || !(timeout > 0 && timeout <= MAX_TIMEOUT)) {
      throw new InvalidInputError(
        `not a timeout of a health check: ${
          describeValue(timeout)
        }: it has up to ${MAX_TIMEOUT} ms`,
      );
    }
    this.#own.set(
      name,
      new OwnCheck({
        server: this.#server.id,
        name,
        check: (signal) => this.#enter(() => check(signal)),
        timeout,
      }),
    );
  }

  /** Removes a check of the program. Says whether there was one. */
  remove(name: string): boolean {
    return this.#own.delete(name);
  }

  /** Runs the checks, except those with these names. */
  async run({ exclude = [] }: { readonly exclude?: readonly string[] } = {}): Promise<
    ServerHealth
  > {
    const own = Array.from(this.#own).filter(([name]) => !exclude.includes(name))
      .sort(([a], [b]) => a < b ? -1 : 1);
    const results = await Promise.all(own.map(([, check]) => check.result()));
    // Afterwards, since these may change meanwhile, and are what a load balancer must not miss.
    const basic = [this.#checkState(), ...this.#server.isRegistered ? [this.#checkRegistry()] : []]
      .filter(({ name }) => !exclude.includes(name));
    const checks = [...basic, ...results];
    return { isReady: checks.every(({ passes }) => passes), checks };
  }

  #checkState(): CheckResult {
    const { id, signal, entry } = this.#server;
    if (signal.aborted) return failed(STATE, `${id} is stopping`);
    if (entry.state === "up") return { name: STATE, passes: true };
    return failed(STATE, `${id} is ${entry.state}`);
  }

  #checkRegistry(): CheckResult {
    const { id, entry, registeredState: state } = this.#server;
    if (state === entry.state) return { name: REGISTRY, passes: true };
    const message = state === undefined
      ? `${id} has no lease in the registry`
      : `the registry has ${id} as ${state}, and does not know yet that it is ${entry.state}`;
    return failed(REGISTRY, message);
  }
}

/** A check of the program. */
class OwnCheck {
  readonly #server: string;
  readonly #name: string;
  readonly #check: Check;
  readonly #timeout: number;
  /** Settles when the last run has really ended, which can be after its timeout. */
  #run: Promise<unknown> | undefined;
  #begun = -Infinity;
  #result: Promise<CheckResult> | undefined;
  /** Until when the result is used again, by `performance.now()`. */
  #validUntil = -Infinity;
  #passed = true;

  constructor(
    { server, name, check, timeout }: {
      server: string;
      name: string;
      check: Check;
      timeout: number;
    },
  ) {
    this.#server = server;
    this.#name = name;
    this.#check = check;
    this.#timeout = timeout;
  }

  /** The result of a run: of the present one, of one that has just ended, or of a new one. */
  result(): Promise<CheckResult> {
    if (!this.#result || performance.now() >= this.#validUntil) {
      this.#validUntil = Infinity;
      this.#result = this.#judge().finally(() => this.#validUntil = performance.now() + REUSE);
    }
    return this.#result;
  }

  async #judge(): Promise<CheckResult> {
    const message = await this.#problem();
    this.#log(message);
    return message === undefined
      ? { name: this.#name, passes: true }
      : failed(this.#name, shorten(message, MAX_MESSAGE));
  }

  /** Runs the check, unless its last run goes on. Gives what is wrong. */
  async #problem(): Promise<string | undefined> {
    if (this.#run) {
      const seconds = Math.round((performance.now() - this.#begun) / 1000);
      return `it has not ended since it was begun ${seconds} s ago`;
    }
    const timeUp = new AbortController();
    let problem: string | undefined;
    this.#begun = performance.now();
    // Not called in the caller's turn: whatever it throws counts.
    const run = this.#run = Promise.resolve(timeUp.signal).then(this.#check).then(
      (value) => problem = value === false ? "it gave false" : undefined,
      (error) => problem = describeThrown(error),
    ).finally(() => this.#run = undefined);
    if (await within(this.#timeout, run)) return problem;
    const late = `it has not ended within ${this.#timeout} ms`;
    timeUp.abort(new DOMException(`health check ${this.#name}: ${late}`, "TimeoutError"));
    return late;
  }

  /** Logs when it begins to fail, and when it passes again. */
  #log(message: string | undefined): void {
    const passes = message === undefined;
    if (passes === this.#passed) return;
    this.#passed = passes;
    const about = { id: this.#server, check: this.#name };
    if (passes) logger.info("health check {check} of {id} passes again", about);
    else logger.warn("health check {check} of {id} fails: {message}", { ...about, message });
  }
}

function failed(name: string, message: string): CheckResult {
  return { name, passes: false, message };
}
