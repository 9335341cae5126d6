import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { testWith } from "../requirements.ts";

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url));

const PROGRAMS = [["gxensemble", "cli/main.ts"], ["ensemble-registry", "cli/registry_main.ts"]];

/**
 * Pipes the text of a module to a program, and returns the exit code and the one line it prints.
 */
async function run([program, ...args]: string[], module: string) {
  const child = new Deno.Command(program!, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // Relative imports of a module from standard input.
    cwd: pathOf("cli"),
  }).spawn();
  await new Blob([module]).stream().pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  assert.equal(stdout.length, 0);
  return { code, line: new TextDecoder().decode(stderr) };
}

testWith(["node"], {
  name:
    "the executables report in one line that Node.js is not supported, before they import TypeScript",
  async fn() {
    await Promise.all(PROGRAMS.map(async ([name, file]) => {
      const module = await Deno.readTextFile(pathOf(file!));
      assert.deepEqual(await run(["node", "--input-type=module", "-"], module), {
        code: 1,
        line: `${name}: error: Node.js is not supported: run it with Deno (https://deno.com), ` +
          "which npm has too: npx deno@2.9.6 run -A\n",
      });
    }));
  },
});

Deno.test("the executables report in one line that Windows is not supported", async () => {
  await Promise.all(PROGRAMS.map(async ([name, file]) => {
    const windows =
      "Object.defineProperty(globalThis, 'Deno', { value: { build: { os: 'windows' }, exit: Deno.exit } });\n";
    const module = windows + await Deno.readTextFile(pathOf(file!));
    assert.deepEqual(await run([Deno.execPath(), "run", "--ext=ts", "-"], module), {
      code: 1,
      line: `${name}: error: Windows is not supported: use Linux or macOS, or WSL 2 on Windows\n`,
    });
  }));
});
