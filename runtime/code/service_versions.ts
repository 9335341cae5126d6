/**
 * The services of a module's versions: a module exports its handlers as `service`, and a newer
 * version takes over the services that run with those of the version before.
 *
 * @module
 */
import type { Handlers } from "../actor/service.ts";
import type { ModuleNamespace } from "./library_table.ts";

/** Converts the state of a service. */
type Conversion = (state: unknown) => unknown;

/** What happens to the services of a version. */
export interface ServiceChange {
  /** The handlers of the services that are meant. */
  readonly from: Handlers;
  /** The handlers that answer from now on. */
  readonly to: Handlers;
  /** Converts their states. Default: they stay. */
  readonly convert?: Conversion | undefined;
  /** Converts them back, if another service fails. Default: those of before the change. */
  readonly revert?: Conversion | undefined;
}

/**
 * Makes changes of services, all or none.
 *
 * @throws what a conversion throws.
 */
export type ChangeServices = (changes: readonly ServiceChange[]) => Promise<void>;

/** How a version of a module relates to the one that it replaces. */
export type Direction = "newer" | "older" | "same";

/**
 * The change of services when a version replaces another; undefined if one of them has none. The
 * newer one of two versions exports how states are converted: `upgrade`, and `downgrade` for the
 * way back.
 */
export function serviceChange(
  from: ModuleNamespace | undefined,
  to: ModuleNamespace | undefined,
  direction: Direction,
): ServiceChange | undefined {
  if (!from || !to || from === to) return undefined;
  const { service: before } = from;
  const { service: after } = to;
  if (!isHandlers(before) || !isHandlers(after) || before === after) return undefined;
  const change = { from: before, to: after };
  if (direction === "same") return change;
  const newer = direction === "newer" ? to : from;
  const upgrade = conversion(newer.upgrade);
  const downgrade = conversion(newer.downgrade);
  return direction === "newer"
    ? { ...change, convert: upgrade, revert: downgrade }
    : { ...change, convert: downgrade, revert: upgrade };
}

function isHandlers(value: unknown): value is Handlers {
  return typeof value === "object" && value !== null;
}

function conversion(value: unknown): Conversion | undefined {
  return typeof value === "function" ? value as Conversion : undefined;
}
