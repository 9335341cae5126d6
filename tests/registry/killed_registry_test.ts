import { killRegistry } from "./killed_registry.ts";

// tests/soak does it 200 times.
Deno.test("a registry that is killed has all that it acknowledged, and nothing that was removed", () =>
  killRegistry(4));
