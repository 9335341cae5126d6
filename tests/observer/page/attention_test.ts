import assert from "node:assert/strict";
import { concerns } from "../../../observer/page/attention.ts";
import type { ObservedStatus } from "../../../observer/page/page_protocol.ts";
import { halfDone, moduleVersions } from "../../../observer/page/versions.ts";
import { observedServer } from "./observed_server.ts";

const DAY = 24 * 3_600_000;

function status(some: Partial<ObservedStatus>): ObservedStatus {
  return { at: 0, ...some };
}

Deno.test("concerns lists what to look at, the worst first", () => {
  const servers = [
    observedServer("calm", { status: status({ longestMailboxes: [{ actor: "x", length: 3 }] }) }),
    observedServer("drained", { state: "draining" }),
    observedServer("full", {
      status: status({ longestMailboxes: [{ actor: "jobs", length: 2500 }] }),
    }),
    observedServer("late", { status: status({ eventLoopDelay: { p50: 1, p99: 900, max: 950 } }) }),
    observedServer("lost", { state: "unreachable", error: "the connection ended" }),
    observedServer("old", { status: status({ certificateEnd: 3 * DAY }) }),
    observedServer("ended", { status: status({ certificateEnd: -1 }) }),
    observedServer("one", { modules: [{ module: "m.ts", hash: "1", at: 1 }] }),
    observedServer("two", { modules: [{ module: "m.ts", hash: "2", at: 2 }] }),
  ];
  assert.deepEqual(concerns(servers, 0).map(({ server, text }) => `${server?.id}: ${text}`), [
    "lost: is unreachable",
    "ended: certificate has ended",
    "late: event loop is 900 ms late",
    "full: 2,500 messages wait for jobs",
    "old: certificate ends in 3 d 0 h",
    "drained: is draining",
    "undefined: m.ts runs in 2 versions",
  ]);
});

Deno.test("moduleVersions tells which servers run which version, the newest first", () => {
  const servers = [
    observedServer("a", { modules: [{ module: "m.ts", hash: "old", at: 1 }] }),
    observedServer("b", {
      modules: [{ module: "l.ts", hash: "same", at: 1 }, { module: "m.ts", hash: "new", at: 5 }],
    }),
    observedServer("c", { modules: [{ module: "m.ts", hash: "old", at: 2 }] }),
    observedServer("d", { state: "gone", modules: [{ module: "l.ts", hash: "lost", at: 1 }] }),
  ];
  const shown = moduleVersions(servers).map(({ module, versions }) => [
    module,
    versions.map(({ hash, servers, at }) => [hash, servers.map(({ id }) => id), at]),
  ]);
  assert.deepEqual(shown, [
    ["l.ts", [["same", ["b"], 1]]],
    ["m.ts", [["new", ["b"], 5], ["old", ["a", "c"], 2]]],
  ]);
  assert.deepEqual(halfDone(servers).map(({ module }) => module), ["m.ts"]);
});
