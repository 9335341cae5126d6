import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readPage } from "../../scripts/pages/page.ts";
import { runPage } from "../../scripts/pages/run_page.ts";
import { EXECUTABLE, TESTED_PROGRAM } from "../tested_program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const pages = [
  "README.md",
  ...Array.from(Deno.readDirSync(`${ROOT}docs`), ({ name }) => `docs/${name}`).sort(),
].filter((path) =>
  path.endsWith(".md") &&
  readPage(Deno.readTextFileSync(ROOT + path)).some(({ kind }) => kind === "command")
);

Deno.test("some pages have commands that are run", () => {
  assert.ok(pages.includes("docs/tutorial.md"));
});

for (const page of pages) {
  Deno.test(`the commands of ${page} print what the page shows`, async () => {
    await runPage(page, {
      gxensemble: TESTED_PROGRAM,
      ...EXECUTABLE && { cache: `${EXECUTABLE}.cache` },
    });
  });
}
