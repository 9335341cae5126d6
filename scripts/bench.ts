/**
 * The benchmark: `deno task bench [option ...]`.
 *
 * Measures the project beside floors and, where it is installed, Erlang: in turn and in one run, so
 * that the ratios hold where the absolute figures do not. Each run of each contestant is in
 * processes of its own. See docs/performance.md.
 *
 * @module
 */
import { parseArgs } from "node:util";
import type { Case, Contestant, Figures } from "./bench/case.ts";
import { CASES, CHECKED, fullName, narrowed } from "./bench/cases.ts";
import { changesSince, JUDGEMENT, parseResults } from "./bench/comparison.ts";
import { RunningProgram } from "./bench/running_program.ts";
import { isFarOff, nameOf, type Result, resultsOf } from "./bench/results.ts";
import { formatNumber, formatRatio, formatTable, formatTarget } from "./bench/table.ts";

const USAGE = `usage: deno task bench [option ...]

  --only <case>       measures the cases whose names begin with this; may be given several times
  --rounds <number>   how often all is measured, contestants in turn [default: 5, with --short 2]
  --json              prints one JSON object a line, instead of a table
  --compare <file>    names what has changed since a run with --json; exits with 1 if anything is worse
  --short             measures only what CI checks, in about a minute; exits with 1 if a ratio is below half its
                      target, also when it is measured again
  --list              lists the cases`;

/** How long a figure is measured in one round, in ms. */
const DURATION = 1_000;

/** The same with `--short`. */
const SHORT_DURATION = 300;

/** How often all is measured with `--short`, and how often what is far off is measured again. */
const SHORT_ROUNDS = 2;
const AGAIN_ROUNDS = 5;

/** How long one run of a contestant may take, in ms. */
const TIMEOUT = 60_000;

async function main(args: string[]): Promise<number> {
  const { only, rounds, json, compare, short, list } = readArguments(args);
  const cases = casesFor({ only, short });
  if (list) {
    for (const each of cases) console.log(fullName(each));
    return 0;
  }
  if (cases.length === 0) throw new UsageError("no case has such a name: --list names them");
  const earlier = compare === undefined ? [] : parseResults(await Deno.readTextFile(compare));
  const { results, failed } = await measureAll(cases, {
    rounds: rounds ?? (short ? SHORT_ROUNDS : 5),
    duration: short ? SHORT_DURATION : DURATION,
  });
  if (json) { for (const result of results) console.log(JSON.stringify(result)); }
  else console.log(formatTable(results));
  let failures = failed;
  if (compare !== undefined) failures += reportChanges(earlier, results);
  if (short) failures += reportFarOff(await measuredAgain(results, cases));
  return failures > 0 ? 1 : 0;
}

/** Wrong arguments. */
class UsageError extends Error {}

function readArguments(args: string[]) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: "string", multiple: true, default: [] as string[] },
      rounds: { type: "string" },
      json: { type: "boolean", default: false },
      compare: { type: "string" },
      short: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) {
    throw new UsageError(`not a number of rounds: ${values.rounds}`);
  }
  return { ...values, rounds };
}

function casesFor({ only, short }: { only: string[]; short: boolean }): Case[] {
  const named = CASES.filter((each) =>
    only.length === 0 || only.some((start) => fullName(each).startsWith(start))
  );
  if (!short) return named;
  return named.map((each) => narrowed(each, (row) => CHECKED.includes(row)))
    .filter(({ figures }) => Object.keys(figures).length > 0);
}

/** What was measured. */
interface Measured {
  readonly results: Result[];
  /** How many contestants failed. */
  readonly failed: number;
}

async function measureAll(
  cases: readonly Case[],
  options: { rounds: number; duration: number },
): Promise<Measured> {
  const work = await Deno.makeTempDir({ dir: await temporaryPlace(), prefix: "gxb" });
  const interrupt = () => {
    RunningProgram.killAll();
    Deno.removeSync(work, { recursive: true });
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupt);
  try {
    return await measureIn(work, { cases, ...options });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/**
 * Where the contestants have their files: in memory, if the system has a place for that. On a disk, the
 * files that one contestant leaves can slow down the next: without a journal, ext4 searches long for
 * room in a minute after many were removed.
 */
async function temporaryPlace(): Promise<string> {
  const memory = "/dev/shm";
  return await Deno.stat(memory).then(({ isDirectory }) => isDirectory, () => false)
    ? memory
    : "/tmp";
}

async function measureIn(
  work: string,
  { cases, rounds, duration }: { cases: readonly Case[]; rounds: number; duration: number },
): Promise<Measured> {
  const failed = new Set<Contestant>();
  const runs = cases.map((each) => ({ each, rounds: new Map<string, Figures[]>() }));
  for (let round = 1; round <= rounds; round++) {
    for (const { each, rounds: given } of runs) {
      for (const [who, contestant] of Object.entries(each.contestants)) {
        console.error(`round ${round} of ${rounds}: ${fullName(each)}: ${who}`);
        if (failed.has(contestant)) continue;
        const directory = await Deno.makeTempDir({ dir: work });
        try {
          const figures = await within(contestant({ duration, directory }));
          if (figures) given.set(who, [...given.get(who) ?? [], figures]);
          else console.error("  left out: it is not installed, or not built");
        } catch (error) {
          // Its earlier rounds are dropped, too, since rounds are compared in pairs.
          console.error(`  FAILED, and is left out: ${(error as Error).message}`);
          RunningProgram.killAll();
          failed.add(contestant);
          given.delete(who);
        }
        await Deno.remove(directory, { recursive: true }).catch(() => {});
      }
    }
  }
  return {
    results: runs.flatMap(({ each, rounds }) => resultsOf(each, rounds)),
    failed: failed.size,
  };
}

/** Waits for a contestant. One that hangs would otherwise keep the benchmark for ever. */
async function within(figures: Promise<Figures | undefined>): Promise<Figures | undefined> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`no figures within ${TIMEOUT} ms`)),
    TIMEOUT,
  );
  try {
    return await Promise.race([figures, promise]);
  } finally {
    clearTimeout(timer);
  }
}

function reportChanges(earlier: readonly Result[], later: readonly Result[]): number {
  const changes = changesSince(earlier, later);
  for (const { row, what, earlier, later, isWorse } of changes) {
    const values = `${formatNumber(earlier)} to ${formatNumber(later)} ${what}`;
    console.error(`${isWorse ? "REGRESSION" : "better"}: ${row}: ${values}`);
  }
  const worse = changes.filter(({ isWorse }) => isWorse).length;
  console.error(`${worse} regressions, ${changes.length - worse} improvements. ${JUDGEMENT}`);
  return worse;
}

/**
 * The results that are still far from their targets when they are measured again, for longer. A
 * machine that was busy with other work for some seconds is no reason to fail.
 */
async function measuredAgain(
  results: readonly Result[],
  cases: readonly Case[],
): Promise<Result[]> {
  const names = results.filter(isFarOff).map(nameOf);
  if (names.length === 0) return [];
  for (const name of names) console.error(`far off, so measured again: ${name}`);
  const again = cases.map((each) => narrowed(each, (row) => names.includes(row)))
    .filter(({ figures }) => Object.keys(figures).length > 0);
  return (await measureAll(again, { rounds: AGAIN_ROUNDS, duration: DURATION })).results;
}

function reportFarOff(results: readonly Result[]): number {
  const far = results.filter(isFarOff);
  for (const result of far) {
    const { of: who } = result.target!;
    const ratio = formatRatio(result.ratios[who!]!, who!);
    console.error(`FAILED: ${nameOf(result)}: ${ratio}, which should be ${formatTarget(result)}`);
  }
  return far.length;
}

try {
  Deno.exit(await main(Deno.args));
} catch (error) {
  const isUsage = error instanceof UsageError || error instanceof TypeError;
  if (!isUsage) throw error;
  console.error(`bench: ${error.message}\n${USAGE}`);
  Deno.exit(2);
}
