import assert from "node:assert/strict";
import { registryCommand } from "../../../cli/commands/registry.ts";
import { asRoot, runCommandLine } from "../../../cli/kit/command_line.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { REGISTRY_PROGRAM } from "../../tested_program.ts";

/** Runs `ensemble-registry` in this process; gives its exit code and what it printed on standard error. */
async function run(...args: string[]): Promise<{ code: number; printed: string }> {
  let printed = "";
  const { writeSync } = Deno.stderr;
  Deno.stderr.writeSync = (bytes) => {
    printed += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  try {
    const root = asRoot(registryCommand("ensemble-registry"), "1.2.3");
    return { code: await runCommandLine(root, args), printed };
  } finally {
    Deno.stderr.writeSync = writeSync;
  }
}

Deno.test("ensemble-registry prints what it was given without control characters", async () => {
  for (const args of [["--a\x1b[2J\u202e"], ["--store", "a\x1b[2J\u202e"], ["--stor\x9b"]]) {
    const { code } = await run(...args);
    assert.equal(code, 2);
  }
  assert.match((await run("--a\x1b[2J\u202e")).printed, /unknown option '--a\\u001b\[2J\\u202e'/);
  using ensemble = new TemporaryEnsemble();
  const { code, stderr } = await ensemble
    .external(...REGISTRY_PROGRAM, "--log-file", "/no/such\x1b[2J/file").output();
  assert.equal(code, 1);
  assert.match(
    new TextDecoder().decode(stderr),
    /^ensemble-registry: error: cannot write the log file \/no\/such\\u001b\[2J/,
  );
});
