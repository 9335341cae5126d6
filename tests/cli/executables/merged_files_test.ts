import assert from "node:assert/strict";
import { join } from "node:path";
import { bundleProgram } from "../../../cli/executables/bundle.ts";
import type { MergedModules } from "../../../cli/executables/merged_files.ts";

/** A program whose modules are shared between several `import()` expressions. */
const FILES = {
  "main.ts": `
    const { first } = await import("./first.ts");
    const { second } = await import("./second.ts");
    const { third } = await import("./third.ts");
    console.log(first(), second(), third(), await (await import("./first.ts")).later());
  `,
  "first.ts": `
    import text, { count, importMore } from "./shared.ts";
    import "./loud.ts";
    console.log("first");
    export const first = () => [text, importMore(), count];
    export const later = async () => (await import("./third.ts")).third();
  `,
  "second.ts": `
    import { count, importMore } from "./shared.ts";
    import { other } from "./other.ts";
    console.log("second");
    export const second = () => [other, importMore(), count];
  `,
  "third.ts": `
    import text, { count as now, importMore } from "./shared.ts";
    import { other } from "./other.ts";
    import "./loud.ts";
    console.log("third");
    export const third = () => [text, other, importMore(), now];
  `,
  "shared.ts": `
    export let count = 0;
    export const importMore = () => ++count;
    export default "default";
  `,
  "other.ts": `console.log("other"); export const other = "other";`,
  "loud.ts": `console.log("loud");`,
};

/** Bundles the program in a new directory. Returns the texts of the files, and what it prints. */
async function bundled(
  merged?: MergedModules,
): Promise<{ files: Map<string, string>; output: string[] }> {
  const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "gxmerged" }));
  try {
    for (const [name, text] of Object.entries(FILES)) {
      await Deno.writeTextFile(join(directory, name), text);
    }
    const out = join(directory, "out");
    await Deno.mkdir(out);
    const first = await bundleProgram([join(directory, "main.ts")], {
      deno: Deno.execPath(),
      signal: new AbortController().signal,
      project: directory,
      directory: out,
      ...merged && { merged },
    });
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-config", join(out, first)],
      env: { NO_COLOR: "1" },
    }).output();
    assert.equal(new TextDecoder().decode(stderr), "");
    const files = new Map<string, string>();
    for await (const { name } of Deno.readDir(out)) {
      files.set(name, await Deno.readTextFile(join(out, name)));
    }
    return { files, output: new TextDecoder().decode(stdout).split("\n") };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The files with a text. */
function filesWith(text: string, files: Map<string, string>): string[] {
  return [...files].filter(([, content]) => content.includes(text)).map(([name]) => name);
}

Deno.test("a program with merged files does the same, and each of its modules runs once", async () => {
  const { output } = await bundled();
  assert.deepEqual(output.slice(0, 5), ["loud", "first", "other", "second", "third"]);
  const { output: same, files } = await bundled({ begin: ["first.ts"], end: ["second.ts"] });
  assert.deepEqual(same, output);
  const begin = ["loud", "first", "default"].map((word) => filesWith(`"${word}"`, files));
  assert.deepEqual(begin, [["begin.js"], ["begin.js"], ["begin.js"]]);
  assert.deepEqual(filesWith('"second"', files), ["end.js"]);
  // What is not merged imports the new files themselves.
  const [third] = filesWith('"third"', files);
  assert.match(files.get(third!)!, /from "\.\/begin\.js";/);
  assert.doesNotMatch(files.get(third!)!, /"\.\/chunk-/);
});

Deno.test("the modules of a merged file run in their order, before any other", async () => {
  const { output } = await bundled();
  const { output: merged } = await bundled({ begin: ["second.ts", "third.ts"] });
  assert.deepEqual(merged.slice(0, 5), ["other", "second", "loud", "third", "first"]);
  assert.deepEqual(merged.slice(5), output.slice(5));
});

Deno.test("a module that no import() loads cannot be merged", async () => {
  await assert.rejects(
    bundled({ begin: ["shared.ts"] }),
    /cannot merge shared\.ts: the bundle loads it with no import\(\)/,
  );
});
