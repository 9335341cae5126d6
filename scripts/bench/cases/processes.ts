/**
 * Whole processes: how long commands take from their start to their end.
 *
 * The floor is `deno run` of a hello world.
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
import { median } from "../statistics.ts";

/** How long one run takes about, in ms: what a duration is divided by. */
const RUN_TIME = 100;

const COMMANDS = { version: ["-V"], help: ["help"], ping: ["ping", "registry"] };

function commands(program: Program): Contestant {
  return async (run) => {
    if (!await isBuilt(program)) return undefined;
    return await timeCommands(run, (name) => [...program, ...COMMANDS[name]]);
  };
}

const hello: Contestant = async (run) => {
  const script = `${run.directory}/hello.ts`;
  await Deno.writeTextFile(script, 'console.log("hello");\n');
  return await timeCommands(run, () => [...SCRIPT, script]);
};

async function timeCommands(
  { duration, directory }: { duration: number; directory: string },
  command: (name: keyof typeof COMMANDS) => string[],
): Promise<Figures> {
  await using ensemble = await CommandLineEnsemble.start(directory);
  const figures: Record<string, number> = {};
  const runs = Math.max(3, Math.round(duration / RUN_TIME));
  for (const name of Object.keys(COMMANDS) as (keyof typeof COMMANDS)[]) {
    const times: number[] = [];
    // The first two fill caches.
    for (let i = -2; i < runs; i++) {
      const time = await ensemble.time(command(name));
      if (i >= 0) times.push(time);
    }
    figures[name] = median(times);
  }
  return figures;
}

function processes(name: string, program: Program, bound: number): Case {
  return {
    name,
    figures: {
      ping: { unit: "ms", better: "less", target: { of: "hello", bound } },
      help: { unit: "ms", better: "less" },
      version: { unit: "ms", better: "less" },
    },
    contestants: { project: commands(program), hello },
  };
}

/** The cases. */
export const PROCESSES: Case[] = [
  processes("process of the executable", EXECUTABLE, 2.5),
  processes("process from sources", SOURCES, 4),
];
