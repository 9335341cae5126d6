/**
 * The loader: the actor of every server that takes code.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import type { ActorSystem } from "../actor/actor_system.ts";
import type { Envelope } from "../actor/envelope.ts";
import { EnsembleError } from "../errors.ts";
import { evaluate } from "./evaluator.ts";
import type { ListedLoad } from "./load_history.ts";
import { renderJson, renderValue } from "./rendering.ts";
import { startReplSession } from "./repl_actor.ts";
import type { Unit } from "./unit.ts";
import type { LoadOutcome, LoadRequest, UnitStore } from "./unit_store.ts";

const logger = getLogger(["gxensemble", "loader"]);

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
  /** Takes units, to be loaded later; see {@linkcode UnitStore.add}. */
  ship(request: { units: Unit[] }): Promise<void>;
  /** Loads a program of units that have been shipped; answers what that changed. */
  load(request: LoadRequest): Promise<LoadOutcome>;
  /** Every load that changed what is current: by module id, and of each the newest last. */
  history(): ListedLoad[];
  /** Imports a library module of the server's own. */
  library(request: { specifier: string }): Promise<void>;
  /** Evaluates an expression; answers its value as text, or nothing for undefined. */
  evaluate(request: { expression: string; json?: boolean }): Promise<string | undefined>;
  /** Opens a REPL session for the asking actor; answers the serial number of the session's actor. */
  openSession(request: Record<never, never>, envelope: Envelope): number;
};

/** Makes the handlers of the actor `loader` over a store; evaluations see `ensemble` under that name. */
export function loaderHandlers(
  store: UnitStore,
  ensemble: { actors: ActorSystem },
): LoaderHandlers {
  return {
    missing: ({ hashes }) => store.missing(hashes),

    running: ({ modules }) => store.running(modules),

    libraries: () => store.libraries(),

    ship: ({ units }) => store.add(units),

    async load(request) {
      try {
        const { loaded, restored, already } = await store.load(request);
        for (const { module, hash } of loaded) {
          logger.info("loaded {module} {hash}", { module, hash });
        }
        for (const { module, hash } of restored) {
          logger.info("made current again {module} {hash}", { module, hash });
        }
        return { loaded, restored, already };
      } catch (error) {
        logger.warn("cannot load: {reason}", { reason: (error as Error).message });
        throw error;
      }
    },

    history: () => store.history(),

    async library({ specifier }) {
      await store.importLibrary(specifier);
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

    openSession: (_request, { source }) =>
      startReplSession(ensemble.actors, { owner: source, store, ensemble }).serial,
  };
}
