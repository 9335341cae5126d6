/**
 * A chart of the last minutes.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useEffect, useRef } from "npm:preact@^11.2.0/hooks";
import uPlot from "npm:uplot@^1.6.32";
import { element, html } from "./markup.ts";
import { colour, onThemeChange } from "./theme.ts";

/** A line of a chart. */
export interface Series {
  /** Its name. */
  readonly label: string;
  /** Its values; null where there is none. */
  readonly values: readonly (number | null)[];
}

/** Properties of a {@linkcode chart}. */
export interface ChartProps {
  /** What it shows. */
  readonly title: string;
  /** The times of the values, in ms, ascending. */
  readonly at: readonly number[];
  /** Its lines: at most three. */
  readonly series: readonly Series[];
  /** A value as text, with its unit. */
  readonly format: (value: number | undefined) => string;
  /** The value up to which it reaches if all are smaller. */
  readonly atLeast: number;
}

/** The distances of the marks on the axis of time, in s. */
const WHOLE_MINUTES = [60, 120, 300, 600];

const HEIGHT = 132;
const FONT = "11px system-ui, sans-serif";

/** Charts with the same key show their cursors at the same time. */
const CURSOR = "time";

/** A chart with its title, and the last value of each line. */
export function chart(props: ChartProps): VNode {
  return element(Chart, props);
}

function Chart(props: ChartProps): VNode {
  const { title, at, series, format } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const last = series.map(({ label, values }) => `${label} ${format(values.at(-1) ?? undefined)}`);
  useEffect(() => {
    const draw = () => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(props, place.current!), dataOf(props), place.current!);
    };
    draw();
    const observer = new ResizeObserver(([entry]) =>
      plot.current?.setSize({ width: entry!.contentRect.width, height: HEIGHT })
    );
    observer.observe(place.current!);
    const unsubscribe = onThemeChange(draw);
    return () => {
      observer.disconnect();
      unsubscribe();
      plot.current?.destroy();
    };
  }, [title, series.length]);
  useEffect(() => plot.current?.setData(dataOf(props)), [
    at,
    ...series.map(({ values }) => values),
  ]);
  return html`
    <figure class="chart">
      <figcaption>
        <span class="chart-title">${title}</span>
        <span class="chart-values">
          ${series.map(({ label, values }, index) =>
            html`
              <span class="chart-value">
                <span class=${`line series-${index}`} aria-hidden="true"></span>
                ${series.length > 1 && html`<span class="quiet">${label} </span>`}
                <strong>${format(values.at(-1) ?? undefined)}</strong>
              </span>
            `
          )}
        </span>
      </figcaption>
      <div
        class="plot"
        ref=${place}
        role="img"
        aria-label=${`${title} over the last ten minutes; now ${last.join(", ")}`}
      ></div>
    </figure>
  `;
}

function dataOf({ at, series }: ChartProps): uPlot.AlignedData {
  return [at.map((time) => time / 1000), ...series.map(({ values }) => [...values])];
}

function optionsOf(
  { series, format, atLeast }: ChartProps,
  place: HTMLElement,
): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: colour("--quiet"),
    font: FONT,
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    cursor: { sync: { key: CURSOR }, y: false, points: { size: 5 }, drag: { x: false, y: false } },
    legend: { show: false },
    padding: [8, 8, 0, 0],
    scales: { y: { range: (_plot, _least, greatest) => [0, niceTop(greatest ?? 0, atLeast)] } },
    axes: [
      { ...axis, size: 24, space: 70, incrs: WHOLE_MINUTES, values: "{HH}:{mm}" },
      {
        ...axis,
        size: 58,
        space: 28,
        values: (_plot, values) => values.map((each) => format(each)),
      },
    ],
    series: [
      {},
      ...series.map(({ label }, index) => ({
        label,
        stroke: colour(`--series-${index}`),
        width: 1.5,
        points: { show: false },
        ...index === 0 && { fill: colour("--series-fill") },
      })),
    ],
    plugins: [valueAtCursor(series, format)],
  };
}

function niceTop(greatest: number, atLeast: number): number {
  return Math.max(greatest * 1.1, atLeast);
}

/** Shows the values below the pointer. */
function valueAtCursor(
  series: readonly Series[],
  format: ChartProps["format"],
): uPlot.Plugin {
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  return {
    hooks: {
      init: (plot) => void plot.over.append(tip),
      setCursor({ cursor: { idx, left = -1 }, data, over }) {
        tip.hidden = typeof idx !== "number" || left < 0;
        if (typeof idx !== "number") return;
        const time = new Date(data[0][idx]! * 1000).toLocaleTimeString("en-GB");
        const values = series.map(({ label }, index) =>
          `${label} ${format(data[index + 1]?.[idx] ?? undefined)}`
        );
        tip.textContent = [time, ...values].join("  ");
        const isRight = left > over.clientWidth / 2;
        tip.style.left = isRight ? "auto" : `${left + 8}px`;
        tip.style.right = isRight ? `${over.clientWidth - left + 8}px` : "auto";
      },
    },
  };
}
