/**
 * The loader: the actor of every server that takes code.
 *
 * @module
 */
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import type { ActorSystem } from "../actor/actor_system.ts";
import type { Envelope } from "../actor/envelope.ts";
import type { Handlers } from "../actor/service.ts";
import { EnsembleError } from "../errors.ts";
import { asError } from "../thrown.ts";
import { evaluate } from "./evaluator.ts";
import type { LoaderHandlers } from "./loader_protocol.ts";
import { renderJson, renderValue } from "./rendering.ts";
import { startReplSession } from "./repl_actor.ts";
import type { UnitStore } from "./unit_store.ts";

const logger = getLogger(["gxensemble", "loader"]);

/**
 * Makes the handlers of the actor `loader` over a store; evaluations see `ensemble` under that name.
 *
 * @param options.guard put before the handlers of REPL sessions, as it is before these.
 */
export function loaderHandlers(
  store: UnitStore,
  ensemble: { actors: ActorSystem },
  { guard }: { guard?: (handlers: Handlers) => Handlers } = {},
): LoaderHandlers {
  const mayLog = (kind: string, envelope: Envelope | undefined) => {
    const { id, lines } = ensemble.actors;
    return lines.allows(envelope?.source.server ?? id, kind);
  };
  return {
    missing: ({ hashes }) => store.missing(hashes),

    running: ({ modules }) => store.running(modules),

    libraries: () => store.libraries(),

    ship: ({ units }) => store.add(units),

    async load(request, envelope?: Envelope) {
      try {
        const { namespace: _, ...outcome } = await store.load(request);
        const { loaded, restored, rerun } = outcome;
        for (const { module, hash } of loaded) {
          logger.info("loaded {module} {hash}", { module, hash });
        }
        for (const { module, hash } of restored) {
          logger.info("made current again {module} {hash}", { module, hash });
        }
        for (const { module, hash } of rerun) {
          logger.info("ran anew {module} {hash}", { module, hash });
        }
        return outcome;
      } catch (error) {
        if (mayLog("failed loads", envelope)) {
          const { message, cause } = error as Error;
          const [reason] = message.split("\n", 1);
          logger.warn("cannot load: {reason}", { reason, ...asError(cause) && { error: cause } });
        }
        throw error;
      }
    },

    history: () => store.history(),

    instances: () => store.instances(),

    async library({ specifier }, envelope?: Envelope) {
      await store.importLibrary(specifier);
      if (!mayLog("loads of libraries", envelope)) return;
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
      startReplSession(ensemble.actors, { owner: source, store, ensemble, guard }).serial,
  };
}
