/**
 * Runs the tests: `deno task test [--sources] [<argument of deno test> ...]`.
 *
 * The command line that the tests start is bundled first, as for an executable, since it then
 * starts in little more than half the time. The bundle is made from the current sources, belongs to
 * this run, and is removed with it. With `--sources` the tests start the sources themselves, and
 * with the environment variable `GXENSEMBLE_EXECUTABLE` the executable that it names.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../cli/executables/bundle.ts";
import { LAZY_BUILTINS, MERGED } from "./build_options.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/**
 * The modules to bundle: the two programs, the runtime, and the preload that makes programs seal
 * cheaply.
 */
const ENTRIES = ["cli/main.ts", "cli/registry_main.ts", "mod.ts", "tests/sealing_cheaply.ts"]
  .map((path) => ROOT + path) as [string, ...string[]];

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function main(args: string[]): Promise<number> {
  const isBundled = !args.includes("--sources") && !Deno.env.get("GXENSEMBLE_EXECUTABLE");
  const passed = args.filter((arg) => arg !== "--sources");
  const directory = await Deno.makeTempDir({ prefix: "gxbundle" });
  const aborted = new AbortController();
  // The tests receive a terminal's signals too, and end by themselves. Then this process cleans up.
  for (const signal of SIGNALS) Deno.addSignalListener(signal, () => aborted.abort());
  try {
    if (isBundled) await bundle(directory, aborted.signal);
    return await runTests(passed, {
      // Most tests wait for processes.
      DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(2 * navigator.hardwareConcurrency),
      ...isBundled && { GXENSEMBLE_BUNDLE: directory },
    }, aborted.signal);
  } finally {
    // A process that a failed test has left may still write there.
    await Deno.remove(directory, { recursive: true }).catch(() => {});
  }
}

/**
 * Bundles the programs for the tests, with a place for the compiled code, which is valid only for
 * this bundle.
 */
async function bundle(directory: string, signal: AbortSignal): Promise<void> {
  const deno = Deno.execPath();
  await bundleProgram(ENTRIES, {
    deno,
    signal,
    project: ROOT,
    directory,
    lazyBuiltins: LAZY_BUILTINS,
    merged: MERGED,
  });
  const { stdout } = await new Deno.Command(deno, { args: ["info", "--json"] }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  await Deno.mkdir(`${directory}/deno`);
  // Packages and Deno's bundler stay in their usual cache.
  for (const name of ["npm", "dl"]) {
    await Deno.symlink(`${denoDir}/${name}`, `${directory}/deno/${name}`);
  }
}

async function runTests(
  args: string[],
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<number> {
  const files = args.some((arg) => existsSync(arg)) ? [] : ["--ignore=tests/soak", "tests/"];
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["test", "-A", "--no-check", "--parallel", "--preload=tests/deadline.ts"],
      ...args,
      ...files,
    ],
    cwd: ROOT,
    env,
    signal,
  }).spawn().status;
  return code;
}

Deno.exit(await main(Deno.args));
