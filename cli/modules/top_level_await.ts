/**
 * Top-level `await`: whether the evaluation of a module may pause.
 *
 * @module
 */
import type { AnyNode, Node } from "npm:acorn@^8.19.0";

/** Whether a module may pause while it is evaluated; when in doubt, it may. */
export async function mayPause(text: string): Promise<boolean> {
  if (!text.includes("await")) return false;
  const { parse } = await import("npm:acorn@^8.19.0");
  try {
    return awaits(parse(text, { ecmaVersion: "latest", sourceType: "module" }));
  } catch {
    return true;
  }
}

/** Whether a node pauses where it stands: what is in the body of a function below it does not count. */
function awaits(node: Node): boolean {
  const known = node as AnyNode;
  switch (known.type) {
    case "AwaitExpression":
      return true;
    case "ForOfStatement":
      if (known.await) return true;
      break;
    case "VariableDeclaration":
      if (known.kind === "await using") return true;
      break;
    case "FunctionDeclaration":
    case "FunctionExpression":
    case "ArrowFunctionExpression":
      return false;
  }
  return Object.values(node).flat().some((child) =>
    typeof child?.type === "string" && awaits(child)
  );
}
