import assert from "node:assert/strict";
import process from "node:process";
import { runCommandLine } from "../../registry/command_line.ts";

/** Runs `ensemble-registry` in this process; gives its exit code and what it printed on standard error. */
async function run(...args: string[]): Promise<{ code: number; printed: string }> {
  let printed = "";
  const { write } = process.stderr;
  const { error } = console;
  process.stderr.write = (text: string | Uint8Array) => Boolean(printed += text);
  console.error = (text: string) => void (printed += `${text}\n`);
  try {
    return { code: await runCommandLine(args), printed };
  } finally {
    process.stderr.write = write;
    console.error = error;
  }
}

Deno.test("ensemble-registry prints what it was given without control characters", async () => {
  for (const args of [["--a\x1b[2J\u202e"], ["--store", "a\x1b[2J\u202e"], ["--stor\x9b"]]) {
    const { code } = await run(...args);
    assert.equal(code, 2);
  }
  assert.match((await run("--a\x1b[2J\u202e")).printed, /unknown option '--a\\u001b\[2J\\u202e'/);
  const { code, printed } = await run("--log-file", "/no/such\x1b[2J/file");
  assert.equal(code, 1);
  assert.match(
    printed,
    /^ensemble-registry: error: cannot write the log file \/no\/such\\u001b\[2J/,
  );
});
