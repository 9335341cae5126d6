/**
 * The words for the orders of `top`, in a file of their own: the command line loads it at each start.
 *
 * @module
 */
import type { BusyOrder } from "../../runtime/observation/busiest_protocol.ts";

/** By what servers are sorted: by trouble, as `status` does, by id, or by a number of their state. */
export const SERVER_ORDERS = [
  "trouble",
  "server",
  "cpu",
  "memory",
  "delay",
  "mailbox",
  "actors",
  "handled",
  "in",
  "out",
  "pending",
  "restarts",
  "uptime",
] as const;

/** One of {@linkcode SERVER_ORDERS}. */
export type ServerOrder = typeof SERVER_ORDERS[number];

/** By what the actors of a server are sorted. */
export const ACTOR_ORDERS: readonly BusyOrder[] = ["mailbox", "handled", "time"];
