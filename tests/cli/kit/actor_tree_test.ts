import assert from "node:assert/strict";
import { formatTree, treeOf, treeToJson } from "../../../cli/kit/actor_tree.ts";
import type { ActorInfo } from "../../../runtime/actor/introspection.ts";

function actor(serial: number, name?: string, supervisor?: number, restarts = 0): ActorInfo {
  return {
    serial,
    ...name !== undefined && { name },
    group: "root",
    state: restarts > 1 ? "restarting" : "receiving",
    mailbox: 0,
    handled: 0,
    age: 0,
    ...supervisor !== undefined && {
      child: { supervisor, id: name ?? `session-${serial}`, restarts },
    },
  };
}

Deno.test("formatTree shows actors below their supervisors", () => {
  const tree = treeOf([
    actor(2, "top"),
    actor(3, "server"),
    actor(4, "a", 2),
    actor(5, undefined, 2),
    actor(6, "below", 2, 1),
    actor(7, "b", 6, 2),
    actor(8, "c", 6),
  ]);
  assert.deepEqual(formatTree(tree), [
    "server",
    "top",
    "├─ a",
    "├─ 5 (session-5)",
    "└─ below, 1 restart",
    "   ├─ b, restarting, 2 restarts",
    "   └─ c",
  ]);
  const json = treeToJson(tree[1]!) as { children: { id: string; children: unknown[] }[] };
  assert.deepEqual(json.children.map(({ id, children }) => [id, children.length]), [
    ["a", 0],
    ["session-5", 0],
    ["below", 2],
  ]);
});

Deno.test("treeOf shows each actor once at most, whatever a server says", () => {
  const lost = treeOf([actor(3, "a", 99), actor(4, "b", 4), actor(5, "c", 6), actor(6, "d", 5)]);
  assert.deepEqual(formatTree(lost), ["a"]);
});
