import assert from "node:assert/strict";
import { ReadingTurns } from "../../../runtime/wire/reading_turns.ts";

/** The number of messages that each stream has. */
const MESSAGES = 64;

/** How many streams with so many take part in one turn. */
const STREAMS_PER_TURN = 16;

/** Streams that note their numbers whenever they are served. */
function makeStreams(count: number) {
  const served: number[] = [];
  const streams = Array.from({ length: count }, () => new ReadingTurns());
  for (const stream of streams) stream.handled(MESSAGES);
  const serve = async (stream: number) => {
    const turn = streams[stream]!.take();
    if (turn) await turn;
    served.push(stream);
    streams[stream]!.handled(MESSAGES);
  };
  return { served, serve, numbers: streams.keys().toArray() };
}

Deno.test("ReadingTurns serves all in line when more are busy than a turn admits", async () => {
  const rounds = 5;
  const { served, serve, numbers } = makeStreams(3 * STREAMS_PER_TURN + 1);
  await Promise.all(numbers.map(async (stream) => {
    for (let round = 0; round < rounds; round++) await serve(stream);
  }));
  for (const stream of numbers) {
    assert.equal(served.filter((each) => each === stream).length, rounds);
  }
  // A stream that was served may go on until its turn is over, and no longer.
  const firsts = numbers.map((stream) => served.indexOf(stream));
  assert.deepEqual(firsts.toSorted((a, b) => a - b), firsts);
});

Deno.test("ReadingTurns puts a stream behind those in line when its turn is over", async () => {
  const { served, serve, numbers } = makeStreams(4 * STREAMS_PER_TURN);
  const all = numbers.map(serve);
  await all[2 * STREAMS_PER_TURN]; // One turn at least is over, and some wait for the last.
  await Promise.all([serve(0), ...all]);
  assert.equal(served.at(-1), 0);
});

Deno.test("ReadingTurns never makes a stream wait that is alone", async () => {
  const { serve, served } = makeStreams(1);
  await serve(0); // Behind those of other tests.
  const alone = new ReadingTurns();
  const first = alone.take();
  if (first) await first;
  for (let read = 0; read < 1000; read++) assert.equal(alone.take(), undefined);
  assert.deepEqual(served, [0]);
});
