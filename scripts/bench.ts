/**
 * The benchmark: `deno task bench`.
 *
 * It compares processes on this host: a bare UNIX socket, two servers of an ensemble over it and
 * over TLS, and two Erlang nodes if Erlang is installed. All are measured in turn within one run,
 * so that the ratios hold even where the absolute figures do not. Prints a table in Markdown.
 *
 * @module
 */
import { measureEnsemble, measureSocket, measureTls } from "./bench/ensemble.ts";
import { measureErlang } from "./bench/erlang.ts";
import type { Figures } from "./bench/workload.ts";

/** Number of rounds. The table shows the median of each figure. */
const ROUNDS = 3;

const contestants: [name: string, measure: (directory: string) => Promise<Figures | undefined>][] =
  [
    ["bare UNIX socket, 64 bytes", measureSocket],
    ["gxensemble, UNIX socket", measureEnsemble],
    ["gxensemble, TLS on loopback", measureTls],
    ["Erlang distribution, TCP", measureErlang],
  ];

const results = new Map<string, Figures[]>();
for (let round = 1; round <= ROUNDS; round++) {
  for (const [name, measure] of contestants) {
    console.error(`round ${round} of ${ROUNDS}: ${name}`);
    const directory = await Deno.makeTempDir({ dir: "/tmp", prefix: "gxb" });
    try {
      const figures = await measure(directory);
      if (figures) results.set(name, [...results.get(name) ?? [], figures]);
      else console.error("  left out: not installed here");
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  }
}

console.log("| | ask p50 | ask p99 | 64 outstanding | one way |");
console.log("|---|---|---|---|---|");
for (const [name, runs] of results) {
  const time = (of: (figures: Figures) => number) => `${median(runs.map(of)).toFixed(0)} us`;
  const rate = (of: (figures: Figures) => number | undefined) => {
    const rates = runs.flatMap((figures) => of(figures) ?? []);
    if (rates.length === 0) return "";
    return `${(Math.round(median(rates) / 1000) * 1000).toLocaleString("en")}/s`;
  };
  console.log(
    `| ${name} | ${time(({ roundTrip }) => roundTrip.p50)} | ` +
      `${time(({ roundTrip }) => roundTrip.p99)} | ` +
      `${rate(({ outstanding }) => outstanding)} | ${rate(({ oneWay }) => oneWay)} |`,
  );
}
Deno.exit();

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
