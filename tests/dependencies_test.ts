import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The npm packages that the modules of the project import, with their versions. */
async function importedPackages(): Promise<Map<string, Set<string>>> {
  const packages = new Map<string, Set<string>>();
  for await (const file of sourceFiles(ROOT)) {
    const text = await Deno.readTextFile(file);
    for (
      const [, name, version] of text.matchAll(
        /(?:from |import |import\()"npm:((?:@[^/"]+\/)?[^/@"]+)(@[^/"]+)?/g,
      )
    ) {
      packages.set(name!, (packages.get(name!) ?? new Set()).add(version ?? "no version"));
    }
  }
  return packages;
}

async function* sourceFiles(directory: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    if (entry.isDirectory && entry.name !== "tests") yield* sourceFiles(path);
    else if (entry.name.endsWith(".ts")) yield path;
  }
}

Deno.test("every npm package is imported in one version, and listed in the README", async () => {
  const readme = await Deno.readTextFile(`${ROOT}/README.md`);
  const packages = await importedPackages();
  assert.ok(packages.has("@logtape/logtape"), "found none");
  for (const [name, versions] of packages) {
    assert.equal(versions.size, 1, `${name}: ${[...versions].join(" and ")}`);
    assert.ok(readme.includes(`\`npm:${name}\``), `${name} is not in the README's table`);
  }
});
