/**
 * What the rounds of all contestants come to: figures, ratios, and whether targets are met.
 *
 * @module
 */
import { type Case, type Figure, type Figures, PROJECT, type Target } from "./case.ts";
import { median } from "./statistics.ts";

/** The median of several rounds, and the lowest and the highest. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** One row of the table, and one line of `--json`. */
export interface Result {
  /** The case and its figure: `ask p50`. */
  readonly case: string;
  /** The transport of the project's servers; null if there is none. */
  readonly transport: string | null;
  /** The project's figure: the median of the rounds. */
  readonly value: number;
  readonly unit: string;
  /** Whether less or more of it is better. */
  readonly better: Figure["better"];
  /**
   * The project's figure as a multiple of those of others: the median of the ratios of each round.
   */
  readonly ratios: Readonly<Record<string, Spread>>;
  readonly target: Target | null;
  /** Whether the target is met; null if there is none, or what it needs is not installed. */
  readonly met: boolean | null;
  /** The figure of each contestant in each round, so that runs can be compared. */
  readonly rounds: Readonly<Record<string, readonly number[]>>;
}

/** What the rounds of a case gave, by contestant. */
export type Rounds = ReadonlyMap<string, readonly Figures[]>;

/** The rows of a case. None if the project could not be measured. */
export function resultsOf(each: Case, rounds: Rounds): Result[] {
  if (!rounds.has(PROJECT)) return [];
  return Object.entries(each.figures).map(([name, figure]) => {
    const figures = Object.fromEntries(
      [...rounds].map(([who, runs]) => [who, runs.flatMap((run) => run[name] ?? [])])
        .filter(([, values]) => values!.length > 0),
    ) as Record<string, number[]>;
    const own = figures[PROJECT]!;
    const ratios = Object.fromEntries(
      Object.entries(figures).filter(([who]) => who !== PROJECT).map(([who, values]) => [
        who,
        spreadOf(own.map((value, round) => value / values[round]!)),
      ]),
    );
    const value = median(own);
    const target = figure.target ?? null;
    const measured = target === null
      ? undefined
      : target.of === undefined
      ? value
      : ratios[target.of]?.median;
    return {
      case: `${each.name} ${name}`,
      transport: each.transport ?? null,
      value,
      unit: figure.unit,
      better: figure.better,
      ratios,
      target,
      met: measured === undefined ? null : isWithin(figure.better, measured, target!.bound),
      rounds: figures,
    };
  });
}

/** The name of a row, with its transport. */
export function nameOf({ case: name, transport }: Pick<Result, "case" | "transport">): string {
  return transport === null ? name : `${name} ${transport}`;
}

/** How far from its target a row may be in `--short`. */
const TOLERANCE = 2;

/** Whether a row has a ratio as a target, and is so far from it that `--short` fails. */
export function isFarOff({ target, ratios, better }: Result): boolean {
  const ratio = target?.of === undefined ? undefined : ratios[target.of]?.median;
  if (ratio === undefined) return false;
  const bound = better === "less" ? target!.bound * TOLERANCE : target!.bound / TOLERANCE;
  return !isWithin(better, ratio, bound);
}

function isWithin(better: Figure["better"], measured: number, bound: number): boolean {
  return better === "less" ? measured <= bound : measured >= bound;
}

function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}
