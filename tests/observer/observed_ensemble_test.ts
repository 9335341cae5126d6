import assert from "node:assert/strict";
import { ObservedEnsemble } from "../../observer/observed_ensemble.ts";
import { type ObservedEntry, observedEntry } from "../../observer/observed_values.ts";
import type { ConnectionInfo } from "../../runtime/server/connection.ts";
import type { RegistryEntry } from "../../runtime/server/registry_protocol.ts";
import { stopClock } from "../fake_clock.ts";

function entry(id: string, more: Partial<RegistryEntry> = {}): ObservedEntry {
  return observedEntry({
    id,
    instance: new Uint8Array(32),
    addresses: [],
    roles: [],
    state: "up",
    revision: 1,
    ...more,
  });
}

const HEAD = { version: "0", observer: "console" };

function ensembleOf(...ids: string[]): ObservedEnsemble {
  const ensemble = new ObservedEnsemble(HEAD, 2_000);
  for (const id of ids) ensemble.setEntry(entry(id));
  ensemble.takeChanges();
  return ensemble;
}

/** An account of a connection that has carried a number of messages. */
function connection(peer: string, messages: number): ConnectionInfo {
  const traffic = { messages, bytes: 10 * messages };
  return {
    peer,
    address: { kind: "tcp", host: "10.0.0.1", port: 1 },
    since: 1,
    received: traffic,
    sent: { messages: 0, bytes: 0 },
    waiting: 0,
  };
}

const keyOf = ({ id, instance }: ObservedEntry) => ({ id, instance });

Deno.test("ObservedEnsemble tells only what has changed", () => {
  const ensemble = new ObservedEnsemble(HEAD, 2_000);
  assert.equal(ensemble.takeChanges(), undefined);
  ensemble.setEntry(entry("b"));
  ensemble.setEntry(entry("a", { roles: ["web"] }));
  assert.deepEqual(ensemble.takeChanges()!.servers!.map(({ id }) => id), ["b", "a"]);
  assert.equal(ensemble.takeChanges(), undefined);
  ensemble.setStatus(keyOf(entry("a")), { status: { at: 5 }, deno: "2" });
  ensemble.takeChanges();
  ensemble.setStatus(keyOf(entry("a")), { status: { at: 6 }, deno: "2" });
  const { now: _, ...changes } = ensemble.takeChanges()!;
  assert.deepEqual(changes, { figures: [{ id: "a", status: { at: 6 } }] });
  ensemble.setError(keyOf(entry("a")), "no answer");
  assert.deepEqual(ensemble.takeChanges()!.figures, [
    { id: "a", status: { at: 6 }, error: "no answer" },
  ]);
  ensemble.setError(keyOf(entry("a")), "no answer");
  assert.equal(ensemble.takeChanges(), undefined);
  const { servers } = ensemble.snapshot();
  assert.deepEqual(servers.map(({ id, roles, status }) => [id, roles, status?.at]), [
    ["a", ["web"], 6],
    ["b", [], undefined],
  ]);
});

Deno.test("ObservedEnsemble does not mix instances of a server", () => {
  const ensemble = ensembleOf("a");
  ensemble.setStatus(keyOf(entry("a")), { status: { at: 5 }, deno: "2" });
  const next = entry("a", { instance: new Uint8Array(32).fill(1) });
  ensemble.setEntry(next);
  assert.equal(ensemble.server("a")!.status, undefined);
  ensemble.setStatus(keyOf(entry("a")), { status: { at: 6 }, deno: "2" });
  assert.equal(ensemble.server("a")!.status, undefined, "it came from the earlier one");
  ensemble.setModules(keyOf(next), [{ module: "m", hash: "h", at: 1 }]);
  ensemble.setEntry({ ...next, state: "draining" });
  assert.deepEqual(ensemble.server("a")!.modules.length, 1);
});

Deno.test("ObservedEnsemble shows a server that is gone for a while", () => {
  using clock = stopClock("performance");
  const ensemble = ensembleOf("a", "b");
  ensemble.setGone("a");
  ensemble.setGone("none");
  assert.deepEqual(ensemble.takeChanges()!.servers!.map(({ id, state }) => [id, state]), [
    ["a", "gone"],
  ]);
  assert.deepEqual(ensemble.servers().map(({ id }) => id), ["b"]);
  clock.tick(59_000);
  assert.equal(ensemble.takeChanges(), undefined);
  clock.tick(2_000);
  assert.deepEqual(ensemble.takeChanges()!.removed, ["a"]);
  ensemble.setGone("b");
  ensemble.setEntry(entry("b"));
  clock.tick(61_000);
  assert.equal(ensemble.takeChanges()!.removed, undefined, "it has come back");
});

Deno.test("ObservedEnsemble gives the rates of connections between servers, each once", () => {
  using clock = stopClock("performance");
  const ensemble = ensembleOf("a", "b", "c");
  ensemble.setConnections("a", [connection("b", 0), connection("console-1", 5)]);
  ensemble.setConnections("b", [connection("a", 0)]);
  const { connections, closed } = ensemble.takeChanges()!;
  assert.deepEqual(connections!.map(({ a, b, kind }) => [a, b, kind]), [["a", "b", "tcp"]]);
  assert.equal(closed, undefined);
  clock.tick(2_000);
  ensemble.setConnections("a", [connection("b", 246)]);
  ensemble.setConnections("b", [connection("a", 999)]);
  const [changed] = ensemble.takeChanges()!.connections!;
  assert.deepEqual([changed!.messagesPerSecond, changed!.bytesPerSecond], [120, 1_200]);
  assert.deepEqual(ensemble.snapshot().connections, [changed]);
  ensemble.setConnections("a", []);
  ensemble.setConnections("b", []);
  assert.deepEqual(ensemble.takeChanges()!.closed, [["a", "b"]]);
  ensemble.setConnections("b", [connection("c", 1)]);
  ensemble.takeChanges();
  ensemble.setGone("c");
  assert.deepEqual(ensemble.takeChanges()!.closed, [["b", "c"]]);
});

Deno.test("ObservedEnsemble keeps the busiest of very many connections, and the last entries", () => {
  using clock = stopClock("performance");
  const ids = Array.from({ length: 70 }, (_, index) => `s${index}`);
  const ensemble = ensembleOf(...ids);
  const report = (times: number) => {
    for (const [index, id] of ids.entries()) {
      ensemble.setConnections(
        id,
        ids.filter((each) => each !== id).map((peer) => connection(peer, times * index)),
      );
    }
  };
  report(1);
  clock.tick(1_000);
  report(2);
  const { connections, connectionsLeftOut } = ensemble.takeChanges()!;
  assert.deepEqual([connections!.length, connectionsLeftOut], [2_000, 70 * 69 / 2 - 2_000]);
  for (let i = 0; i < 2_000; i++) {
    ensemble.note({ at: i, server: "s0", change: "up" });
    ensemble.addLogs([
      { server: "s0", sequence: i, at: i, level: "error", category: "c", message: "m" },
    ]);
  }
  const { timeline, logs } = ensemble.takeChanges()!;
  assert.deepEqual([timeline!.length, timeline!.at(-1)!.sequence], [500, 2_000]);
  assert.deepEqual([logs!.length, logs!.at(-1)!.sequence], [500, 1_999]);
  assert.equal(ensemble.snapshot().timeline.length, 500);
});
