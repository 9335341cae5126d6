/**
 * Actors in one process: tell, ask and spawn.
 *
 * The floor is what JavaScript has for the same: a queue whose reader awaits a promise, a promise
 * for each question, an async function that is started and awaited.
 *
 * @module
 */
import type { Case, Figures } from "../case.ts";
import { SERVICE, startAlone } from "../ensemble_peer.ts";
import { erlangAlone } from "../erlang.ts";
import { alone } from "../pair.ts";
import { rateOf, rateOneWay } from "../timing.ts";

/** How many messages are sent in a turn of the event loop. */
const TURN = 1_000;

/** How many actors are started before the first is awaited. */
const SPAWNS = 100;

/** The project's work. */
export async function actors(duration: number): Promise<Figures> {
  const server = await startAlone();
  let arrived = 0;
  server.serve("bench", {
    take: () => void arrived++,
    arrived: () => arrived,
    increment: ({ n }: { n: number }) => n + 1,
  });
  return await measure(duration, {
    send: (n) => server.tell(SERVICE, { type: "take", n }),
    arrived: () => server.ask(SERVICE, { type: "arrived" }),
    ask: (n) => server.ask(SERVICE, { type: "increment", n }),
    spawn: () => server.spawn(undefined, () => {}).ended,
  });
}

/** The floor's work. */
export async function promises(duration: number): Promise<Figures> {
  interface Message {
    readonly type: string;
    readonly n?: number;
    readonly answer?: (value: number) => void;
  }
  let queue: Message[] = [];
  let wake = () => {};
  let arrived = 0;
  const send = (message: Message) => {
    if (queue.push(message) === 1) wake();
  };
  void (async () => {
    while (true) {
      if (queue.length === 0) await new Promise<void>((resolve) => wake = resolve);
      const messages = queue;
      queue = [];
      for (const { type, n, answer } of messages) {
        if (type === "take") arrived++;
        else answer!(type === "increment" ? n! + 1 : arrived);
      }
    }
  })();
  const ask = (type: string, n?: number) =>
    new Promise<number>((answer) => send({ type, answer, ...n !== undefined && { n } }));
  return await measure(duration, {
    send: (n) => send({ type: "take", n }),
    arrived: () => ask("arrived"),
    ask: (n) => ask("increment", n),
    spawn: async () => await undefined,
  });
}

async function measure(duration: number, work: {
  send: (n: number) => unknown;
  arrived: () => Promise<number>;
  ask: (n: number) => Promise<unknown>;
  spawn: () => Promise<unknown>;
}): Promise<Figures> {
  let sent = 0;
  const { rate: tell } = await rateOneWay(duration, {
    send() {
      work.send(sent & 1023);
      return ++sent % TURN === 0 ? work.arrived() : undefined;
    },
    arrived: work.arrived,
  });
  let n = 0;
  const { rate: ask } = await rateOf(duration, [() => work.ask(n++ & 1023)]);
  const { rate: spawns } = await rateOf(duration, [
    () => Promise.all(Array.from({ length: SPAWNS }, work.spawn)),
  ]);
  return { tell, ask, spawn: SPAWNS * spawns };
}

/** The case. */
export const IN_PROCESS: Case[] = [{
  name: "in process",
  figures: {
    tell: { unit: "/s", better: "more", target: { bound: 10e6 } },
    ask: { unit: "/s", better: "more", target: { bound: 1e6 } },
    spawn: { unit: "/s", better: "more", target: { bound: 400e3 } },
  },
  contestants: {
    project: alone(import.meta.url, actors),
    floor: alone(import.meta.url, promises),
    erlang: erlangAlone("local"),
  },
}];
