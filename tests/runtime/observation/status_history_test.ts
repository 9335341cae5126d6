import assert from "node:assert/strict";
import { eventLoopDelay, watchEventLoop } from "../../../runtime/observation/event_loop_delay.ts";
import { type Level, StatusHistory } from "../../../runtime/observation/status_history.ts";
import { HISTORY_POINTS } from "../../../runtime/observation/status_protocol.ts";
import { stopClock } from "../../fake_clock.ts";
import { eventually } from "../server/captured_logs.ts";

const LEVEL: Level = { actors: 3, longestMailbox: 2, connections: 1, pendingAsks: 0 };

Deno.test("a history has the rates of the last ten seconds, and points of five seconds", () => {
  using clock = stopClock("performance", "Date");
  let messages = 0;
  const traffic = () => ({ messages, bytes: 10 * messages });
  const history = new StatusHistory({
    totals: () => ({ received: traffic(), sent: { messages: 0, bytes: 0 }, handled: messages }),
    level: () => LEVEL,
  });
  const pass = (seconds: number, perSecond: number) => {
    for (let i = 0; i < seconds; i++) {
      messages += perSecond;
      clock.tick(1_000);
      history.takeReading();
    }
  };
  pass(5, 100);
  assert.equal(history.rates().handled, 100);
  assert.deepEqual(history.rates().received, { messages: 100, bytes: 1000 });
  const [point] = history.points();
  assert.equal(point!.at, Date.now());
  assert.deepEqual(
    [point!.handled, point!.received, point!.sent, point!.actors, point!.longestMailbox],
    [100, { messages: 100, bytes: 1000 }, { messages: 0, bytes: 0 }, 3, 2],
  );
  pass(20, 0);
  assert.equal(history.rates().handled, 0);
  assert.deepEqual(history.points(point!.at).map(({ handled }) => handled), [0, 0, 0, 0]);
  pass(900, 1);
  assert.equal(history.points().length, HISTORY_POINTS);
  assert.equal(history.points(Date.now() - 20_000).length, 4);
});

Deno.test("the delay of the event loop shows code that blocks it, as long as it is in the window", async () => {
  let seconds = 0;
  using _watch = watchEventLoop(() => seconds++);
  const blocked = performance.now() + 600;
  while (performance.now() < blocked);
  let delay = eventLoopDelay();
  for (const end = performance.now() + 20_000; delay.max < 250 && performance.now() < end;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    delay = eventLoopDelay();
  }
  assert.ok(delay.max >= 250, `${delay.max}`);
  assert.ok(delay.p50 <= delay.p99 && delay.p99 <= delay.max);
  assert.deepEqual(eventLoopDelay(0), { p50: 0, p99: 0, max: 0 });
  await eventually(() => seconds > 1, "it calls every second");
});
