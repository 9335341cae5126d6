import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import configuration from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The result of `deno publish --dry-run`. `deno task check` checks the types. */
async function simulatePublish(): Promise<{ success: boolean; report: string; files: string[] }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--no-check", "--allow-dirty"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const report = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const files = Array.from(
    report.matchAll(/^ {3}(file:.*) \([\d.]+[KM]?B\)$/gm),
    ([, url]) => fileURLToPath(url!).slice(ROOT.length),
  );
  return { success, report, files };
}

Deno.test("the package can be published, and contains only what its users need", async () => {
  const { success, report, files } = await simulatePublish();
  assert.ok(success, report);
  // Deno warns about every import() of a computed specifier, as for shipped code.
  const warnings = Array.from(report.matchAll(/^warning\[(.*?)\].*\n.*--> (.*?):/gm));
  for (const [, warning, file] of warnings) {
    assert.equal(warning, "unanalyzable-dynamic-import", report);
    assert.ok(file!.startsWith(`${ROOT}runtime/code/`), file);
  }

  for (const path of Object.values(configuration.exports)) {
    assert.ok(files.includes(path.replace("./", "")), path);
  }
  const roots = new Set(files.map((file) => file.split("/")[0]));
  assert.deepEqual([...roots].sort(), [
    "LICENSE",
    "README.md",
    "cli",
    "deno.json",
    "mod.ts",
    "observer",
    "registry",
    "runtime",
    "supervisor",
    "testing",
  ]);
});
