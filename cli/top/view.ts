/**
 * What `top` shows on the screen, and what keys do.
 *
 * @module
 */
import stringWidth from "npm:fast-string-width@^3.0.2";
import type { BusyActor, BusyOrder } from "../../runtime/observation/busiest_protocol.ts";
import { escapeControls } from "../../runtime/safe_text.ts";
import type { TerminalInput } from "../kit/key_decoder.ts";
import type { ServerReport } from "../kit/server_reports.ts";
import { ACTOR_COLUMNS, describeServer } from "./actor_table.ts";
import type { Feed, Opened } from "./feed.ts";
import { cut, formatRows, type ItemColumn } from "./rows.ts";
import { ACTOR_ORDERS, SERVER_ORDERS, type ServerOrder } from "./orders.ts";
import { SERVER_COLUMNS, sortServers, stateOf, sumUp } from "./server_table.ts";

/** The intervals that + and - choose from, in ms. */
const INTERVALS = [500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/** The number of actors to ask a server for, and with a filter. */
const ACTORS = 200;
const FILTERED_ACTORS = 1_000;

/** The rows below which the keys are not explained at the bottom. */
const LEAST_ROWS = 8;

/** The keys, and what they do: in two columns where there is room. */
const KEYS = [
  ["up, down, j, k", "move"],
  ["enter, right", "open a server: its actors"],
  ["page up, page down", "move by a screen"],
  ["esc, left", "go back"],
  ["home, end, g, G", "first, last"],
  ["/", "filter names by a text"],
  ["s, S", "next, previous order"],
  ["r", "reverse the order"],
  ["space", "pause, go on"],
  ["+ -", "ask more often, less often"],
  ["ctrl-l", "draw again"],
  ["q, ctrl-c", "quit"],
] as const;

/** The columns, and what is in them. */
const MEANINGS = [
  "cpu       the used part of one processor core",
  "memory    what the process has in physical memory",
  "delay     how late the event loop is: the 99th percentile of the last minute",
  "mailbox   the messages in the longest mailbox, or in that of the actor",
  "handled/s the messages that actors took; in/s and out/s: from and to other servers",
  "time      the part of the time in which the actor was in handlers",
  "trouble   servers that do not answer, then late ones and long mailboxes",
];

/** The width from which the keys are in two columns. */
const WIDE = 80;

/** Where the second column of keys begins. */
const SECOND_COLUMN = 41;

/** The widths of the names of keys, in both columns, and of columns in the help. */
const KEY_WIDTH = 18, SECOND_WIDTH = 12, MEANING_WIDTH = 10;

/** The place of a list: what is selected, and what is seen. */
class Place {
  /** The selected item; undefined before any was chosen: then it is the first. */
  selected: string | undefined;
  /** The index of the selected item at the last drawing. */
  index = 0;
  /** The index of the first item that is seen. */
  top = 0;
  /** Only items whose names have this text are shown. */
  filter = "";
  /** Whether the order is reversed. */
  isReversed = false;
}

/** What the screen shows at first, and how. */
export interface ViewOptions {
  /** The order of the servers at first. */
  readonly order: ServerOrder;
  /** The order of actors at first. */
  readonly actorOrder: BusyOrder;
  /** The server that is open at first. */
  readonly opened: string | undefined;
  /** The interval at first, in ms. */
  readonly interval: number;
  /** Whether to use colors. */
  readonly colors: boolean;
}

/** What a key does outside of the view. */
export type Action = "quit" | "suspend" | "redraw" | "opened" | "interval" | undefined;

/** The screen of `top`. */
export class View {
  readonly #feed: Pick<Feed, "reports" | "busiest" | "registryError" | "isListed">;
  readonly #colors: boolean;
  readonly #servers = new Place();
  #actors = new Place();
  #order: ServerOrder;
  #actorOrder: BusyOrder;
  #opened: string | undefined;
  #interval: number;
  #isPaused = false;
  #isHelp = false;
  /** The index of the first line of the help that is seen. */
  #helpTop = 0;
  /** Whether a filter is being typed. */
  #isTyping = false;
  /** The number of rows of the list at the last drawing. */
  #page = 10;

  /** Shows what a feed has. */
  constructor(
    feed: Pick<Feed, "reports" | "busiest" | "registryError" | "isListed">,
    options: ViewOptions,
  ) {
    this.#feed = feed;
    this.#order = options.order;
    this.#actorOrder = options.actorOrder;
    this.#opened = options.opened;
    this.#interval = options.interval;
    this.#colors = options.colors;
  }

  /** Whether nothing new is to be asked for. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The time between two questions, in ms. */
  get interval(): number {
    return this.#interval;
  }

  /** The server whose actors are shown. */
  get opened(): Opened | undefined {
    if (this.#opened === undefined) return undefined;
    const limit = this.#actors.filter === "" ? ACTORS : FILTERED_ACTORS;
    return { id: this.#opened, sort: this.#actorOrder, limit };
  }

  /** Takes a key or a text. */
  take(input: TerminalInput): Action {
    if (input.kind === "key") return this.#takeKey(input.key);
    if (this.#isTyping) return this.#type(input.text);
    if (input.kind === "paste") return undefined;
    let action: Action;
    for (const letter of input.text) {
      // What follows the / is the filter.
      if (this.#isTyping) this.#type(letter);
      else action = this.#takeLetter(letter) ?? action;
    }
    return action;
  }

  /** The lines of the screen. */
  render({ columns, rows }: { readonly columns: number; readonly rows: number }): string[] {
    const head = this.#head(columns);
    const foot = rows >= LEAST_ROWS ? [...this.#trouble(columns), this.#foot(columns)] : [];
    const room = Math.max(1, rows - head.length - foot.length);
    const body = this.#isHelp
      ? this.#helpLines(columns, room)
      : this.#opened === undefined
      ? this.#serverLines(columns, room)
      : this.#actorLines(columns, room);
    const filling = Array.from({ length: Math.max(0, room - body.length) }, () => "");
    return [...head, ...body, ...filling, ...foot];
  }

  get #place(): Place {
    return this.#opened === undefined ? this.#servers : this.#actors;
  }

  #takeKey(key: string): Action {
    switch (key) {
      case "ctrl-c":
        return "quit";
      case "ctrl-z":
        return "suspend";
      case "ctrl-l":
        return "redraw";
      case "up":
        return this.#move(-1);
      case "down":
        return this.#move(1);
      case "page-up":
        return this.#move(-this.#page);
      case "page-down":
        return this.#move(this.#page);
      case "home":
        return this.#move(-Infinity);
      case "end":
        return this.#move(Infinity);
      case "enter":
        if (this.#isTyping) this.#isTyping = false;
        else return this.#open();
        return undefined;
      case "right":
        return this.#open();
      case "left":
      case "escape":
        return this.#back();
      case "backspace":
        if (!this.#isTyping) return this.#back();
        this.#filter(this.#place.filter.slice(0, -1));
        return "opened";
      case "ctrl-u":
        if (this.#isTyping) this.#filter("");
        return "opened";
    }
  }

  #takeLetter(letter: string): Action {
    switch (letter) {
      case "q":
        return this.#isHelp ? this.#back() : "quit";
      case "?":
      case "h":
        this.#isHelp = !this.#isHelp;
        this.#helpTop = 0;
        return undefined;
      case "k":
        return this.#move(-1);
      case "j":
        return this.#move(1);
      case "g":
        return this.#move(-Infinity);
      case "G":
        return this.#move(Infinity);
      case "s":
        return this.#sort(1);
      case "S":
        return this.#sort(-1);
      case "r":
        this.#place.isReversed = !this.#place.isReversed;
        return undefined;
      case "/":
        this.#isHelp = false;
        this.#isTyping = true;
        return undefined;
      case " ":
        this.#isPaused = !this.#isPaused;
        return this.#isPaused ? undefined : "interval";
      case "+":
      case "=":
        return this.#ask(INTERVALS.findLast((each) => each < this.#interval));
      case "-":
        return this.#ask(INTERVALS.find((each) => each > this.#interval));
    }
  }

  #type(text: string): Action {
    this.#filter(this.#place.filter + text.replaceAll("\n", ""));
    return "opened";
  }

  #filter(filter: string): void {
    Object.assign(this.#place, { filter, selected: undefined, top: 0 });
  }

  #ask(interval: number | undefined): Action {
    if (interval !== undefined) this.#interval = interval;
    return "interval";
  }

  #move(by: number): undefined {
    if (this.#isHelp) {
      this.#helpTop = Math.max(0, this.#helpTop + by);
      return;
    }
    const place = this.#place;
    const keys = this.#keys();
    const index = Math.min(Math.max(0, place.index + by), keys.length - 1);
    place.index = Math.max(0, index);
    place.selected = keys[index];
  }

  #open(): Action {
    if (this.#isHelp || this.#opened !== undefined) return undefined;
    const id = this.#keys()[this.#servers.index];
    if (id === undefined) return undefined;
    this.#servers.selected = id;
    this.#opened = id;
    this.#actors = new Place();
    return "opened";
  }

  /** Ends the help, the filter, or the view of a server. */
  #back(): Action {
    if (this.#isHelp) this.#isHelp = false;
    else if (this.#isTyping || this.#place.filter !== "") {
      this.#isTyping = false;
      this.#filter("");
    } else if (this.#opened !== undefined) {
      this.#opened = undefined;
      return "interval";
    }
  }

  #sort(by: number): Action {
    if (this.#opened === undefined) {
      this.#order = next(SERVER_ORDERS, this.#order, by);
      return undefined;
    }
    this.#actorOrder = next(ACTOR_ORDERS, this.#actorOrder, by);
    return "opened";
  }

  /** The servers to show, in order. */
  #listedServers(): ServerReport[] {
    const { filter, isReversed } = this.#servers;
    const shown = this.#feed.reports.filter(({ id }) => id.includes(filter));
    const sorted = sortServers(shown, this.#order);
    return isReversed ? sorted.reverse() : sorted;
  }

  /** The actors to show, in order. */
  #listedActors(): BusyActor[] {
    const { busiest } = this.#feed;
    if (!busiest?.found || busiest.id !== this.#opened) return [];
    const { filter, isReversed } = this.#actors;
    const shown = busiest.found.busiest
      .filter(({ name, serial }) => `${name ?? serial}`.includes(filter));
    return isReversed ? shown.reverse() : shown;
  }

  #keys(): string[] {
    return this.#opened === undefined
      ? this.#listedServers().map(({ id }) => id)
      : this.#listedActors().map(({ serial }) => `${serial}`);
  }

  #head(columns: number): string[] {
    const time = new Date().toTimeString().slice(0, 8);
    const what = this.#opened === undefined
      ? sumUp(this.#feed.reports)
      : escapeControls(this.#opened);
    const state = this.#isPaused ? "paused" : `every ${this.#interval / 1000} s`;
    const first = this.#feed.isListed || this.#opened !== undefined
      ? what
      : "asking the registry ...";
    const lines = [cut(`${time} ${state}  ${first}`, columns)];
    const { registryError } = this.#feed;
    if (registryError !== undefined) {
      const text = cut(`the registry: ${escapeControls(registryError)}`, columns);
      lines.push(this.#paint(text, RED));
    }
    return lines;
  }

  /** Why the selected server does not answer. */
  #trouble(columns: number): string[] {
    if (this.#isHelp || this.#opened !== undefined) return [];
    const { error } = this.#listedServers()[this.#servers.index] ?? {};
    return error ? [this.#paint(cut(escapeControls(error.message), columns), RED)] : [];
  }

  #foot(columns: number): string {
    const { filter } = this.#place;
    if (this.#isTyping) {
      return cut(`/${escapeControls(filter)}_   enter: keep it, esc: show all`, columns);
    }
    const order = this.#opened === undefined ? this.#order : this.#actorOrder;
    // Those with the highest number are left out where there is no room.
    const parts: readonly [text: string, rank: number][] = [
      [this.#opened === undefined ? "enter open" : "esc back", 2],
      [`s order: ${order}${this.#place.isReversed ? " reversed" : ""}`, 4],
      [filter === "" ? "/ filter" : `filter: ${escapeControls(filter)}`, filter === "" ? 3 : 1],
      [this.#isPaused ? "space go on" : "space pause", 5],
      ["? help", 0],
      ["q quit", 0],
    ];
    let text = "";
    for (let most = 5; most >= 0; most--) {
      text = parts.filter(([, rank]) => rank <= most).map(([part]) => part).join("   ");
      if (stringWidth(text) <= columns) break;
    }
    return this.#paint(cut(text, columns), DIM);
  }

  /** The part of the help that is seen: as on a page that is moved up and down. */
  #helpLines(columns: number, room: number): string[] {
    const rows = columns < WIDE
      ? KEYS.flatMap(([key, does]) =>
        wrapped(`${key.padEnd(KEY_WIDTH)} ${does}`, { columns, indent: KEY_WIDTH + 1 })
      )
      : KEYS.flatMap(([key, does], index) => {
        const [other, doesOther] = KEYS[index + 1] ?? [];
        if (index % 2 > 0) return [];
        const line = `${key.padEnd(KEY_WIDTH)} ${does}`.padEnd(SECOND_COLUMN);
        return [`${line}${other!.padEnd(SECOND_WIDTH)} ${doesOther}`];
      });
    const lines = [
      ...rows,
      "",
      ...MEANINGS.flatMap((text) => wrapped(text, { columns, indent: MEANING_WIDTH })),
    ];
    this.#page = room;
    this.#helpTop = Math.min(this.#helpTop, Math.max(0, lines.length - room));
    return lines.slice(this.#helpTop, this.#helpTop + room).map((line) => cut(line, columns));
  }

  #serverLines(columns: number, room: number): string[] {
    const items = this.#listedServers();
    return this.#list(SERVER_COLUMNS, {
      items,
      columns,
      room,
      keyOf: ({ id }) => id,
      colorOf: (report) => COLORS[stateOf(report)],
    });
  }

  #actorLines(columns: number, room: number): string[] {
    const report = this.#feed.reports.find(({ id }) => id === this.#opened);
    const { busiest } = this.#feed;
    const isMine = busiest?.id === this.#opened;
    const error = report?.error?.message ?? (isMine ? busiest?.error : undefined);
    const about = report?.status ? describeServer(report.status) : [];
    const head = [
      ...about.map((line) => cut(escapeControls(line), columns)),
      ...error === undefined ? [] : [this.#paint(cut(escapeControls(error), columns), RED)],
    ].slice(0, Math.max(0, room - 3));
    const found = isMine ? busiest?.found : undefined;
    const hidden = found && found.actors > found.busiest.length
      ? [cut(`the busiest ${found.busiest.length} of ${found.actors} actors`, columns)]
      : [];
    const list = this.#list(ACTOR_COLUMNS, {
      items: this.#listedActors(),
      columns,
      room: room - head.length - hidden.length,
      keyOf: ({ serial }) => `${serial}`,
      // What is known of one that does not answer is old.
      colorOf: ({ essential }) => essential || error !== undefined ? DIM : undefined,
    });
    return [...head, ...hidden, ...list];
  }

  /** The headings and the seen part of a list, with the selected item marked. */
  #list<Item>(table: readonly ItemColumn<Item>[], options: {
    readonly items: readonly Item[];
    readonly columns: number;
    readonly room: number;
    keyOf(item: Item): string;
    colorOf(item: Item): string | undefined;
  }): string[] {
    const { items, columns, keyOf, colorOf } = options;
    const seen = Math.max(1, options.room - 1);
    this.#page = seen;
    const place = this.#place;
    const found = items.findIndex((item) => keyOf(item) === place.selected);
    if (found >= 0) place.index = found;
    else if (place.selected === undefined) place.index = 0;
    place.index = Math.max(0, Math.min(place.index, items.length - 1));
    place.top = Math.max(0, Math.min(place.top, place.index, items.length - seen));
    if (place.index >= place.top + seen) place.top = place.index - seen + 1;
    const { headings, rows } = formatRows(table, { items, width: columns });
    const lines = rows.slice(place.top, place.top + seen).map((row, offset) => {
      const index = place.top + offset;
      if (index === place.index) {
        const space = " ".repeat(Math.max(0, columns - stringWidth(row)));
        return `\x1b[7m${row}${space}\x1b[0m`;
      }
      return this.#paint(row, colorOf(items[index]!));
    });
    if (items.length === 0 && place.filter !== "") {
      lines.push(cut("no name has that text", columns));
    }
    return [`\x1b[1m${headings}\x1b[0m`, ...lines];
  }

  #paint(text: string, color: string | undefined): string {
    return this.#colors && color !== undefined ? `\x1b[${color}m${text}\x1b[0m` : text;
  }
}

const RED = "31", YELLOW = "33", DIM = "2";

/** The colors of states. */
const COLORS: Readonly<Record<string, string>> = {
  "no answer": RED,
  unreachable: RED,
  draining: YELLOW,
  starting: YELLOW,
};

/** Breaks a line between its words, and indents what follows. */
function wrapped(
  text: string,
  { columns, indent }: { readonly columns: number; readonly indent: number },
): string[] {
  const [first, ...words] = text.slice(indent).split(" ");
  const lines = [text.slice(0, indent) + first];
  for (const word of words) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= columns) lines[lines.length - 1] = longer;
    else lines.push(" ".repeat(indent) + word);
  }
  return lines;
}

function next<Order>(orders: readonly Order[], order: Order, by: number): Order {
  return orders.at((orders.indexOf(order) + by) % orders.length)!;
}
