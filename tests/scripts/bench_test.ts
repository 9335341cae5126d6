import assert from "node:assert/strict";
import type { Case, Figure } from "../../scripts/bench/case.ts";
import { CASES, CHECKED, narrowed, rowName } from "../../scripts/bench/cases.ts";
import { changesSince, parseResults } from "../../scripts/bench/comparison.ts";
import { isFarOff, type Result, resultsOf } from "../../scripts/bench/results.ts";

const rate: Figure = { unit: "/s", better: "more", target: { of: "floor", bound: 0.8 } };
const time: Figure = { unit: "us", better: "less", target: { bound: 10 } };

/** A case that nothing is run for. */
function caseOf(figures: Record<string, Figure>): Case {
  const contestant = () => Promise.resolve(undefined);
  return { name: "case", transport: "unix", figures, contestants: { project: contestant } };
}

/** The only row of a case with one figure, from the figures of each round. */
function resultOf(figure: Figure, rounds: Record<string, number[]>): Result {
  const given = Object.entries(rounds).map(([who, values]): [string, { figure: number }[]] => [
    who,
    values.map((value) => ({ figure: value })),
  ]);
  return resultsOf(caseOf({ figure }), new Map(given))[0]!;
}

Deno.test("resultsOf takes the median of the ratios of each round", () => {
  const { ratios, value, met } = resultOf(rate, { project: [50, 90, 10], floor: [100, 100, 10] });
  assert.deepEqual(ratios["floor"], { median: 0.9, lowest: 0.5, highest: 1 });
  assert.equal(value, 50);
  assert.equal(met, true);
});

Deno.test("resultsOf does not say whether a target is met when its contestant is not installed", () => {
  const { met, ratios } = resultOf(rate, { project: [50] });
  assert.deepEqual({ met, ratios }, { met: null, ratios: {} });
});

Deno.test("resultsOf gives no row when the project was not measured", () => {
  assert.deepEqual(resultsOf(caseOf({ rate }), new Map([["floor", [{ rate: 1 }]]])), []);
});

Deno.test("isFarOff is true when a ratio is below half its target", () => {
  assert.equal(isFarOff(resultOf(rate, { project: [41], floor: [100] })), false);
  assert.equal(isFarOff(resultOf(rate, { project: [39], floor: [100] })), true);
});

Deno.test("isFarOff is false when the target is no ratio", () => {
  const result = resultOf(time, { project: [1000] });
  assert.equal(result.met, false);
  assert.equal(isFarOff(result), false);
});

Deno.test("changesSince names a row when the ratios of almost all rounds are worse", () => {
  const earlier = resultOf(rate, { project: [80, 82, 81], floor: [100, 100, 100] });
  // The host is twice as fast now, which is no improvement.
  const later = resultOf(rate, { project: [120, 118, 122], floor: [200, 200, 200] });
  const [change] = changesSince([earlier], [later]);
  assert.equal(change?.row, "case figure unix");
  assert.equal(change?.isWorse, true);
  assert.equal(changesSince([later], [earlier])[0]?.isWorse, false);
});

Deno.test("changesSince names no row when rounds overlap, or differ by little", () => {
  const earlier = resultOf(time, { project: [10, 14, 12] });
  assert.deepEqual(changesSince([earlier], [resultOf(time, { project: [13, 15, 17] })]), []);
  const calm = resultOf(time, { project: [10, 10, 10] });
  assert.deepEqual(changesSince([calm], [resultOf(time, { project: [10.3, 10.3, 10.3] })]), []);
});

Deno.test("parseResults reads what --json prints", () => {
  const result = resultOf(rate, { project: [1], floor: [2] });
  assert.deepEqual(parseResults(`${JSON.stringify(result)}\n`), [result]);
});

Deno.test("CHECKED names rows that have a ratio as a target", () => {
  const rows = CASES.flatMap((each) =>
    Object.entries(each.figures)
      .filter(([, { target }]) => target?.of !== undefined)
      .map(([figure]) => rowName(each, figure))
  );
  assert.deepEqual(CHECKED.filter((row) => !rows.includes(row)), []);
});

Deno.test("narrowed leaves out contestants that no target refers to", () => {
  const contestant = () => Promise.resolve(undefined);
  const each = {
    ...caseOf({ rate, time }),
    contestants: { project: contestant, floor: contestant, erlang: contestant },
  };
  const { figures, contestants } = narrowed(each, (row) => row === "case rate unix");
  assert.deepEqual(Object.keys(figures), ["rate"]);
  assert.deepEqual(Object.keys(contestants), ["project", "floor"]);
});
