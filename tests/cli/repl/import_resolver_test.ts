import assert from "node:assert/strict";
import { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { TemporaryProject } from "../modules/temporary_project.ts";

Deno.test("an import resolves to a module by id or path, or to a library", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": { imports: { "mapped": "npm:mapped@1", "~/": "./src/" } },
    "sub/empty.ts": "",
  });
  const resolver = await ImportResolver.open(project.path("sub"), ["my", "./installed.ts"]);
  const cases: [specifier: string, target: unknown][] = [
    ["./a.ts", { kind: "module", specifier: "./a.ts", ids: ["sub/a.ts"] }],
    [project.path("a.ts"), { kind: "module", specifier: project.path("a.ts"), ids: ["a.ts"] }],
    ["~/a.ts", { kind: "module", specifier: "~/a.ts", ids: ["src/a.ts"] }],
    ["sub/a.ts", { kind: "module", specifier: "sub/a.ts", ids: ["sub/a.ts", "sub/sub/a.ts"] }],
    ["node:path", { kind: "library", specifier: "node:path" }],
    ["mapped", { kind: "library", specifier: "npm:mapped@1" }],
    ["my/router", { kind: "library", specifier: "my/router" }],
    ["./installed.ts", { kind: "library", specifier: "./installed.ts" }],
    ["@gxensemble/ensemble", { kind: "library", specifier: "@gxensemble/ensemble" }],
  ];
  for (const [specifier, target] of cases) {
    assert.deepEqual(await resolver.resolve(specifier), target, specifier);
  }
  assert.deepEqual(await resolver.resolve("npm:data@1", { type: "json" }), {
    kind: "library",
    specifier: "npm:data@1",
    attributes: { type: "json" },
  });
});
