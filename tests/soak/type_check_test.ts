import assert from "node:assert/strict";
import { checkTypes } from "../../cli/modules/loading.ts";
import { TemporaryProject } from "../cli/modules/temporary_project.ts";

Deno.test("checkTypes checks a module and its imports, with the runtime where the project has none", async () => {
  await using project = await TemporaryProject.make({
    "deno.json": { imports: { lib: "./lib.ts" } },
    "lib.ts": "export const lib: number = 1;\n",
    "right.ts":
      `import { currentServer } from "@gxensemble/ensemble";\nimport { lib } from "lib";\n` +
      "export const id: string = currentServer().id + lib;\n",
    "wrong.ts": `import { lib } from "lib";\nexport const text: string = lib;\n`,
  });
  await checkTypes(project.path("right.ts"));
  await assert.rejects(checkTypes(project.path("wrong.ts")), (error: Error) => {
    assert.ok(
      error.message.startsWith(`type errors in ${project.path("wrong.ts")}:\nTS2322 `),
    );
    assert.ok(error.message.includes(`at file://${project.path("wrong.ts")}:2:14`), error.message);
    return true;
  });
});
