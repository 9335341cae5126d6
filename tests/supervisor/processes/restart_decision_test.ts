import assert from "node:assert/strict";
import {
  decideRestart,
  NO_RESTARTS,
  type RestartHistory,
} from "../../../supervisor/processes/restart_decision.ts";
import type { ProcessEnd } from "../../../supervisor/processes/server_report.ts";

const RESTART = {
  policy: "permanent" as "permanent" | "transient" | "temporary",
  backoff: { min: 1_000, max: 30_000, factor: 2 },
  intensity: { restarts: 5, within: 60_000 },
  resetAfter: 60_000,
};

function decide(
  end: ProcessEnd,
  { policy = RESTART.policy, history = NO_RESTARTS, upFor = 0 } = {},
): ReturnType<typeof decideRestart> {
  return decideRestart({ ...RESTART, policy }, { end, upFor, history, finalCodes: [2] });
}

Deno.test("decideRestart follows the policy", () => {
  const ends: Record<string, ProcessEnd> = {
    well: { at: 0, code: 0 },
    badly: { at: 0, code: 1 },
    killed: { at: 0, signal: "SIGKILL" },
    unknown: { at: 0 },
    unhealthy: { at: 0, code: 0, reason: "3 health checks failed: no answer" },
    final: { at: 0, code: 2 },
  };
  const decisions = (policy: typeof RESTART.policy) =>
    Object.entries(ends).map(([name, end]) => `${name}: ${decide(end, { policy }).next}`);
  assert.deepEqual(decisions("permanent"), [
    ...["well: restart", "badly: restart", "killed: restart", "unknown: restart"],
    ...["unhealthy: restart", "final: failed"],
  ]);
  assert.deepEqual(decisions("transient"), [
    ...["well: stopped", "badly: restart", "killed: restart", "unknown: restart"],
    ...["unhealthy: restart", "final: failed"],
  ]);
  assert.deepEqual(decisions("temporary"), [
    ...["well: stopped", "badly: failed", "killed: failed", "unknown: failed"],
    ...["unhealthy: failed", "final: failed"],
  ]);
});

/** The delays of ends that follow each other at once, in ms. */
function delays(count: number, pause: number): number[] {
  let history: RestartHistory = NO_RESTARTS;
  let at = 0;
  return Array.from({ length: count }, () => {
    const decision = decide({ at, code: 1 }, { history });
    assert.equal(decision.next, "restart");
    const delay = decision.at - at;
    ({ history } = decision);
    at = decision.at + pause;
    return delay;
  });
}

Deno.test("decideRestart lets delays grow up to the maximum", () => {
  assert.deepEqual(delays(8, 30_000), [
    ...[1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000],
  ]);
});

Deno.test("decideRestart begins with the first delay again after a long time up", () => {
  const history = { total: 9, inRow: 4, recent: [] };
  const soon = decide({ at: 0, code: 1 }, { history, upFor: 59_999 });
  assert.ok(soon.next === "restart" && soon.at === 16_000);
  const late = decide({ at: 0, code: 1 }, { history, upFor: 60_000 });
  assert.ok(late.next === "restart" && late.at === 1_000);
  assert.deepEqual(late.history, { total: 10, inRow: 1, recent: [0] });
});

Deno.test("decideRestart ends a crash loop, and forgets ends of long ago", () => {
  const recent = [1, 2, 3, 4, 5];
  const history = { total: 5, inRow: 5, recent };
  assert.deepEqual(decide({ at: 60_000, signal: "SIGSEGV" }, { history }), {
    next: "failed",
    reason: "crash loop: it ended 6 times within 60 s; last: killed by SIGSEGV",
  });
  const later = decide({ at: 60_001, code: 1 }, { history });
  assert.ok(later.next === "restart");
  assert.deepEqual(later.history.recent, [2, 3, 4, 5, 60_001]);
});

Deno.test("decideRestart does not count ends in the future after the clock was set back", () => {
  const history = { total: 5, inRow: 5, recent: [90_001, 90_002, 90_003, 90_004, 90_005] };
  assert.equal(decide({ at: 10, code: 1 }, { history }).next, "restart");
});
