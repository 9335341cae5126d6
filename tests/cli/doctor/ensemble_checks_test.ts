import assert from "node:assert/strict";
import { judgeServers } from "../../../cli/doctor/ensemble_checks.ts";
import type { ServerReport } from "../../../cli/kit/server_reports.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import type { ServerStatus } from "../../../runtime/observation/status_protocol.ts";

const FLOW = { messages: 0, bytes: 0, messagesPerSecond: 0, bytesPerSecond: 0 };

/** The report of a server to which nothing has happened, but for `changes`. */
function reportOf(id: string, changes: Partial<ServerStatus> = {}, offset = 0): ServerReport {
  const status: ServerStatus = {
    id,
    pid: 1,
    host: "host1",
    version: "1.0.0",
    deno: "2.9.6",
    v8: "15.0",
    startedAt: 0,
    now: 3_600_000,
    state: "up",
    roles: ["web"],
    memory: { rss: 1, heapUsed: 1, heapTotal: 1, external: 1 },
    systemMemory: { total: 100, available: 50 },
    cpu: 0,
    eventLoopDelay: { p50: 0, p99: 1, max: 2 },
    actors: 3,
    longestMailboxes: [],
    connections: 1,
    received: FLOW,
    sent: FLOW,
    handled: { messages: 0, messagesPerSecond: 0 },
    pendingAsks: 0,
    restarts: 0,
    loads: { count: 0, last: [] },
    openFiles: { count: 10, limit: 1000 },
    ...changes,
  };
  return { id, status, clock: { offset, error: 2 } };
}

/** What is wrong with servers: severity, check and message. */
function wrongWith(...reports: ServerReport[]): string[] {
  return judgeServers(reports).filter(({ severity }) => severity !== "ok")
    .map(({ severity, check, message }) => `${severity} ${check}: ${message}`);
}

Deno.test("judgeServers finds nothing wrong with healthy servers", () => {
  assert.deepEqual(wrongWith(reportOf("a"), reportOf("b")), []);
});

Deno.test("judgeServers finds servers that do not answer, and those that refuse", () => {
  const error = new EnsembleError("b is unreachable: its lease in the registry has run out");
  const refusal = new EnsembleError("no", { code: "NOT_AUTHORIZED" });
  assert.deepEqual(wrongWith(reportOf("a"), { id: "b", error }, { id: "c", error: refusal }), [
    "failure server b: b is unreachable: its lease in the registry has run out",
    "skipped servers: 1 of 3 tell their state only to an administrator: run this where admin.priv is",
  ]);
});

Deno.test("judgeServers finds clocks that differ by more than the measurement may be wrong", () => {
  assert.deepEqual(wrongWith(reportOf("a"), reportOf("b", { host: "host2" }, 1_001)), []);
  assert.deepEqual(
    wrongWith(
      reportOf("a"),
      reportOf("b", { host: "host2" }, 2_500),
      reportOf("c", { host: "host3" }, -90_000),
    ),
    [
      "warning clocks: host2's clock is 2.5 s ahead of this host's",
      "failure clocks: host3's clock is 90 s behind this host's",
    ],
  );
});

Deno.test("judgeServers finds different versions of the runtime", () => {
  assert.deepEqual(
    wrongWith(reportOf("a"), reportOf("b"), reportOf("c", { version: "0.9.0" })),
    ["warning versions: servers run different versions of gxensemble: 1.0.0 (a, b), 0.9.0 (c)"],
  );
});

Deno.test("judgeServers finds different versions of loaded code in servers of a role", () => {
  const loaded = (hash: string, current = true) => ({
    loads: {
      count: 1,
      last: [{ module: "price.ts", hash, at: 0, by: "me@here", current }],
    },
  });
  const one = loaded("aaaaaaaaaaaaaaaa");
  assert.deepEqual(wrongWith(reportOf("a", one), reportOf("b", one)), []);
  assert.deepEqual(
    wrongWith(reportOf("a", one), reportOf("b", loaded("bbbbbbbbbbbbbbbb")), reportOf("c")),
    [
      "warning loaded code: servers of the role web have different versions of price.ts: " +
      "aaaaaaaaaa (a), bbbbbbbbbb (b), not loaded (c)",
    ],
  );
  const other = { roles: ["db"], ...loaded("bbbbbbbbbbbbbbbb") };
  assert.deepEqual(wrongWith(reportOf("a", one), reportOf("b", other)), []);
});

const TROUBLES: [what: string, changes: Partial<ServerStatus>, message: RegExp][] = [
  ["a late event loop", { eventLoopDelay: { p50: 1, p99: 250, max: 300 } }, /late by 250 ms/],
  ["a long mailbox", { longestMailboxes: [{ actor: "w", length: 1_000 }] }, /1,000 messages wait/],
  ["a long start", { state: "starting" }, /has been starting since 1970-01-01T00:00:00/],
  ["draining", { state: "draining" }, /is draining/],
  ["an old certificate", { certificateEnd: 1 }, /ended at 1970/],
  ["many open files", { openFiles: { count: 900, limit: 1000 } }, /900 of 1000/],
  ["little memory", { systemMemory: { total: 100, available: 4 } }, /^4\.0% of the memory/],
];

for (const [what, changes, message] of TROUBLES) {
  Deno.test(`judgeServers finds ${what}`, () => {
    const [finding, ...others] = judgeServers([reportOf("a", changes)])
      .filter(({ severity }) => severity !== "ok");
    assert.deepEqual(others, []);
    assert.match(finding!.message, message);
    assert.ok(finding!.remedy);
  });
}
