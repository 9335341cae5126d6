/**
 * The start-up benchmark: `deno task bench:startup [executable ...]`.
 *
 * Measures with hyperfine how long whole processes take: the command line from its sources, as the
 * chunked bundle, and as each given executable, beside a hello world. All are measured in turn over
 * several rounds, with their own registry, so that the ratios hold even where the absolute figures
 * do not. Prints a table in Markdown.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../../cli/executables/bundle.ts";
import { LAZY_BUILTINS } from "../build_options.ts";
import { Contestant } from "./contestant.ts";

/** Number of rounds, and of runs of each command in a round. */
const ROUNDS = 5;
const RUNS = 12;

const COMMANDS = [["-V"], ["help"], ["ping", "registry"]];

const SOURCE = new URL("../../cli/main.ts", import.meta.url).pathname;
const DENO = [Deno.execPath(), "run", "-A"];

const directory = await Deno.makeTempDir({ dir: "/tmp", prefix: "gxb" });
const env = {
  GERBIL_PATH: directory,
  ENSEMBLE_SOCKET_DIR: `${directory}/sockets`,
  DENO_NO_UPDATE_CHECK: "1",
};
try {
  await measure();
} finally {
  await Deno.remove(directory, { recursive: true });
}

async function measure(): Promise<void> {
  const hello = `${directory}/hello.ts`;
  await Deno.writeTextFile(hello, 'console.log("hello");\n');
  const bundled = `${directory}/bundle`;
  await Deno.mkdir(bundled);
  const main = await bundleProgram([SOURCE], {
    deno: Deno.execPath(),
    signal: new AbortController().signal,
    project: fileURLToPath(new URL("../..", import.meta.url)),
    directory: bundled,
    lazyBuiltins: LAZY_BUILTINS,
  });
  const programs: [name: string, program: string[]][] = [
    ["`deno run cli/main.ts`", [...DENO, SOURCE]],
    ["the chunked bundle", [...DENO, `${bundled}/${main}`]],
    ...Deno.args.map((path): [string, string[]] => [`\`${path}\``, [Deno.realPathSync(path)]]),
  ];
  const rows: [name: string, command: string[]][] = [
    ["`deno run` of a hello world", [...DENO, hello]],
    ...programs.flatMap(([name, program]) =>
      COMMANDS.map((args): [string, string[]] => [
        `${name}: \`${args.join(" ")}\``,
        [...program, ...args],
      ])
    ),
  ];

  await output(DENO[0]!, [...DENO.slice(1), SOURCE, "cookie"]);
  const registry = [SOURCE, "registry", "--store", "memory:", "--log", "ERROR"];
  await using _registry = await Contestant.start(DENO[0]!, [...DENO.slice(1), ...registry], {
    env,
  });
  while (!await answers()) await new Promise((resolve) => setTimeout(resolve, 100));

  const times = rows.map((): number[] => []);
  for (let round = 1; round <= ROUNDS; round++) {
    console.error(`round ${round} of ${ROUNDS}`);
    const figures = await run(rows.map(([, command]) => command));
    for (const [index, more] of figures.entries()) times[index]!.push(...more);
  }
  console.log("| process | median | fastest | times hello |");
  console.log("|---|---|---|---|");
  const reference = median(times[0]!);
  for (const [index, [name]] of rows.entries()) {
    const middle = median(times[index]!);
    const fastest = Math.min(...times[index]!);
    console.log(
      `| ${name} | ${middle.toFixed(0)} ms | ${fastest.toFixed(0)} ms | ${
        (middle / reference).toFixed(1)
      } |`,
    );
  }
}

/** Runs each command several times, and returns the duration of each run, in ms. */
async function run(commands: string[][]): Promise<number[][]> {
  const json = `${directory}/times.json`;
  await output("hyperfine", [
    ...["-N", "--warmup", "3", "--runs", `${RUNS}`, "--export-json", json],
    ...commands.map((command) => command.map(quote).join(" ")),
  ]);
  const { results } = JSON.parse(await Deno.readTextFile(json)) as {
    results: { times: number[] }[];
  };
  return results.map(({ times }) => times.map((seconds) => seconds * 1000));
}

async function answers(): Promise<boolean> {
  const args = [...DENO.slice(1), SOURCE, "ping", "registry"];
  return (await new Deno.Command(DENO[0]!, { args, env, stdout: "null", stderr: "null" }).output())
    .success;
}

async function output(program: string, args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args,
    env,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
