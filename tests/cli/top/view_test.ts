import assert from "node:assert/strict";
import stringWidth from "npm:fast-string-width@^3.0.2";
import type { ServerReport } from "../../../cli/kit/server_reports.ts";
import type { Feed } from "../../../cli/top/feed.ts";
import { type Action, View, type ViewOptions } from "../../../cli/top/view.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import type { BusyActor } from "../../../runtime/observation/busiest_protocol.ts";
import { statusOf } from "../server_states.ts";

type Shown = Pick<Feed, "reports" | "busiest" | "registryError" | "isListed">;

/** Begins the selected line. */
const MARK = "\x1b[7m";

const SIZE = { columns: 80, rows: 12 };

/** A view of servers `s1` to `s<count>`, of which `s2` does not answer, and a user. */
function viewOf(count: number, options: Partial<ViewOptions> = {}) {
  const feed: { -readonly [Part in keyof Shown]: Shown[Part] } = {
    reports: Array.from({ length: count }, (_, index): ServerReport => {
      const id = `s${index + 1}`;
      if (id === "s2") return { id, error: new EnsembleError("away: s2") };
      return { id, status: statusOf(id, { cpu: index / 100 }) };
    }),
    busiest: undefined,
    registryError: undefined,
    isListed: true,
  };
  const view = new View(feed, {
    order: "trouble",
    actorOrder: "mailbox",
    opened: undefined,
    interval: 2_000,
    colors: false,
    ...options,
  });
  const lines = (size = SIZE) => view.render(size);
  return {
    feed,
    view,
    lines,
    /** Types keys, and draws after each. */
    type(...keys: string[]): Action[] {
      return keys.map((key) => {
        const isText = key.length === 1;
        const action = view.take(isText ? { kind: "text", text: key } : { kind: "key", key });
        lines();
        return action;
      });
    },
    /** The names in the list, and the selected one. */
    list(size = SIZE) {
      const rows = lines(size).filter((line) => /^s\d+ /.test(line.replace(MARK, "")));
      const names = rows.map((row) => /s\d+/.exec(row)![0]);
      const selected = rows.findIndex((row) => row.startsWith(MARK));
      return { names, selected: names[selected] };
    },
  };
}

function actorOf(serial: number, name: string, mailbox = 0): BusyActor {
  return { serial, name, group: "root", state: "receiving", mailbox, handled: 7 };
}

Deno.test("the list of servers begins with the worst, and keys move, sort and reverse", () => {
  const { lines, list, type } = viewOf(5);
  assert.deepEqual(list(), { names: ["s2", "s1", "s3", "s4", "s5"], selected: "s2" });
  assert.match(lines()[0]!, /every 2 s {2}5 servers: 1 no answer, 4 up; /);
  assert.match(lines()[2]!.replace(MARK, ""), /^s2 +no answer /);
  assert.equal(lines().at(-2), "away: s2", "why the selected one does not answer");
  type("down", "j");
  assert.equal(list().selected, "s3");
  assert.equal(lines().at(-2), "");
  type("s", "s");
  assert.deepEqual(list(), { names: ["s5", "s4", "s3", "s1", "s2"], selected: "s3" });
  assert.match(lines().at(-1)!, /s order: cpu {3}/);
  type("r");
  assert.deepEqual(list().names, ["s2", "s1", "s3", "s4", "s5"]);
  type("G");
  assert.equal(list().selected, "s5");
  type("home", "up");
  assert.equal(list().selected, "s2");
  type("S", "S", "S");
  assert.match(lines().at(-1)!, /s order: uptime reversed/);
});

Deno.test("the selected server stays in sight in a long list, and when the list changes", () => {
  const { feed, list, type } = viewOf(30);
  type("page-down", "page-down");
  const { names, selected } = list();
  assert.ok(selected !== undefined && names.length === 9, `${names}`);
  type("end");
  assert.equal(list().selected, "s9");
  feed.reports = feed.reports.filter(({ id }) => id !== "s9");
  assert.equal(list().selected, "s8", "the next one");
  feed.reports = [];
  assert.deepEqual(list(), { names: [], selected: undefined });
  assert.deepEqual(type("enter", "down", "up"), [undefined, undefined, undefined]);
});

Deno.test("enter opens a server, whose actors are sorted and filtered, and escape goes back", () => {
  const { feed, view, lines, list, type } = viewOf(5);
  type("down");
  assert.deepEqual(type("enter"), ["opened"]);
  assert.deepEqual(view.opened, { id: "s1", sort: "mailbox", limit: 200 });
  feed.busiest = {
    id: "s1",
    found: { now: 0, actors: 300, busiest: [actorOf(1, "jobs", 12_345), actorOf(2, "echo")] },
  };
  const drawn = lines().join("\n");
  assert.match(drawn, /s1\nup \(web\), pid 12 on myhost, /);
  assert.match(drawn, /the busiest 2 of 300 actors/);
  assert.match(drawn, /jobs +receiving +12,345 /);
  assert.deepEqual(type("s"), ["opened"]);
  assert.equal(view.opened?.sort, "handled");
  type("/", "e", "c");
  assert.equal(view.opened?.limit, 1_000);
  assert.doesNotMatch(lines().join("\n"), /jobs/);
  assert.match(lines().at(-1)!, /^\/ec_/);
  type("x", "backspace", "enter");
  assert.match(lines().at(-1)!, /filter: ec/);
  type("escape");
  assert.match(lines().join("\n"), /jobs/);
  feed.reports = [{ id: "s1", error: new EnsembleError("s1 has gone\x1b[2J") }];
  assert.match(lines().join("\n"), /s1 has gone\\u001b\[2J/);
  assert.deepEqual(type("left"), ["interval"]);
  assert.equal(view.opened, undefined);
  assert.equal(list().selected, "s1");
});

Deno.test("keys pause, change the interval, quit, suspend, and show the help", () => {
  const { view, lines, type } = viewOf(3);
  assert.deepEqual(type(" "), [undefined]);
  assert.ok(view.isPaused && /paused/.test(lines()[0]!));
  assert.deepEqual(type(" ", "+", "+", "+"), ["interval", "interval", "interval", "interval"]);
  assert.equal(view.interval, 500);
  type("-", "-", "-", "-", "-", "-", "-", "-");
  assert.equal(view.interval, 60_000);
  assert.deepEqual(type("ctrl-z", "ctrl-l", "ctrl-c"), ["suspend", "redraw", "quit"]);
  type("?");
  assert.match(lines().join("\n"), /enter, right +open a server/);
  assert.deepEqual(type("q", "q"), [undefined, "quit"]);
  assert.deepEqual(viewOf(3).type("/", "q", "ctrl-c"), [undefined, "opened", "quit"]);
});

Deno.test("a view says what is wrong with the registry, and that nothing is known yet", () => {
  const { feed, lines } = viewOf(2);
  feed.registryError = "it is away";
  assert.equal(lines()[1], "the registry: it is away");
  Object.assign(feed, { reports: [], isListed: false, registryError: undefined });
  assert.match(lines()[0]!, /asking the registry/);
});

Deno.test("a narrow view says how to quit, and its help can be moved", () => {
  const { view, lines, type } = viewOf(3);
  const narrow = { columns: 40, rows: 12 };
  assert.match(lines({ columns: 80, rows: 12 }).at(-1)!, /^enter open .* space pause .* q quit$/);
  assert.equal(lines(narrow).at(-1), "enter open   / filter   ? help   q quit");
  assert.equal(lines({ columns: 20, rows: 12 }).at(-1), "? help   q quit");
  type("/", "s", "enter");
  assert.equal(lines(narrow).at(-1), "enter open   filter: s   ? help   q quit");
  type("?");
  assert.match(lines()[1]!, /^up, down, j, k +move +enter, right +open a server: its actors$/);
  const seen = new Set<string>();
  for (let row = 0; row < 40; row++) {
    lines(narrow).slice(1, -1).forEach((line) => seen.add(line));
    view.take({ kind: "text", text: "j" });
  }
  assert.ok(seen.has("q, ctrl-c          quit"), [...seen].join("\n"));
  assert.ok(seen.has("          last minute"), [...seen].join("\n"));
  assert.match([...seen].at(-1)!, /mailboxes$/);
  // It does not move what is below it.
  type("?");
  assert.ok(lines(narrow)[2]!.startsWith(`${MARK}s`));
});

Deno.test("a view fits any size of the terminal", () => {
  const { feed, view, type } = viewOf(40);
  feed.busiest = { id: "s1", error: "e".repeat(300) };
  const fits = () => {
    for (const columns of [1, 2, 10, 40, 80, 200]) {
      for (const rows of [1, 2, 3, 5, 8, 24, 100]) {
        const lines = view.render({ columns, rows });
        assert.ok(lines.length <= Math.max(rows, 3), `${lines.length} of ${rows}`);
        for (const line of lines) {
          // deno-lint-ignore no-control-regex -- control sequences are what has to be found
          const plain = line.replaceAll(/\x1b\[\d*m/g, "");
          assert.ok(stringWidth(plain) <= columns, `${plain} in ${columns}`);
        }
      }
    }
  };
  fits();
  type("?");
  fits();
  type("?", "down", "enter");
  fits();
  type("/", "x");
  fits();
});
