/**
 * Makes the executables of the project: `deno task compile [--portable] [--target <platform>]`.
 *
 * They are `dist/gxensemble` and `dist/ensemble-registry`, with the platform's name appended if one
 * is given. `dist/SHA256SUMS` has their hashes, and keeps those of other platforms that exist.
 *
 * @module
 */
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { makeExecutable } from "../cli/executables/executable.ts";
import type { MergedModules } from "../cli/executables/merged_files.ts";
import { type Target, TARGETS } from "../cli/kit/build.ts";
import { LAZY_BUILTINS, MERGED, V8_FLAGS } from "./build_options.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const DIST = `${ROOT}dist`;
const SUMS = `${DIST}/SHA256SUMS`;

const USAGE = `usage: deno task compile [--portable] [--target <${TARGETS.join("|")}>]`;

/** The programs and their main modules. */
const PROGRAMS: {
  readonly program: string;
  readonly entry: string;
  readonly entries?: string[];
  readonly merged?: MergedModules;
}[] = [
  // It contains the runtime, for the programs that it compiles.
  {
    program: "gxensemble",
    entry: `${ROOT}cli/main.ts`,
    entries: [`${ROOT}mod.ts`],
    merged: MERGED,
  },
  { program: "ensemble-registry", entry: `${ROOT}cli/registry_main.ts` },
];

async function main(args: string[]): Promise<void> {
  const { portable, target } = readArguments(args);
  await Deno.mkdir(DIST, { recursive: true });
  const source = await commit();
  const sums = await readSums();
  for (const { program, ...parts } of PROGRAMS) {
    const name = target === undefined ? program : `${program}-${target}`;
    const { path, form, size, sha256 } = await makeExecutable({
      ...parts,
      output: `${DIST}/${name}`,
      name: program,
      portable,
      target,
      ...source && { source },
      lazyBuiltins: LAZY_BUILTINS,
      v8Flags: V8_FLAGS,
      onNotice: (message) => console.error(`compile: ${message}`),
    });
    sums.set(basename(path), sha256);
    console.log(`${sha256}  ${path.slice(ROOT.length)}  (${form}, ${size} bytes)`);
  }
  const lines = [...sums].sort().map(([name, sha256]) => `${sha256}  ${name}\n`);
  await Deno.writeTextFile(SUMS, lines.join(""));
}

function readArguments(args: string[]): { portable: boolean; target: Target | undefined } {
  const { values: { portable, target } } = parseArgs({
    args,
    options: { portable: { type: "boolean", default: false }, target: { type: "string" } },
  });
  const known = TARGETS.find((each) => each === target);
  if (target !== known) throw new Error(`unknown target ${target}`);
  return { portable, target: known };
}

/** The hashes of the existing files, by name. */
async function readSums(): Promise<Map<string, string>> {
  const sums = new Map<string, string>();
  const text = await Deno.readTextFile(SUMS).catch(() => "");
  for (const [, sha256, name] of text.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)) {
    if (await Deno.lstat(`${DIST}/${name}`).then(() => true, () => false)) sums.set(name!, sha256!);
  }
  return sums;
}

/** The commit that is checked out and its date, if the project is a clone without changes. */
async function commit(): Promise<{ commit: string; date: string } | undefined> {
  try {
    if (await git("status", "--porcelain", "--untracked-files=no") !== "") return;
    return {
      commit: await git("rev-parse", "--short=12", "HEAD"),
      date: await git("show", "-s", "--format=%cs"),
    };
  } catch {
    // Not a clone, or git is missing.
  }
}

async function git(...args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" })
    .output();
  if (!success) throw new Error(`git ${args[0]} failed`);
  return new TextDecoder().decode(stdout).trim();
}

try {
  await main(Deno.args);
} catch (error) {
  console.error(`compile: error: ${(error as Error).message}`);
  if (error instanceof TypeError || /unknown target/i.test(String(error))) console.error(USAGE);
  Deno.exit(1);
}
