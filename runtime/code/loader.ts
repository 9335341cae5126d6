/**
 * The loader: the actor of every server that takes code.
 *
 * @module
 */
import { getLogger } from "@logtape/logtape";
import { evaluate } from "./evaluator.ts";
import { renderJson, renderValue } from "./rendering.ts";
import type { ModuleName } from "./unit.ts";
import type { LoadRequest, UnitStore } from "./unit_store.ts";

const logger = getLogger(["gxensemble", "loader"]);

/** The name of the loader among a server's actors. */
export const LOADER_ACTOR = "loader";

/** Makes the handlers of the actor `loader` over a store; evaluations see `ensemble` under that name. */
export function loaderHandlers(store: UnitStore, ensemble: unknown) {
  return {
    /** Which of these units the store lacks. */
    missing: ({ hashes }: { hashes: string[] }): string[] => store.missing(hashes),

    /** The hashes that run under these module ids. */
    running: ({ modules }: { modules: string[] }): Map<string, string> => store.running(modules),

    /** Loads a program; answers what had to be evaluated, and what ran already. */
    load: async (
      request: LoadRequest,
    ): Promise<{ loaded: ModuleName[]; already: ModuleName[] }> => {
      try {
        const { loaded, already } = await store.load(request);
        for (const { module, hash } of loaded) {
          logger.info("loaded {module} {hash}", { module, hash });
        }
        return { loaded, already };
      } catch (error) {
        logger.warn("cannot load: {reason}", { reason: (error as Error).message, error });
        throw error;
      }
    },

    /** Imports a library module of the server's own. */
    library: async ({ specifier }: { specifier: string }): Promise<void> => {
      await store.importLibrary(specifier);
      logger.info("loaded library {specifier}", { specifier });
    },

    /** Evaluates an expression; answers its value as text, or nothing for undefined. */
    evaluate: async (
      { expression, json }: { expression: string; json?: boolean },
    ): Promise<string | undefined> => {
      const value = await evaluate(expression, ensemble);
      const text = json ? renderJson(value) : renderValue(value);
      return text && store.restoreSources(text);
    },
  };
}

/** The handlers of the actor `loader`, for `client`. */
export type LoaderHandlers = ReturnType<typeof loaderHandlers>;
