/**
 * Serving the observer's page through a command's console.
 *
 * @module
 */
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { OBSERVER, type Session } from "../../runtime/server/capabilities.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import type { InternetAddress } from "../../runtime/wire/address.ts";
import { servePage } from "../../observer/observer_page.ts";
import { Administrator } from "../kit/administrator.ts";
import { withConsole } from "../kit/console.ts";
import type { ClientOptions } from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { TerminalOperator, TerminalTurns } from "./terminal_operator.ts";

/** The options of `gxensemble observer`. */
export interface ObserverOptions extends ClientOptions, PassphraseOptions {
  /** Where the page is served. */
  readonly listen: InternetAddress;
  /** Whether the page may ask for actions, which the operator confirms. */
  readonly allowActions: boolean;
}

/**
 * Serves the page until the command is ended.
 *
 * @throws {EnsembleError} if the registry cannot be reached, or the page cannot be served.
 */
export async function observe(options: ObserverOptions): Promise<void> {
  if (options.allowActions && !Deno.stdin.isTerminal()) {
    throw new EnsembleError(
      "--allow-actions needs a terminal, in which each action is confirmed; without it, the page " +
        "only shows",
    );
  }
  await withConsole(options, async (actors, console) => {
    await registryClient(actors).lookup({ id: REGISTRY_ID });
    const turns = new TerminalTurns();
    const administrator = new Administrator(console, options);
    administrator.runPrompt = (prompt) => turns.take(prompt);
    // At the start, so that the passphrase is not asked for while the page is used.
    const elevations = new Elevations(console, administrator);
    await elevations.elevate(REGISTRY_ID);
    const { url, ended } = await servePage(console, {
      listen: options.listen,
      elevate: (server) => elevations.elevate(server),
      ...options.allowActions && {
        operator: new TerminalOperator(console, { ...options, administrator, turns }),
      },
    });
    printLine(url);
    printNotice("open this URL in a browser on this host; Ctrl-C ends the observer");
    await ended;
  });
}

/** Elevates a console in servers, once on each connection. */
class Elevations {
  readonly #console: ActorServer;
  readonly #administrator: Administrator;
  readonly #elevated = new WeakSet<Session>();

  constructor(console: ActorServer, administrator: Administrator) {
    this.#console = console;
    this.#administrator = administrator;
  }

  /** See `ServerAccess.elevate`. */
  async elevate(server: string): Promise<void> {
    const before = this.#console.session(server);
    if (before && this.#elevated.has(before)) return;
    await this.#administrator.elevating(server, OBSERVER, async () => {});
    const session = this.#console.session(server);
    if (session) this.#elevated.add(session);
  }
}
