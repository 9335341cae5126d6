/**
 * The loader: the actor of every server that takes code.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { EnsembleError } from "../errors.ts";
import { evaluate } from "./evaluator.ts";
import { renderJson, renderValue } from "./rendering.ts";
import type { ModuleName } from "./unit.ts";
import type { LoadRequest, UnitStore } from "./unit_store.ts";

const logger = getLogger(["gxensemble", "loader"]);

/** The name of the loader among a server's actors. */
export const LOADER_ACTOR = "loader";

/** The handlers of the actor `loader`, for `client`. */
export type LoaderHandlers = {
  /** Which of these units the store lacks. */
  missing(request: { hashes: string[] }): string[];
  /** The hashes that run under these module ids. */
  running(request: { modules: string[] }): Map<string, string>;
  /** The modules that the server's program was built with: bare specifiers and module ids. */
  libraries(): string[];
  /** Loads a program; answers what had to be evaluated, and what ran already. */
  load(request: LoadRequest): Promise<{ loaded: ModuleName[]; already: ModuleName[] }>;
  /** Imports a library module of the server's own. */
  library(request: { specifier: string }): Promise<void>;
  /** Evaluates an expression; answers its value as text, or nothing for undefined. */
  evaluate(request: { expression: string; json?: boolean }): Promise<string | undefined>;
};

/** Makes the handlers of the actor `loader` over a store; evaluations see `ensemble` under that name. */
export function loaderHandlers(store: UnitStore, ensemble: unknown): LoaderHandlers {
  return {
    missing: ({ hashes }) => store.missing(hashes),

    running: ({ modules }) => store.running(modules),

    libraries: () => store.libraries(),

    async load(request) {
      try {
        const { loaded, already } = await store.load(request);
        for (const { module, hash } of loaded) {
          logger.info("loaded {module} {hash}", { module, hash });
        }
        return { loaded, already };
      } catch (error) {
        logger.warn("cannot load: {reason}", { reason: (error as Error).message });
        throw error;
      }
    },

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
  };
}
