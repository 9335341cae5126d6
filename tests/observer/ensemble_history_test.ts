import assert from "node:assert/strict";
import { EnsembleHistory, POINT_INTERVAL } from "../../observer/ensemble_history.ts";
import type { StatusPoint } from "../../runtime/observation/status_protocol.ts";

const NOW = Math.floor(Date.now() / POINT_INTERVAL) * POINT_INTERVAL;

/** A point that ended a number of intervals ago. */
function point(ago: number, { later = 0, actors = 1 } = {}): StatusPoint {
  return {
    at: NOW - ago * POINT_INTERVAL + later,
    cpu: 0.5,
    rss: 100,
    heapUsed: 50,
    eventLoopDelay: { p50: 1, p99: 10 * actors, max: 20 },
    actors,
    longestMailbox: actors,
    connections: 1,
    pendingAsks: 0,
    received: { messages: 1, bytes: 2 },
    sent: { messages: 3, bytes: 4 },
    handled: 5,
  };
}

const A = { id: "a", instance: "1", process: "11 host" };
const B = { id: "b", instance: "2", process: "12 host" };

Deno.test("EnsembleHistory gives the points of a server in columns", () => {
  const history = new EnsembleHistory();
  history.add(A, [point(2), point(1, { actors: 7 })]);
  const { at, columns } = history.of("a");
  assert.deepEqual(at, [NOW - 2 * POINT_INTERVAL, NOW - POINT_INTERVAL]);
  assert.deepEqual(columns.actors, [1, 7]);
  assert.deepEqual(columns.eventLoopDelayP99, [10, 70]);
  assert.deepEqual(columns.sentBytesPerSecond, [4, 4]);
  assert.deepEqual(history.of("none").at, []);
});

Deno.test("EnsembleHistory adds up servers, and takes the worst delay and mailbox", () => {
  const history = new EnsembleHistory();
  history.add(A, [point(3), point(2), point(1)]);
  history.add(B, [point(3, { later: 900, actors: 4 }), point(2, { later: 900 })]);
  const { at, columns } = history.ofAll();
  // Not all servers have told of the last one.
  assert.deepEqual(at, [NOW - 3 * POINT_INTERVAL, NOW - 2 * POINT_INTERVAL]);
  assert.deepEqual(columns.actors, [5, 2]);
  assert.deepEqual(columns.rss, [200, 200]);
  assert.deepEqual(columns.longestMailbox, [4, 1]);
  assert.deepEqual(columns.eventLoopDelayP99, [40, 10]);
});

Deno.test("EnsembleHistory counts what a process uses once", () => {
  const history = new EnsembleHistory();
  history.add(A, [point(2), point(1)]);
  history.add({ ...B, process: A.process }, [point(2), point(1)]);
  const { columns } = history.ofAll();
  assert.deepEqual([columns.rss, columns.cpu, columns.actors], [[100], [0.5], [2]]);
});

Deno.test("EnsembleHistory leaves out points that it has, or that are not of the last ten minutes", () => {
  const history = new EnsembleHistory();
  history.add(A, [point(2), point(1)]);
  history.add(A, [point(1, { later: 40 }), point(0), point(-900), point(2)]);
  assert.deepEqual(history.of("a").at, [2, 1, 0].map((ago) => point(ago).at));
  history.add(B, [point(1_000_000), point(1)]);
  assert.deepEqual(history.of("b").at, [point(1).at]);
  const many = Array.from({ length: 500 }, (_, index) => point(100 - index / 5));
  history.add(B, many);
  assert.ok(history.of("b").at.length <= 120);
});

Deno.test("EnsembleHistory begins again with another instance, and forgets servers that are gone", () => {
  const history = new EnsembleHistory();
  history.add(A, [point(2), point(1)]);
  history.add({ ...A, instance: "2" }, [point(0)]);
  assert.deepEqual(history.of("a").at, [NOW]);
  history.keepOnly(new Set(["b"]));
  assert.deepEqual(history.of("a").at, []);
});
