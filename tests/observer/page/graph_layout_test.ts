import assert from "node:assert/strict";
import { layOut, type Node } from "../../../observer/page/graph_layout.ts";
import { observedServer } from "./observed_server.ts";

/** Servers on some hosts, in turn. */
function serversOn(hosts: number, count: number) {
  return Array.from(
    { length: count },
    (_, index) =>
      observedServer(`s${index}`, {
        host: `host${index % hosts}`,
        roles: [["web", "job", "mail"][index % 3]!],
      }),
  );
}

function distance(a: Pick<Node, "x" | "y">, b: Pick<Node, "x" | "y">): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

Deno.test("layOut places servers apart, inside of their hosts, which do not overlap", () => {
  for (const [hosts, count] of [[1, 1], [1, 2], [2, 9], [1, 25], [10, 200], [1, 200]] as const) {
    const { nodes, nodeRadius, hosts: circles, width, height } = layOut(
      serversOn(hosts, count),
      1.6,
    );
    const what = `${count} servers on ${hosts} hosts`;
    assert.equal(nodes.size, count, what);
    assert.equal(circles.length, hosts, what);
    const all = [...nodes.values()];
    for (const [index, node] of all.entries()) {
      assert.ok(distance(node, node.host) + nodeRadius < node.host.radius, what);
      for (const other of all.slice(index + 1)) {
        assert.ok(distance(node, other) > 2 * nodeRadius, `${what}: ${distance(node, other)}`);
      }
    }
    for (const [index, circle] of circles.entries()) {
      assert.ok(circle.x - circle.radius >= 0 && circle.x + circle.radius <= width, what);
      assert.ok(circle.y - circle.radius >= 0 && circle.y + circle.radius <= height, what);
      for (const other of circles.slice(index + 1)) {
        assert.ok(distance(circle, other) >= circle.radius + other.radius, what);
      }
    }
  }
});

Deno.test("layOut leaves servers where they are when their figures and states change", () => {
  const servers = serversOn(3, 12);
  const changed = servers.map((server) => ({ ...server, state: "draining" as const }));
  const places = (those: typeof servers) =>
    [...layOut(those, 1.6).nodes.values()].map(({ x, y }) => [x, y]);
  assert.deepEqual(places(changed.toReversed()), places(servers));
});
