/**
 * Receiving by type from a long mailbox: the second half of a backlog first, which lies behind the
 * first half.
 *
 * The time for one message is compared with that in a backlog of 1,000. If each receive passed over
 * the first half, it would be a hundred times as long in one of 100,000. It is somewhat longer in
 * any case, since V8 moves messages that live long.
 *
 * @module
 */
import { on } from "../../../runtime/actor/cases.ts";
import type { Case, Figures } from "../case.ts";
import { startAlone } from "../ensemble_peer.ts";
import { alone } from "../pair.ts";
import { median } from "../statistics.ts";

/**
 * How many messages are taken for one figure at least: a short backlog is empty before it can be
 * timed.
 */
const MESSAGES = 500_000;

/** The figure. */
const EACH = "per message";

/** A backlog of 1,000 messages. */
export const take1000 = (): Promise<Figures> => timeBacklogs(1_000);
/** A backlog of 10,000 messages. */
export const take10000 = (): Promise<Figures> => timeBacklogs(10_000);
/** A backlog of 100,000 messages. */
export const take100000 = (): Promise<Figures> => timeBacklogs(100_000);

async function timeBacklogs(length: number): Promise<Figures> {
  const server = await startAlone();
  const takeAll = async (): Promise<number> => {
    let start = 0;
    const filled = Promise.withResolvers<void>();
    const reader = server.spawn(undefined, async (self) => {
      await filled.promise;
      start = performance.now();
      for (const type of ["second", "first"]) {
        const cases = [on(type, () => {})];
        for (let i = 0; i < length / 2; i++) await self.receive(cases);
      }
    });
    for (const type of ["first", "second"]) {
      for (let i = 0; i < length / 2; i++) server.tell(reader, { type });
    }
    filled.resolve();
    await reader.ended;
    return (performance.now() - start) / length * 1e6;
  };
  const repeat = async () => {
    const times: number[] = [];
    for (let taken = 0; taken < MESSAGES; taken += length) times.push(await takeAll());
    return times;
  };
  await repeat();
  return { [EACH]: median(await repeat()) };
}

const BASE = alone(import.meta.url, take1000);

/** The cases. */
export const BACKLOGS: Case[] = ([["10,000", take10000], ["100,000", take100000]] as const).map(
  ([length, work]): Case => ({
    name: `receive from a backlog of ${length}`,
    figures: {
      [EACH]: { unit: "ns", better: "less", target: { of: "backlog of 1,000", bound: 4 } },
    },
    contestants: { project: alone(import.meta.url, work), "backlog of 1,000": BASE },
  }),
);
