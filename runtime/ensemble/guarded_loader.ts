/**
 * Who may use the loader.
 *
 * @module
 */
import type { Envelope } from "../actor/envelope.ts";
import type { ServerId } from "../actor/server_id.ts";
import type { Handlers } from "../actor/service.ts";
import { hashText } from "../code/unit.ts";
import { EnsembleError } from "../errors.ts";
import type { Capabilities } from "../server/capabilities.ts";

/** The capability that loading and evaluating take. */
const LOADER = "loader";

/** Requests that run nothing, and are not worth a line of the audit log when they are allowed. */
const INERT: ReadonlySet<string> = new Set(
  "missing running libraries ship history instances interrupt isDefined complete describe".split(
    " ",
  ),
);

/** Puts the capability `loader` before each handler, of the loader and of REPL sessions. */
export function guardLoader(handlers: Handlers, capabilities: Capabilities): Handlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([type, handler]) => [
      type,
      async (request: Record<string, unknown>, envelope: Envelope) => {
        if (!capabilities.enforces(envelope)) return await handler(request, envelope);
        if (!INERT.has(type) || !capabilities.allows(envelope, LOADER)) {
          const details = await describe(request);
          capabilities.require(envelope, { capability: LOADER, what: type, details });
        }
        return await handler(request, envelope);
      },
    ]),
  );
}

/** Whether a server takes code. One that does not any more never does again. */
export class LoaderSwitch {
  readonly #server: ServerId;
  #isOff = false;
  /** How many requests are being handled. */
  #handling = 0;

  /** Makes the switch of a server, on. */
  constructor(server: ServerId) {
    this.#server = server;
  }

  /** Whether code of others may be running for the first time. */
  get isBusy(): boolean {
    return this.#handling > 0;
  }

  /** From now on the server takes no code. */
  turnOff(): void {
    this.#isOff = true;
  }

  /** Puts the switch before each handler, of the loader and of REPL sessions. */
  switched(handlers: Handlers): Handlers {
    return Object.fromEntries(
      Object.entries(handlers).map(([type, handler]) => [
        type,
        async (request: Record<string, unknown>, envelope: Envelope) => {
          if (this.#isOff) this.#refuse();
          this.#handling++;
          try {
            return await handler(request, envelope);
          } finally {
            this.#handling--;
          }
        },
      ]),
    );
  }

  #refuse(): never {
    // Not an AuthorizationError: the command must not ask for a passphrase.
    throw new EnsembleError(
      `${this.#server} takes no code: it was started without a loader, as with --no-loader, and nothing can be ` +
        "loaded into it or evaluated in it",
    );
  }
}

/** What is run, by its hash: the text of an expression may hold what does not belong in a log. */
async function describe(request: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { entry, specifier, expression, expansion } = request;
  const text = expression ?? (expansion as { text?: unknown } | undefined)?.text;
  return {
    ...(typeof entry === "string" && { hash: entry }),
    ...(typeof specifier === "string" && { specifier }),
    ...(typeof text === "string" && { hash: await hashText(text) }),
  };
}
