/**
 * The cycles of a graph.
 *
 * @module
 */

/**
 * The strongly connected components of what is reachable from `roots`: each is one node, or the nodes
 * of a cycle. A component comes after those that it leads to, and starts with the node by which it was
 * reached; the others follow as they are visited.
 *
 * @see Tarjan, "Depth-first search and linear graph algorithms", 1972
 */
export function strongComponents<Node>(
  roots: Iterable<Node>,
  successors: (node: Node) => Node[],
): Node[][] {
  const components: Node[][] = [];
  const indices = new Map<Node, number>();
  const lowest = new Map<Node, number>();
  const stack: Node[] = [];
  const onStack = new Set<Node>();
  // The path from the root, with what is left to visit: the depth of a graph is its author's to choose.
  const path: { node: Node; rest: Node[] }[] = [];

  const enter = (node: Node): void => {
    indices.set(node, indices.size);
    lowest.set(node, indices.get(node)!);
    stack.push(node);
    onStack.add(node);
    path.push({ node, rest: successors(node).toReversed() });
  };
  const lower = (node: Node, index: number): void => {
    lowest.set(node, Math.min(lowest.get(node)!, index));
  };
  const leave = (node: Node): void => {
    path.pop();
    const parent = path.at(-1);
    if (parent) lower(parent.node, lowest.get(node)!);
    if (lowest.get(node) !== indices.get(node)) return;
    const component = stack.splice(stack.lastIndexOf(node));
    for (const member of component) onStack.delete(member);
    components.push(component);
  };

  for (const root of roots) {
    if (indices.has(root)) continue;
    enter(root);
    for (let top = path.at(-1); top; top = path.at(-1)) {
      const next = top.rest.pop();
      if (next === undefined) leave(top.node);
      else if (!indices.has(next)) enter(next);
      else if (onStack.has(next)) lower(top.node, indices.get(next)!);
    }
  }
  return components;
}
