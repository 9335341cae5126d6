import { killRegistry } from "../registry/killed_registry.ts";

Deno.test({
  name:
    "a registry that is killed 200 times has all that it acknowledged, and nothing that was removed",
  timeout: 600_000,
  fn: () => killRegistry(200),
});
