/**
 * A server of the ensemble on the screenshots: it has traffic, a supervision tree, groups, code
 * that can be loaded, and one server with a queue that grows.
 *
 * usage: `gxensemble run --roles <role> <id> shop.ts [<rate>]`
 *
 * @module
 */
import { currentServer, type EnsembleServer } from "@gxensemble/ensemble";
import { getLogger } from "npm:@logtape/logtape@^2.4.2";
import { priceOf } from "./prices.ts";

const logger = getLogger(["shop"]);

/** Runs until it is stopped, and sends about so many requests per second. */
export async function main(rate = "40"): Promise<void> {
  const server = currentServer();
  const role = server.id.replace(/\d+$/, "");
  if (role === "stock") serveStock(server);
  if (role === "checkout") serveCheckout(server);
  if (role !== "stock") sendRequests(server, Number(rate));
  await server.stopped;
}

function serveStock(server: EnsembleServer): void {
  server.supervise("shelves", {
    children: Array.from({ length: 4 }, (_, index) => ({
      name: `shelf-${index + 1}`,
      serve: {
        reserve: () => busyFor(0.2),
        spoil: () => {
          throw new Error("spoilt");
        },
      },
    })),
  });
  for (let index = 1; index <= 4; index++) server.join("shelves", `shelf-${index}`);
  // The slow one: it takes fewer messages than come.
  server.serve("reports", { add: () => pause(40) }, { concurrent: false });
}

function serveCheckout(server: EnsembleServer): void {
  server.serve("checkout", {
    async pay({ item }: { item: number }) {
      busyFor(0.3);
      await server.askAny("shelves", { type: "reserve" });
      if (item % 997 === 0) logger.warn("card of order {item} was refused", { item });
      return priceOf(item);
    },
  });
  server.join("checkouts", "checkout");
}

async function sendRequests(server: EnsembleServer, rate: number): Promise<void> {
  const isWeb = server.id.startsWith("web");
  for (let item = 1;; item++) {
    await pause((500 + 1000 * Math.random()) / rate);
    const wave = 1 + Math.sin(Date.now() / 40_000);
    for (let sent = 0; sent < 1 + wave * 2; sent++) {
      if (isWeb) server.askAny("checkouts", { type: "pay", item }).catch(() => {});
      else if (item % 3 === 0) server.tell("reports@stock1", { type: "add" });
    }
  }
}

function busyFor(duration: number): void {
  const end = performance.now() + duration;
  while (performance.now() < end);
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}
