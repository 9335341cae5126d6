import assert from "node:assert/strict";
import { LockFile } from "../../../cli/modules/npm_packages.ts";
import { build, TemporaryProject } from "./temporary_project.ts";

const SPECIFIERS = {
  "npm:ms@2": "2.1.2",
  "npm:@scope/zero@~0.3.1": "0.3.4",
  "npm:peered@^1.2.0": "1.2.5_react@18.2.0__scheduler@0.23.0",
  "npm:two@1": "1.9.0",
  "npm:two@^2.1.0": "2.1.7",
  "jsr:@std/path@1": "1.0.8",
  "npm:tagged@latest": "5.0.0",
};

Deno.test("LockFile returns the locked version for a range in any notation", async () => {
  await using project = await TemporaryProject.make({
    "deno.lock": { version: "5", specifiers: SPECIFIERS },
  });
  const lockFile = await LockFile.read(project.directory, undefined);
  const cases: [specifier: string, locked: string][] = [
    ["npm:ms@^2.0.0", "npm:ms@2.1.2"],
    ["npm:ms@2/index.js", "npm:ms@2.1.2/index.js"],
    ["npm:ms@^2.1.0", "npm:ms@^2.1.0"],
    ["npm:ms", "npm:ms"],
    ["npm:/@scope/zero@^0.3.1/sub", "npm:@scope/zero@0.3.4/sub"],
    ["npm:peered@^1.2.0", "npm:peered@1.2.5"],
    ["npm:two@^1", "npm:two@1.9.0"],
    ["npm:two@^2.1.0", "npm:two@2.1.7"],
    ["jsr:@std/path@^1/posix", "jsr:@std/path@1.0.8/posix"],
    ["npm:tagged@latest", "npm:tagged@5.0.0"],
    ["node:fs", "node:fs"],
    ["https://x.y/ms@2", "https://x.y/ms@2"],
  ];
  for (const [specifier, locked] of cases) assert.equal(lockFile!.locked(specifier), locked);
});

Deno.test("a program imports the versions in the lock file that its configuration names", async () => {
  await using project = await TemporaryProject.make({
    "main.ts": `import ms from "ms"; ms;\n`,
    "deno.lock": { version: "5", specifiers: SPECIFIERS },
    "other.lock": { version: "5", specifiers: { "npm:ms@2": "2.0.0" } },
  });
  const imports = { ms: "npm:ms@^2.0.0" };
  const cases: [lock: unknown, specifier: string][] = [
    [undefined, "npm:ms@2.1.2"],
    [true, "npm:ms@2.1.2"],
    [false, "npm:ms@^2.0.0"],
    ["./other.lock", "npm:ms@2.0.0"],
    [{ path: "other.lock" }, "npm:ms@2.0.0"],
    ["./nosuch.lock", "npm:ms@^2.0.0"],
  ];
  for (const [lock, specifier] of cases) {
    await project.write("deno.json", { imports, lock });
    const { request: { libraries } } = await build(project.path("main.ts"));
    assert.deepEqual(libraries.map(({ specifier }) => specifier), [specifier]);
  }
  await project.write("other.lock", "{");
  await project.write("deno.json", { imports, lock: "other.lock" });
  await assert.rejects(build(project.path("main.ts")), {
    name: "ModuleError",
    message: /other\.lock: not JSON: /,
  });
});
