/**
 * Tables: aligned columns below headings on a terminal, values separated by tabs for programs.
 *
 * @module
 */
import stringWidth from "npm:fast-string-width@^3.0.2";
import { escapeControls } from "../../runtime/safe_text.ts";
import { printText } from "./output.ts";

/** A column of a table. */
export interface Column {
  /** What stands above it. */
  readonly heading: string;
  /** Whether it is aligned to the right, as numbers are. */
  readonly isNumber?: boolean;
}

/** Formats rows in aligned columns. Rows can come in parts; columns only become wider. */
export class AlignedRows {
  readonly #columns: readonly Column[];
  readonly #widths: number[];

  /** Starts with columns that are as wide as their headings. */
  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    this.#widths = columns.map(({ heading }) => stringWidth(heading));
  }

  /** The line of the headings, in the widths so far. */
  get headings(): string {
    return this.#align(this.#columns.map(({ heading }) => heading));
  }

  /** Makes the columns wide enough for further rows, and formats those, one a line. */
  format(rows: readonly (readonly string[])[]): string[] {
    const safe = rows.map((row) => row.map((cell) => escapeControls(cell)));
    for (const row of safe) {
      row.forEach((cell, column) => {
        this.#widths[column] = Math.max(this.#widths[column]!, stringWidth(cell));
      });
    }
    return safe.map((row) => this.#align(row));
  }

  #align(row: readonly string[]): string {
    return row.map((cell, column) => {
      const space = " ".repeat(this.#widths[column]! - stringWidth(cell));
      return this.#columns[column]!.isNumber ? space + cell : cell + space;
    }).join("  ").trimEnd();
  }
}

/**
 * Prints rows on standard output as they come: on a terminal as a table with headings, which needs
 * at least one row; otherwise without headings, with a tab between values. Control characters in
 * values, tabs too, are escaped.
 */
export class TablePrinter {
  readonly #rows: AlignedRows;
  #isBegun = false;

  /** Prints nothing yet. */
  constructor(columns: readonly Column[]) {
    this.#rows = new AlignedRows(columns);
  }

  /** Prints further rows. On a terminal, those of one call are aligned with each other. */
  print(rows: readonly (readonly string[])[]): void {
    if (rows.length === 0) return;
    if (!Deno.stdout.isTerminal()) {
      const lines = rows.map((row) => row.map((cell) => escapeControls(cell)).join("\t"));
      return printText(`${lines.join("\n")}\n`);
    }
    const lines = this.#rows.format(rows);
    if (!this.#isBegun) lines.unshift(this.#rows.headings);
    this.#isBegun = true;
    printText(`${lines.join("\n")}\n`);
  }
}
