import assert from "node:assert/strict";
import { Model } from "../../../observer/page/model.ts";
import type {
  ObservedConnection,
  ObservedLogRecord,
  Snapshot,
} from "../../../observer/page/page_protocol.ts";
import { observedServer } from "./observed_server.ts";

const EMPTY: Snapshot = {
  version: "1.2.3",
  observer: "console",
  now: 1000,
  interval: 2000,
  servers: [],
  connections: [],
  connectionsLeftOut: 0,
  timeline: [],
  logs: [],
};

function connection(a: string, b: string, messagesPerSecond = 0): ObservedConnection {
  return { a, b, kind: "unix", since: 0, messagesPerSecond, bytesPerSecond: 0, waiting: 0 };
}

function record(server: string, at: number): ObservedLogRecord {
  return { server, sequence: at, at, level: "warning", category: "a", message: "b" };
}

Deno.test("Model applies changes to the last snapshot", () => {
  const model = new Model();
  model.replace({
    ...EMPTY,
    servers: [observedServer("a"), observedServer("c", { error: "no answer" })],
    connections: [connection("a", "c", 1)],
  });
  model.apply({
    now: 2000,
    servers: [observedServer("b", { state: "starting" })],
    figures: [{ id: "c", status: { at: 1500, actors: 7 }, error: undefined }, {
      id: "unknown",
      status: undefined,
      error: undefined,
    }],
    connections: [connection("a", "c", 2), connection("b", "c")],
  });
  const shown = model.sortedServers().map((
    { id, state, status, error },
  ) => [id, state, status?.actors, error]);
  assert.deepEqual(shown, [
    ["a", "up", undefined, undefined],
    ["b", "starting", undefined, undefined],
    ["c", "up", 7, undefined],
  ]);
  assert.deepEqual([...model.connections.values()].map((each) => each.messagesPerSecond), [2, 0]);
  model.apply({ now: 3000, removed: ["a"], closed: [["a", "c"]], registryError: "away" });
  assert.deepEqual(model.sortedServers().map(({ id }) => id), ["b", "c"]);
  assert.deepEqual([...model.connections.values()].map(({ a, b }) => [a, b]), [["b", "c"]]);
  assert.equal(model.registryError, "away");
  model.apply({ now: 4000, registryError: null });
  assert.equal(model.registryError, undefined);
});

Deno.test("Model forgets what a new snapshot does not have", () => {
  const model = new Model();
  model.replace({ ...EMPTY, servers: [observedServer("a")], logs: [record("a", 1)] });
  model.setLink("lost");
  model.replace({ ...EMPTY, servers: [observedServer("b")] });
  assert.deepEqual(model.sortedServers().map(({ id }) => id), ["b"]);
  assert.deepEqual(model.logs, []);
  assert.equal(model.link, "live");
});

Deno.test("Model keeps the records of servers in the order of their times", () => {
  const model = new Model();
  model.replace({ ...EMPTY, logs: [record("a", 10), record("a", 30)] });
  model.apply({ now: 1000, logs: [record("b", 20), record("b", 40)] });
  assert.deepEqual(model.logs.map(({ at }) => at), [10, 20, 30, 40]);
});

Deno.test("Model tells its listeners of each change, until they end", () => {
  const model = new Model();
  let changes = 0;
  const unsubscribe = model.subscribe(() => changes++);
  model.replace(EMPTY);
  model.setLink("live");
  assert.equal(changes, 1);
  unsubscribe();
  model.apply({ now: 2000 });
  assert.equal(changes, 1);
});
