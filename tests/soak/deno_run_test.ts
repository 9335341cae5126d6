import assert from "node:assert/strict";
import { ModuleError } from "../../runtime/code/source_map.ts";
import { CASES, type DenoRunCase } from "./deno_run_cases.ts";
import { filesOf, load, openStore, TemporaryProject } from "../cli/modules/temporary_project.ts";

/** The output of modules during a load. */
let printed: string[] = [];
const { log } = console;

async function printedByLoad(project: TemporaryProject, entry: string): Promise<string> {
  const store = await openStore(project);
  printed = [];
  console.log = (...values: unknown[]) => void printed.push(format(values));
  try {
    await load(store, project.path(entry));
  } finally {
    console.log = log;
  }
  return printed.map((line) => `${line}\n`).join("");
}

/** A line as `console.log` prints it. */
function format([first, ...others]: unknown[]): string {
  return [first, ...others]
    .map((value) => typeof value === "string" ? value : Deno.inspect(value))
    .join(" ");
}

async function printedByDeno(project: TemporaryProject, entry: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    // A lock file that it wrote would change the versions loaded here.
    args: ["run", "-A", "-q", "--no-lock", project.path(entry)],
    cwd: project.directory,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("load does what deno run does", async (test) => {
  // The `deno run` processes run ahead. In this one, only one case prints at a time.
  const limit = navigator.hardwareConcurrency;
  const waiting = [...CASES];
  const results = new Map<DenoRunCase, PromiseWithResolvers<string>>(
    CASES.map((each) => [each, Promise.withResolvers<string>()]),
  );
  const projects = new Map<DenoRunCase, TemporaryProject>();
  for (const each of CASES) {
    const files = filesOf(each.project);
    const project = await TemporaryProject.make(files);
    for (const [path, base64] of Object.entries(each.binary ?? {})) {
      await Deno.writeFile(project.path(path), Uint8Array.fromBase64(base64));
    }
    projects.set(each, project);
  }
  const running = Array.from({ length: limit }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results.get(next)!.resolve(
        await printedByDeno(projects.get(next)!, next.entry ?? "main.ts"),
      );
    }
  });
  try {
    for (const each of CASES) {
      await test.step(each.name, async () => {
        const project = projects.get(each)!;
        const expected = (await results.get(each)!.promise).replaceAll(project.directory, "");
        let actual: string;
        try {
          actual = await printedByLoad(project, each.entry ?? "main.ts");
        } catch (error) {
          if (!(error instanceof ModuleError) || each.refused === undefined) throw error;
          assert.match(error.message.replace(project.directory, ""), each.refused);
          return;
        }
        assert.equal(each.refused, undefined, "it was not refused");
        assert.equal(actual.replaceAll(project.directory, ""), expected);
      });
    }
  } finally {
    await Promise.all(running);
    for (const project of projects.values()) await project[Symbol.asyncDispose]();
  }
});
