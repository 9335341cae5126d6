/**
 * The loader: the actor of every server that accepts code.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { ActorSystem } from "../actor/actor_system.ts";
import { UNBOUNDED } from "../actor/mailbox.ts";
import type { HandlerContext } from "../actor/handler_context.ts";
import type { Envelope } from "../actor/messaging.ts";
import type { Handlers, HandlersOf } from "../actor/service.ts";
import { evaluate, renderJson, renderValue } from "../code/evaluation.ts";
import { hashText } from "../code/unit.ts";
import type { UnitStore } from "../code/unit_store.ts";
import { EnsembleError } from "../errors.ts";
import { startReplSession } from "../repl/repl_session.ts";
import type { ActorServer } from "../server/actor_server.ts";
import { LOADER } from "../server/capabilities.ts";
import type { KeptLoads } from "./kept_loads.ts";
import { changeServices } from "./service_changes.ts";
import { asError, describeThrown } from "../error_report.ts";
import { shorten } from "../safe_text.ts";
import { type Health, LOADER_ACTOR, loaderChecks, type LoaderHandlers } from "./loader_protocol.ts";

const logger = getLogger(["gxensemble", "loader"]);

/**
 * Starts the actor `loader` in a server, with a unit store. Evaluated code sees the server as
 * `ensemble`.
 */
export function serveLoader(
  server: ActorServer,
  { store, kept, guard = new LoaderGuard(server) }: {
    store: UnitStore;
    kept?: KeptLoads | undefined;
    guard?: LoaderGuard;
  },
): void {
  const wrap = (handlers: Handlers) => guard.wrap(handlers);
  store.changeServices = (changes) => changeServices(server.actors, changes);
  server.serve(LOADER_ACTOR, wrap(loaderHandlers(store, server, { kept, guard: wrap })), {
    concurrent: true,
    drains: false,
    mailbox: UNBOUNDED,
    requests: loaderChecks,
  });
}

/**
 * Makes the handlers of the actor `loader` for a unit store. Evaluated code sees the value
 * `ensemble`.
 *
 * @param options.kept keeps loads; without it, the server keeps none.
 * @param options.guard wraps the handlers of REPL sessions, as it wraps these.
 */
export function loaderHandlers(
  store: UnitStore,
  ensemble: { actors: ActorSystem },
  { kept, guard }: {
    kept?: KeptLoads | undefined;
    guard?: (handlers: Handlers) => Handlers;
  } = {},
): HandlersOf<LoaderHandlers> {
  const mayLog = (kind: string, context: HandlerContext) => {
    return ensemble.actors.lines.allows(context.sender.server, kind);
  };
  return {
    missing: ({ hashes }) => store.missing(hashes),

    running: ({ modules }) => store.running(modules),

    libraries: () => store.libraries(),

    ship: ({ units }) => store.add(units),

    async load(request, context) {
      try {
        const { id = crypto.randomUUID(), ...rest } = request;
        const { outcomes } = await store.load({ ...rest, id });
        for (const { module, hash, loaded, restored, rerun } of outcomes) {
          if (loaded) logger.info("loaded {module} {hash}", { module, hash });
          if (restored) logger.info("made current again {module} {hash}", { module, hash });
          if (rerun) logger.info("ran again {module} {hash}", { module, hash });
        }
        return outcomes;
      } catch (error) {
        if (mayLog("failed loads", context)) {
          const { message, cause } = error as Error;
          const [reason] = message.split("\n", 1);
          logger.warn("cannot load: {reason}", { reason, ...asError(cause) && { error: cause } });
        }
        throw error;
      }
    },

    async prepare({ modules, libraries, hashes, bytes }) {
      const missing = store.missing(hashes);
      if (missing.length > 0) await store.requireRoom(bytes);
      for (const { specifier, attributes } of libraries) {
        await store.importLibrary(specifier, attributes);
      }
      const running = store.running(modules.map(({ module }) => module));
      const isCurrent = modules.every(({ module, hash }) => running.get(module) === hash);
      return { missing, isCurrent };
    },

    async goBack({ id, by }) {
      const outcomes = await store.goBack({ id, by });
      await kept?.remove(id);
      for (const { module, hash, way, failure } of outcomes ?? []) {
        if (failure !== undefined) {
          logger.warn("went back, but {module} failed: {reason}", { module, reason: failure });
        } else logger.info("went back: {module} {hash} {way}", { module, hash, way });
      }
      return outcomes;
    },

    async health({ module, expression }) {
      try {
        if (expression !== undefined) {
          const value = await evaluate(expression, ensemble);
          return value ? { health: "well" } : ill(`the health check gave ${renderValue(value)}`);
        }
        const { healthy } = store.namespace(module) ?? {};
        if (typeof healthy !== "function") return { health: "unchecked" };
        const value = await healthy();
        return value ? { health: "well" } : ill(`its healthy() gave ${renderValue(value)}`);
      } catch (error) {
        return ill(store.restoreSources(describeThrown(error)));
      }
    },

    async keep(request) {
      if (!kept) throw new EnsembleError("this server keeps no loads: it has no directory");
      const { entry, by } = request;
      // Where it was current before, going back from the load that made it so ends the keeping.
      const isOwn = store.loads().some(({ id }) => id === request.id);
      const load = isOwn
        ? undefined
        : store.loads().findLast(({ hash, undone, current }) =>
          hash === entry && current && !undone
        );
      await kept.add({ ...request, id: load?.id ?? request.id });
      logger.info("keeps {hash} for its next starts, by {by}", { hash: entry, by });
    },

    loads() {
      const ids = kept?.ids;
      return store.loads().map((load) => ({ ...load, kept: ids?.has(load.id) ?? false }));
    },

    history: () => store.history(),

    loaded: () => store.loaded(),

    async library({ specifier }, context) {
      await store.importLibrary(specifier);
      if (!mayLog("loads of libraries", context)) return;
      logger.info("loaded library {specifier}", { specifier });
    },

    async evaluate({ expression, json }) {
      try {
        const value = await evaluate(expression, ensemble);
        const text = json ? renderJson(value) : renderValue(value);
        return text && store.restoreSources(text);
      } catch (error) {
        throw new EnsembleError(store.restoreSources((error as Error).message), { cause: error });
      }
    },

    openSession: (_request, { sender }) =>
      startReplSession(ensemble.actors, { owner: sender, store, ensemble, guard }).serial,
  };
}

function ill(reason: string): Health {
  return { health: "ill", reason: shorten(reason, MAX_ILL) };
}

/** The longest reason of an ill server, in UTF-16 code units. */
const MAX_ILL = 1_000;

/** Requests that run nothing: if allowed, they are not written to the audit log. */
const INERT: ReadonlySet<string> = new Set(
  "missing running libraries ship loads history loaded interrupt isDefined complete describe".split(
    " ",
  ),
);

/** The parts of its server that a guard needs. */
type Guarded = Pick<ActorServer, "id" | "capabilities">;

/** Decides who may load code, and whether the server accepts code at all. */
export class LoaderGuard {
  readonly #server: Guarded;
  #isOff = false;
  /** The number of requests being handled. */
  #handling = 0;

  /** Creates a guard that accepts code. */
  constructor(server: Guarded) {
    this.#server = server;
  }

  /** Whether code may be running for the first time. */
  get isBusy(): boolean {
    return this.#handling > 0;
  }

  /** Does work in which code runs for the first time. */
  async during(work: () => Promise<void>): Promise<void> {
    this.#handling++;
    try {
      await work();
    } finally {
      this.#handling--;
    }
  }

  /** Whether the server refuses all code. */
  get isOff(): boolean {
    return this.#isOff;
  }

  /** Refuses all code from now on. */
  turnOff(): void {
    this.#isOff = true;
  }

  /** Wraps handlers, of the loader and of REPL sessions, so that they check first. */
  wrap(handlers: Handlers): Handlers {
    return Object.fromEntries(
      Object.entries(handlers).map(([type, handler]) => [
        type,
        async (request: Record<string, unknown>, context: HandlerContext) => {
          if (this.#isOff) this.#refuse();
          this.#handling++;
          try {
            await this.#require(type, request, context.envelope);
            return await handler(request, context);
          } finally {
            this.#handling--;
          }
        },
      ]),
    );
  }

  async #require(type: string, request: Record<string, unknown>, envelope: Envelope) {
    const { capabilities } = this.#server;
    if (!capabilities.enforces(envelope)) return;
    if (INERT.has(type) && capabilities.allows(envelope, LOADER)) return;
    const details = await describe(request);
    capabilities.require(envelope, { capability: LOADER, what: type, details });
  }

  #refuse(): never {
    // Not a NotAuthorizedError, since the command would then ask for a passphrase.
    throw new EnsembleError(
      `${this.#server.id} does not accept code: it was started without a loader (--no-loader), so nothing can be ` +
        "loaded into it or evaluated in it",
      { code: "NO_LOADER" },
    );
  }
}

/** Describes the code by its hash: the text of an expression may contain secrets. */
async function describe(request: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { entry, specifier, expression, expansion } = request;
  const text = expression ?? (expansion as { text?: unknown } | undefined)?.text;
  return {
    ...(typeof entry === "string" && { hash: entry }),
    ...(typeof specifier === "string" && { specifier }),
    ...(typeof text === "string" && { hash: await hashText(text) }),
  };
}
