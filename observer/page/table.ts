/**
 * A table that is sorted by its header, walked through with the arrow keys, and draws only the rows
 * near the visible part.
 *
 * @module
 */
import type { ComponentChildren, VNode } from "npm:preact@^11.2.0";
import { useEffect, useLayoutEffect, useRef, useState } from "npm:preact@^11.2.0/hooks";
import { compareTexts } from "./formatting.ts";
import { element, html } from "./markup.ts";

/** A column of a table. */
export interface Column<Row> {
  /** Its name, unique in the table. */
  readonly name: string;
  /** Its title. */
  readonly title: string;
  /** What its figures mean, as a tooltip. */
  readonly meaning?: string;
  /** What it is sorted by. Without it, the column cannot be sorted. */
  readonly value?: (row: Row) => string | number | undefined;
  /** The content of a cell. Default: the value. */
  readonly cell?: (row: Row) => ComponentChildren;
  /** Whether it has numbers, which are aligned at their ends and sorted from the greatest. */
  readonly isNumber?: boolean;
  /** How wide the screen has to be to show it: always, or from a tablet or a desktop on. */
  readonly from?: "tablet" | "desktop";
}

/** Properties of a {@linkcode table}. */
export interface TableProps<Row> {
  /** What the table has, for screen readers. */
  readonly caption: string;
  /** Its columns. The first cell of each row is its header. */
  readonly columns: readonly Column<Row>[];
  /** Its rows, in an order that stays if they are not sorted. */
  readonly rows: readonly Row[];
  /** What identifies a row. */
  readonly keyOf: (row: Row) => string | number;
  /** The column that sorts the rows at first; none: as they come. */
  readonly sortedBy?: string;
  /** Called when the reader sorts by a column; then the rows come sorted. */
  readonly onSort?: (column: string) => void;
  /** What to show if there are no rows. */
  readonly empty: string;
}

/** The height of a row, in pixels, as in the style sheet. */
const ROW = 33;

/** Tables with fewer rows are drawn as a whole. */
const WHOLE = 60;

/** How many rows are drawn above and below the visible ones. */
const MARGIN = 15;

/** A table. */
export function table<Row>(props: TableProps<Row>): VNode {
  return element(Table<Row>, props);
}

function Table<Row>(props: TableProps<Row>): VNode {
  const { caption, columns, keyOf, empty, onSort } = props;
  const [sort, setSort] = useState({ name: props.sortedBy, isReversed: false });
  const body = useRef<HTMLTableSectionElement>(null);
  const rows = onSort ? props.rows : sorted(props.rows, columns, sort);
  const visible = useVisibleRows(body, rows.length);
  if (rows.length === 0) return html`<p class="notice notice-empty">${empty}</p>`;
  const choose = (name: string) => {
    setSort({ name, isReversed: !onSort && sort.name === name && !sort.isReversed });
    onSort?.(name);
  };
  return html`
    <div class="table-frame">
      <table aria-rowcount=${rows.length + 1}>
        <caption class="hidden">${caption}</caption>
        <thead>
          <tr>
            ${columns.map((column) => headerCell(column, { sort, choose }))}
          </tr>
        </thead>
        <tbody ref=${body} onKeyDown=${moveBetweenRows}>
          ${spacer("above", visible.first)}
          ${rows.slice(visible.first, visible.end).map((row, index) =>
            html`
              <tr key=${keyOf(row)} aria-rowindex=${visible.first + index + 2}>
                ${columns.map((column, at) => bodyCell(column, row, at === 0))}
              </tr>
            `
          )}
          ${spacer("below", rows.length - visible.end)}
        </tbody>
      </table>
    </div>
  `;
}

interface Sort {
  readonly name: string | undefined;
  readonly isReversed: boolean;
}

function headerCell<Row>(
  { name, title, meaning, value, isNumber, from }: Column<Row>,
  { sort, choose }: { sort: Sort; choose: (name: string) => void },
): VNode {
  const isSorted = sort.name === name;
  const isAscending = !!isNumber === sort.isReversed;
  return html`
    <th
      key=${name}
      scope="col"
      class=${classOf(isNumber, from)}
      aria-sort=${isSorted ? isAscending ? "ascending" : "descending" : undefined}
      title=${meaning}
    >
      ${value === undefined ? title : html`
        <button type="button" class="sort" onClick=${() => choose(name)}>
          ${title}<span class="arrow" aria-hidden="true">
            ${isSorted ? isAscending ? "▲" : "▼" : ""}
          </span>
        </button>
      `}
    </th>
  `;
}

function bodyCell<Row>(column: Column<Row>, row: Row, isFirst: boolean): VNode {
  const { name, cell, value, isNumber, from } = column;
  const content = cell ? cell(row) : value?.(row);
  const classes = classOf(isNumber, from);
  return isFirst
    ? html`<th key=${name} scope="row" class=${classes} tabindex="-1">${content}</th>`
    : html`<td key=${name} class=${classes}>${content}</td>`;
}

function classOf(isNumber: boolean | undefined, from: string | undefined): string | undefined {
  return [isNumber && "number", from && `from-${from}`].filter(Boolean).join(" ") || undefined;
}

function spacer(key: string, rows: number): VNode | false {
  return rows > 0 &&
    html`<tr key=${key} class="spacer" aria-hidden="true" style=${{
      height: `${rows * ROW}px`,
    }} />`;
}

function sorted<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { name, isReversed }: Sort,
): readonly Row[] {
  const column = columns.find((each) => each.name === name);
  const value = column?.value;
  if (!value) return rows;
  const sign = isReversed ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [first, second] = [value(a), value(b)];
    if (first === second) return 0;
    // Missing figures are last in either direction.
    if (first === undefined) return 1;
    if (second === undefined) return -1;
    const order = typeof first === "number" && typeof second === "number"
      ? second - first
      : compareTexts(String(first), String(second));
    return sign * order;
  });
}

/** The rows to draw, which follow the part of the page that is visible. */
function useVisibleRows(
  body: { readonly current: HTMLTableSectionElement | null },
  count: number,
): { first: number; end: number } {
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(innerHeight);
  const isWhole = count <= WHOLE;
  const measure = () => {
    if (isWhole || !body.current) return;
    const above = -body.current.getBoundingClientRect().top;
    // In steps, so that most movements draw nothing.
    setFirst(Math.max(0, 5 * Math.floor((above / ROW - MARGIN) / 5)));
    setHeight(innerHeight);
  };
  useLayoutEffect(measure, [isWhole]);
  useEffect(() => {
    addEventListener("scroll", measure, { passive: true });
    addEventListener("resize", measure);
    return () => {
      removeEventListener("scroll", measure);
      removeEventListener("resize", measure);
    };
  }, [isWhole]);
  if (isWhole) return { first: 0, end: count };
  const shown = Math.ceil(height / ROW) + 2 * MARGIN + 5;
  const begin = Math.min(first, Math.max(0, count - shown));
  return { first: begin, end: Math.min(count, begin + shown) };
}

/** What gets the focus in each row that is drawn: its first link, or else its header. */
export function rowFocuses(table: ParentNode): HTMLElement[] {
  return [...table.querySelectorAll<HTMLElement>("tbody th")].map((header) =>
    header.querySelector("a") ?? header
  );
}

/** Moves the focus between rows. */
function moveBetweenRows(event: KeyboardEvent & { currentTarget: HTMLElement }): void {
  const target = event.target as HTMLElement;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || target.closest("select, input")) return;
  const focuses = rowFocuses(event.currentTarget.parentElement!);
  const at = focuses.findIndex((each) => each.closest("tr") === target.closest("tr"));
  const next = focuses[at + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
