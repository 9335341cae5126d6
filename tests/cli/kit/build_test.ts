import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type BuildDetails, formatVersion } from "../../../cli/kit/build.ts";
import configuration from "../../../deno.json" with { type: "json" };
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { EXECUTABLE } from "../../tested_program.ts";

const { version } = configuration;

const RUNS_ON = Object.entries(Deno.version).map(([name, text]) => `${name} ${text}\n`).join("");

Deno.test("--version and -V print the version, the build and what it runs on", async () => {
  using ensemble = new TemporaryEnsemble();
  for (const flag of ["--version", "-V"]) {
    const { code, stdout, stderr } = await ensemble.run(flag);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const [first, ...lines] = stdout.split("\n");
    const [, printed, form, target] = /^gxensemble (\S+) \((\w+), (\S+)\)$/.exec(first!) ?? [];
    assert.deepEqual([printed, target], [version, Deno.build.target]);
    assert.ok((EXECUTABLE ? ["portable", "compiled"] : ["source"]).includes(form!), first);
    if (EXECUTABLE && lines[0]!.startsWith("commit ")) lines.shift();
    assert.equal(lines.join("\n"), RUNS_ON);
  }
});

Deno.test("ensemble-registry --version prints the same", async () => {
  using ensemble = new TemporaryEnsemble();
  const main = fileURLToPath(new URL("../../../cli/registry_main.ts", import.meta.url));
  const { code, stdout } = await ensemble.command("run", "-A", main, "-V").output();
  assert.equal(code, 0);
  assert.equal(
    new TextDecoder().decode(stdout),
    `ensemble-registry ${version} (source, ${Deno.build.target})\n${RUNS_ON}`,
  );
});

const BUILDS: [BuildDetails, string[]][] = [
  [{ form: "portable" }, [`gxensemble ${version} (portable, ${Deno.build.target})`]],
  [{ form: "compiled", commit: "1a2b3c4", date: "2026-01-02" }, [
    `gxensemble ${version} (compiled, ${Deno.build.target})`,
    "commit 1a2b3c4, built 2026-01-02",
  ]],
  [{ form: "compiled", date: "2026-01-02" }, [
    `gxensemble ${version} (compiled, ${Deno.build.target})`,
    "built 2026-01-02",
  ]],
];

for (const [build, lines] of BUILDS) {
  Deno.test(`formatVersion describes a build: ${JSON.stringify(build)}`, () => {
    const place = globalThis as { [key: symbol]: BuildDetails | undefined };
    const key = Symbol.for("gxensemble.build");
    place[key] = build;
    try {
      assert.equal(formatVersion("gxensemble"), `${lines.join("\n")}\n${RUNS_ON.trimEnd()}`);
    } finally {
      delete place[key];
    }
  });
}
