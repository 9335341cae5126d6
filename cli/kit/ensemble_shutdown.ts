/**
 * Shutting down a whole ensemble: its servers, then its registries.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listServers, waitUntilGone } from "../../runtime/ensemble/remote.ts";
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import { inParallel } from "../../runtime/parallel.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import type { Session } from "../../runtime/server/capabilities.ts";
import { sameInstance, shortInstance } from "../../runtime/server/credentials.ts";
import { lookFor } from "../../runtime/server/presence.ts";
import {
  describeServer,
  registryClient,
  type RegistryEntry,
} from "../../runtime/server/registry_protocol.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { SUPERVISOR_ROLE, supervisorClient } from "../../supervisor/supervisor_protocol.ts";
import { Administrator, operatorName } from "./administrator.ts";
import { explainSilence, startConsole, withConsole } from "./console.ts";
import type { ClientOptions, OutputOptions } from "./options.ts";
import { printError, printJson, printLine, printNotice } from "./output.ts";
import { askYesOrNo, type PassphraseOptions } from "./prompts.ts";
import { AT_ONCE, type ParallelOptions } from "./server_set_options.ts";
import { stopServer } from "./servers.ts";

/** The options of `gxensemble shutdown`. */
export interface ShutdownOptions
  extends ClientOptions, OutputOptions, PassphraseOptions, ParallelOptions {
  /** Whether to skip the confirmation. */
  force: boolean;
}

/** How long all unreachable servers together are looked for, in ms. */
const LOOKING_TIME = 10_000;

/** The number of servers that have ended without leaving the registry that are named. */
const MOST_NAMED = 20;

/** A shutdown of all servers and all registries of an ensemble. */
export class EnsembleShutdown {
  readonly #console: ActorServer;
  readonly #administrator: Administrator;
  readonly #options: ShutdownOptions;
  /** The ids of what was shut down. */
  readonly #down: string[] = [];
  #failures = 0;

  private constructor(console: ActorServer, options: ShutdownOptions) {
    this.#console = console;
    this.#administrator = new Administrator(console, options);
    this.#options = options;
  }

  /**
   * Shuts down the ensemble of a command.
   *
   * @throws {EnsembleError} if a server does not shut down. Then the registries are left running.
   */
  static async run(options: ShutdownOptions, command: CommandUnknownOpts): Promise<void> {
    await withConsole(options, async (actors, console) => {
      const [servers, registries] = await Promise.all([
        listServers(actors),
        registryClient(actors).registries(),
      ]);
      if (!options.force) {
        const those = servers.length === 1 ? "1 server" : `${servers.length} servers`;
        const these = registries.length === 1 ? "the registry" : `${registries.length} registries`;
        await confirmShutdown(`the whole ensemble: ${those} and ${these}`, command);
      }
      const shutdown = new EnsembleShutdown(console, options);
      const alive = servers.filter(({ state }) => state !== "unreachable");
      const supervisors = alive.filter(({ roles }) => roles.includes(SUPERVISOR_ROLE));
      // They would start again what others stop. Their servers may need others to stop.
      await shutdown.#stopSupervisors(supervisors);
      const left = supervisors.length === 0 ? alive : await listServers(actors);
      await shutdown.#stopServers(left.filter(({ state }) => state !== "unreachable"));
      await shutdown.#removeUnreachable(servers.filter(({ state }) => state === "unreachable"));
      // Servers that still run need it.
      if (shutdown.#failures === 0) await shutdown.#stopRegistries(registries);
      else printNotice("the registry is left running, for the servers that still run");
      if (options.json) printJson(shutdown.#down);
      if (shutdown.#failures === 0) return;
      const all = servers.length + registries.length - 1; // Without the one that the console uses.
      throw new EnsembleError(`${shutdown.#failures} of ${all} servers did not shut down`);
    });
  }

  /** Has supervisors stop their servers, in order, and themselves; but not the registry. */
  async #stopSupervisors(entries: readonly RegistryEntry[]): Promise<void> {
    const actors = this.#console.actors;
    await this.#forEach(entries, async ({ id }) => {
      const end = async () => {
        const by = operatorName();
        return await supervisorClient(actors, id).shutDownHost({ keepRegistry: true, by });
      };
      const { timeout } = this.#options;
      const onWaiting = (time: number) =>
        printNotice(`${id} is stopping its servers, which have up to ${time / 1000} s`);
      try {
        const { time } = await this.#administrator.elevating(id, "shutdown", end);
        if (!this.#options.json) printLine(`... shutting down ${id} and its servers`);
        await waitUntilGone(actors, id, { grace: time, timeout, onWaiting });
        this.#down.push(id);
      } catch (error) {
        // A server of a program that has a role of this name.
        if (error instanceof EnsembleError && error.code === "UNKNOWN_ACTOR") return;
        // It is stopped with the others, or removed if it has ended.
        if (!(error instanceof DisconnectedError)) throw error;
      }
    });
  }

  /** Stops servers, some at the same time, so that a slow one does not delay the others. */
  async #stopServers(entries: readonly RegistryEntry[]): Promise<void> {
    await this.#forEach(entries, async (entry) => {
      const { id } = entry;
      if (!this.#options.json) printLine(`... shutting down ${id}`);
      try {
        await this.#stop(this.#console, { id, entry, administrator: this.#administrator });
        this.#down.push(id);
      } catch (error) {
        if (!(error instanceof DisconnectedError)) throw error;
        if (await this.#takeOut(entry, error)) printNotice(hasEnded(entry));
        else this.#down.push(id);
      }
    });
  }

  /**
   * Removes the entries of unreachable servers that have ended, without trying to reach them. There
   * may be very many for a minute, so this takes a limited time. The registry removes the rest.
   */
  async #removeUnreachable(entries: readonly RegistryEntry[]): Promise<void> {
    const until = performance.now() + LOOKING_TIME;
    let removed = 0;
    let left = 0;
    await this.#forEach(entries, async (entry) => {
      if (performance.now() > until) return void left++;
      if (!await this.#takeOut(entry, new DisconnectedError("it is unreachable"))) return;
      if (++removed <= MOST_NAMED) printNotice(hasEnded(entry));
    });
    if (removed > MOST_NAMED) {
      const more = removed - MOST_NAMED;
      printNotice(
        `${more} more have ended without leaving the registry; their entries are removed`,
      );
    }
    if (left > 0) printNotice(`${left} more are unreachable, and were not looked for`);
  }

  /** Stops all registries; last the one that the console uses. */
  async #stopRegistries(registries: readonly RegistryEntry[]): Promise<void> {
    const used = this.#console.session(REGISTRY_ID)?.instance;
    const others = registries.filter(({ instance }) => !used || !sameInstance(instance, used));
    await this.#forEach(others, async (entry) => {
      const addresses = entry.addresses.map(formatAddressUrl).join(", ");
      if (!this.#options.json) printLine(`... shutting down ${REGISTRY_ID} at ${addresses}`);
      try {
        await this.#stopRegistry(entry);
        this.#down.push(REGISTRY_ID);
      } catch (error) {
        // One that was killed is in the store until its lease runs out.
        const isEnded = error instanceof DisconnectedError && await lookFor(entry) === "gone";
        if (!isEnded) throw error;
        printNotice(`${describeServer(entry)} has ended without leaving the store`);
      }
    });
    if (!this.#options.json) printLine(`... shutting down ${REGISTRY_ID}`);
    await this.#attempt(undefined, async () => {
      const administrator = this.#administrator;
      await this.#stop(this.#console, { id: REGISTRY_ID, administrator });
      this.#down.push(REGISTRY_ID);
    });
  }

  /** Stops a registry other than the one that the console uses. */
  async #stopRegistry(entry: RegistryEntry): Promise<void> {
    // All have the same id, so another console is connected with this one.
    const { timeout } = this.#options;
    await using console = await startConsole({ registry: entry.addresses, timeout });
    await console.connect(REGISTRY_ID);
    const administrator = new Administrator(console, this.#options, this.#administrator);
    await this.#stop(console, { id: REGISTRY_ID, entry, administrator });
  }

  async #stop(
    console: ActorServer,
    { id, entry, administrator }: {
      id: string;
      entry?: RegistryEntry;
      administrator: Administrator;
    },
  ): Promise<void> {
    await administrator.elevating(id, "shutdown", () => {
      if (entry) requireRegistered(entry, console.session(id));
      const { timeout } = this.#options;
      return stopServer(console.actors, id, { print: printNotice, timeout });
    });
  }

  /**
   * Removes the entry of a server that cannot be reached, if the server has certainly ended.
   * Returns whether there was an entry: a server that shut down properly has removed it.
   *
   * @throws {DisconnectedError} the given error, if the server may still run.
   */
  async #takeOut(entry: RegistryEntry, error: DisconnectedError): Promise<boolean> {
    const { id, instance } = entry;
    const registry = registryClient(this.#console.actors);
    const asAdmin = <Result>(work: () => Promise<Result>) =>
      this.#administrator.elevating(REGISTRY_ID, "admin", work);
    const presence = await asAdmin(() => registry.presence({ id, instance }));
    // The registry may be on another host, where it cannot try the server's socket.
    const isGone = presence === "gone" ||
      (presence === "unknown" && await lookFor(entry) === "gone");
    if (!isGone) throw error;
    return await asAdmin(() => registry.remove({ id, instance }));
  }

  /** Does work for entries, some at the same time. */
  async #forEach(
    entries: readonly RegistryEntry[],
    work: (entry: RegistryEntry) => Promise<void>,
  ): Promise<void> {
    await inParallel(entries, {
      atOnce: AT_ONCE,
      work: (entry) => this.#attempt(entry, () => work(entry)),
    });
  }

  /** Reports and counts a failure. */
  async #attempt(entry: RegistryEntry | undefined, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#failures++;
      printError(describeFailure(await explainSilence(error, this.#console.actors), entry));
    }
  }
}

/**
 * Checks that the server that was reached is the registered one: an address in the file
 * `known-servers` may by now belong to another ensemble with the same ids.
 */
function requireRegistered(entry: RegistryEntry, session: Session | undefined): void {
  if (!session || sameInstance(session.instance, entry.instance)) return;
  throw new EnsembleError(
    `instance ${shortInstance(session.instance)} at ${
      formatAddressUrl(session.address)
    } is not the registered one, ` +
      `${shortInstance(entry.instance)}, and is left alone: to shut it down, name the server`,
  );
}

function hasEnded(entry: RegistryEntry): string {
  return `${describeServer(entry)} has ended without leaving the registry; its entry is removed`;
}

/** Describes why a server was not shut down. If it does not answer, names its process if known. */
export function describeFailure(error: unknown, entry: RegistryEntry | undefined): string {
  const { message } = error as Error;
  if (!entry) return message;
  if (!isNoAnswer(error)) return `${entry.id}: ${message}`;
  return `${describeServer(entry)} does not answer: ${message}`;
}

/** Whether an error means that a server gave no answer. */
export function isNoAnswer(error: unknown): boolean {
  return error instanceof DisconnectedError || error instanceof TimeoutError;
}

/** Asks for confirmation. Without a terminal, `-f` is required. */
export async function confirmShutdown(what: string, command: CommandUnknownOpts): Promise<void> {
  if (!Deno.stdin.isTerminal()) {
    const [whole] = what.split(":");
    command.error(`this shuts down ${whole}: without a terminal to confirm it, pass -f`);
  }
  if (!await askYesOrNo(`shut down ${what}?`)) {
    throw new EnsembleError("nothing was shut down");
  }
}
