import assert from "node:assert/strict";
import {
  count,
  counted,
  duration,
  milliseconds,
  share,
  short,
  size,
} from "../../../observer/page/formatting.ts";
import {
  groupLink,
  parseRoute,
  serverLink,
  TABS,
  viewLink,
  VIEWS,
} from "../../../observer/page/routes.ts";

Deno.test("figures have at most one digit after the point, and a dash if they are missing", () => {
  assert.deepEqual([0, 0.04, 0.44, 12, 123.4, 1234, 999_499, 4.56e6].map(short), [
    "0",
    "0.0",
    "0.4",
    "12",
    "123",
    "1.2k",
    "999k",
    "4.6M",
  ]);
  assert.deepEqual([0, 812, 999.7, 3400, 91_234_567, 24.7e9].map(size), [
    "0 B",
    "812 B",
    "1.0 kB",
    "3.4 kB",
    "91.2 MB",
    "24.7 GB",
  ]);
  assert.deepEqual([0.4, 87.53, 999, 1234].map(milliseconds), [
    "0.4 ms",
    "87.5 ms",
    "999 ms",
    "1.2 s",
  ]);
  assert.deepEqual([0.0645, 3.06].map(share), ["6.5%", "306%"]);
  assert.equal(count(12345), "12,345");
  assert.deepEqual([1, 2].map((value) => counted(value, "server")), ["1 server", "2 servers"]);
  for (const format of [count, short, size, share, milliseconds, duration]) {
    assert.equal(format(undefined), "–");
  }
});

Deno.test("duration has the two greatest units", () => {
  const [second, minute, hour, day] = [1000, 60_000, 3_600_000, 86_400_000];
  const durations = [0, 59 * second, 61 * second, 61 * minute, 49 * hour, 8 * day + minute];
  assert.deepEqual(durations.map(duration), [
    "0 s",
    "59 s",
    "1 min 1 s",
    "1 h 1 min",
    "2 d 1 h",
    "8 d 0 h",
  ]);
});

Deno.test("parseRoute reads the links of all views, and takes an unknown one as the overview", () => {
  for (const view of VIEWS) assert.deepEqual(parseRoute(viewLink(view)), { view, name: undefined });
  const name = "a/b #1";
  for (const tab of TABS) {
    assert.deepEqual(parseRoute(serverLink(name, tab)), { view: "server", name, tab });
  }
  assert.deepEqual(parseRoute(groupLink(name)), { view: "groups", name });
  for (const unknown of ["", "#", "#/nowhere", "#/%E0%A4%A"]) {
    assert.equal(parseRoute(unknown).view, "overview");
  }
});
