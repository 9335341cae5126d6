/**
 * `load` of 500 modules of 2 KB into a server, for the first time and again.
 *
 * The time is that of the whole command. The floor is `deno run` of the same modules.
 *
 * @module
 */
import type { Case, Contestant, Figures } from "../case.ts";
import {
  CommandLineEnsemble,
  EXECUTABLE,
  isBuilt,
  type Program,
  SCRIPT,
  SOURCES,
} from "../command_line.ts";

const MODULES = 500;
const MODULE_SIZE = 2_000;

/** How many modules another one imports at most. */
const IMPORTS = 10;

function load(program: Program): Contestant {
  return async ({ directory }) =>
    await isBuilt(program)
      ? await timeTwice(directory, [...program, "load", "-q", "registry"])
      : undefined;
}

const run: Contestant = ({ directory }) => timeTwice(directory, SCRIPT);

async function timeTwice(directory: string, command: readonly string[]): Promise<Figures> {
  await using ensemble = await CommandLineEnsemble.start(directory);
  const warmUp = await makeModules(`${directory}/warm-up`);
  await ensemble.time([...command, warmUp]);
  const main = await makeModules(`${directory}/project`);
  const first = await ensemble.time([...command, main]);
  const again = await ensemble.time([...command, main]);
  return { first, again };
}

/** Writes a tree of modules. Returns the path of its root. */
async function makeModules(directory: string): Promise<string> {
  await Deno.mkdir(directory);
  const name = (n: number) => `module${n}.ts`;
  for (let n = 0; n < MODULES; n++) {
    const below = Array.from({ length: IMPORTS }, (_, i) => n * IMPORTS + i + 1)
      .filter((each) => each < MODULES);
    let text = below.map((each) => `import { value as v${each} } from "./${name(each)}";\n`).join(
      "",
    );
    text += `export const place: string = ${JSON.stringify(directory)};\n`;
    text += `export const value: number = ${
      [n, ...below.map((each) => `v${each}`)].join(" + ")
    };\n`;
    for (let i = 0; text.length < MODULE_SIZE; i++) {
      text += `export function twice${i}(n: number): number {\n  return 2 * n + ${i};\n}\n`;
    }
    await Deno.writeTextFile(`${directory}/${name(n)}`, text);
  }
  return `${directory}/${name(0)}`;
}

function loading(name: string, program: Program): Case {
  return {
    name,
    figures: {
      first: { unit: "ms", better: "less", target: { bound: 700 } },
      again: { unit: "ms", better: "less", target: { bound: 200 } },
    },
    contestants: { project: load(program), floor: run },
  };
}

/** The cases. */
export const LOADING: Case[] = [
  loading("load 500 modules by the executable", EXECUTABLE),
  loading("load 500 modules from sources", SOURCES),
];
