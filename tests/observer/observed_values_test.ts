import assert from "node:assert/strict";
import {
  observedEntry,
  observedRecord,
  observedTree,
  shown,
} from "../../observer/observed_values.ts";
import { hasControls } from "../../runtime/safe_text.ts";
import type { ObservedTree } from "../../observer/page/page_protocol.ts";
import type { ActorInfo } from "../../runtime/actor/introspection.ts";

/** What a hostile server may have as its texts. */
const HOSTILE = "<img src=x onerror=alert(1)>\u001b[31m\u202ertl\u200b\n\u0000";

/** The texts of a value, names of properties included, that have control characters. */
function unsafe(value: unknown): string[] {
  if (typeof value === "string") return hasControls(value) ? [value] : [];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flat().flatMap(unsafe);
}

Deno.test("observedEntry makes every text of a server safe to show, and limits their number", () => {
  const entry = observedEntry({
    id: "a",
    instance: new Uint8Array(32),
    addresses: [{ kind: "unix", host: HOSTILE, path: `/${HOSTILE}` }],
    roles: Array.from({ length: 1_000 }, () => HOSTILE),
    groups: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`${HOSTILE}${i}`, i])),
    host: HOSTILE.repeat(1_000),
    version: HOSTILE,
    state: "up",
    revision: 1,
  });
  assert.deepEqual(unsafe(entry), []);
  assert.match(entry.roles[0]!, /^<img .*\\u001b\[31m\\u202ertl\\u200b\\n\\u0000$/);
  assert.deepEqual([entry.roles.length, Object.keys(entry.groups).length], [100, 100]);
  assert.ok(entry.host!.length < 3_000);
});

Deno.test("observedRecord keeps line breaks only in details", () => {
  const record = observedRecord("a", {
    sequence: 1,
    at: 1,
    level: "error",
    category: HOSTILE,
    message: HOSTILE,
    fields: ` name=${HOSTILE}`,
    errors: "  Error: one\n  at two",
    properties: "{}",
  });
  assert.deepEqual(unsafe({ ...record, details: "" }), []);
  assert.match(record.details!, /Error: one\n {2}at two/);
  assert.deepEqual(unsafe(record.details!.replaceAll("\n", "")), []);
});

Deno.test("shown shortens a text, and not between the halves of a character", () => {
  assert.ok(shown("x".repeat(10_000)).length <= 300);
  assert.ok(shown("\u{1f600}".repeat(10_000)).isWellFormed());
});

function actor(serial: number, more: Partial<ActorInfo> = {}): ActorInfo {
  return {
    serial,
    group: "root",
    state: "receiving",
    mailbox: 0,
    handled: 0,
    age: 1,
    ...more,
  };
}

const child = (supervisor: number) => ({ child: { supervisor, id: "c", restarts: 2 } });

Deno.test("observedTree puts actors below their supervisors, whatever a server says of them", () => {
  const { tree, isCut } = observedTree([
    actor(1, { name: "top" }),
    actor(2, child(1)),
    actor(3, child(2)),
    // These would be below themselves, and below an actor that does not exist.
    actor(4, child(4)),
    actor(5, child(99)),
  ], 100);
  assert.equal(isCut, false);
  const shape = (nodes: readonly ObservedTree[]): unknown =>
    nodes.map(({ serial, children }) => [serial, shape(children)]);
  assert.deepEqual(shape(tree), [[5, []], [1, [[2, [[3, []]]]]]]);
  assert.equal(tree[1]!.children[0]!.restarts, 2);
});

Deno.test("observedTree is cut after a number of actors", () => {
  const deep = Array.from({ length: 5_000 }, (_, i) => actor(i + 1, i > 0 ? child(i) : {}));
  const { tree, isCut } = observedTree(deep, 2_000);
  assert.equal(isCut, true);
  let depth = 0;
  for (let nodes = tree; nodes.length > 0; nodes = [...nodes[0]!.children]) depth++;
  assert.equal(depth, 2_000);
  assert.ok(JSON.stringify(tree).length < 1_000_000);
});
