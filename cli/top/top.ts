/**
 * Runs `top`: on the whole terminal, or as plain text.
 *
 * @module
 */
import type { ActorSystem } from "../../runtime/actor/actor_system.ts";
import type { BusyOrder } from "../../runtime/observation/busiest_protocol.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { stopLogging } from "../../runtime/home/logging.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import { escapeControls } from "../../runtime/safe_text.ts";
import type { Administrator } from "../kit/administrator.ts";
import { Observers } from "../kit/observers.ts";
import { printText, usesColors } from "../kit/output.ts";
import { formatNames } from "../kit/quantities.ts";
import type { ServerReport } from "../kit/server_reports.ts";
import type { ServerSet } from "../kit/server_set_options.ts";
import { ACTOR_COLUMNS, describeServer } from "./actor_table.ts";
import { Feed, type FeedOptions } from "./feed.ts";
import { FullScreen } from "./full_screen.ts";
import { formatRows } from "./rows.ts";
import type { ServerOrder } from "./orders.ts";
import { SERVER_COLUMNS, sortServers, sumUp } from "./server_table.ts";
import { View } from "./view.ts";

/** The shortest time between two drawings, in ms, since many servers may answer at once. */
const DRAW_INTERVAL = 40;

/** The time between the two questions for rates of actors, in ms, of `--once`. */
const ONCE_INTERVAL = 1_100;

/** The number of actors in plain text. */
const PLAIN_ACTORS = 50;

/** What `top` shows. */
export interface TopOptions {
  /** The actors of the command's console. */
  readonly actors: ActorSystem;
  /** Elevates the command where needed. */
  readonly administrator: Administrator;
  /** The servers; undefined for all that are registered, and the registry. */
  readonly set: ServerSet | undefined;
  /** The server whose actors are shown at first. */
  readonly opened: string | undefined;
  /** The order of servers at first. */
  readonly order: ServerOrder;
  /** The order of actors at first. */
  readonly actorOrder: BusyOrder;
  /** The time between two questions, in ms. */
  readonly interval: number;
}

/** Shows servers on the whole terminal until the user quits. */
export async function runOnScreen(options: TopOptions): Promise<void> {
  const { administrator } = options;
  // Its lines would be drawn over.
  if (Deno.stderr.isTerminal()) stopLogging();
  const quit = Promise.withResolvers<void>();
  let drawing: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    drawing ??= setTimeout(() => {
      drawing = undefined;
      screen.draw();
    }, DRAW_INTERVAL);
  };
  const feed: Feed = newFeed(options, { opened: () => view.opened, onNews: draw });
  const view: View = new View(feed, { ...options, colors: usesColors() });
  const repeat = new Repetition(async () => {
    if (!view.isPaused) await feed.poll();
  }, (error) => quit.reject(error));
  using screen = new FullScreen({
    render: (size) => view.render(size),
    onInput(input) {
      const action = view.take(input);
      if (action === "quit") return quit.resolve();
      if (action === "suspend") screen.suspend();
      else if (action === "redraw") screen.redraw();
      else if (action === "opened") feed.pollOpened().catch((error) => quit.reject(error));
      else if (action === "interval") repeat.every(view.interval);
      screen.draw();
    },
    onEnd: () => quit.resolve(),
  });
  administrator.runPrompt = (prompt) => screen.lend(prompt);
  repeat.every(view.interval);
  try {
    await quit.promise;
  } finally {
    clearTimeout(drawing);
    repeat[Symbol.dispose]();
  }
}

/** Calls a function at once, and then again and again. */
class Repetition implements Disposable {
  readonly #work: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(work: () => Promise<void>, onError: (error: unknown) => void) {
    this.#work = work;
    this.#onError = onError;
  }

  /** Begins anew, with another interval in ms. */
  every(interval: number): void {
    clearInterval(this.#timer);
    const work = () => void this.#work().catch(this.#onError);
    this.#timer = setInterval(work, interval);
    work();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/**
 * Prints servers, or the actors of one, as plain text: once, or again and again until the command is
 * stopped or its output has no reader.
 *
 * @throws {EnsembleError} after it has printed once, if a server did not answer.
 */
export async function runAsText(
  options: TopOptions & { readonly once: boolean },
): Promise<void> {
  const { opened: id, actorOrder, interval, once } = options;
  const opened = id === undefined ? undefined : { id, sort: actorOrder, limit: PLAIN_ACTORS };
  const feed: Feed = newFeed(options, { opened: () => opened, onNews() {} });
  // The first answer has no rates of actors.
  if (opened) {
    await feed.pollOpened();
    await new Promise((resolve) => setTimeout(resolve, ONCE_INTERVAL));
  }
  while (true) {
    const began = performance.now();
    await feed.poll();
    printText(`${(opened ? actorBlock(feed, id!) : serverBlock(feed, options)).join("\n")}\n`);
    if (once) return requireAnswers(feed, id);
    if (!hasReader()) return;
    printText("\n");
    const rest = Math.max(0, interval - (performance.now() - began));
    await new Promise((resolve) => setTimeout(resolve, rest));
  }
}

function serverBlock(feed: Feed, { order }: TopOptions): string[] {
  const items = sortServers(feed.reports, order);
  const { headings, rows } = formatRows(SERVER_COLUMNS, { items, width: Infinity });
  const failures = items.flatMap(({ error }) => error ? [escapeControls(error.message)] : []);
  return [`${now()} ${sumUp(items)}`, headings, ...rows, ...failures];
}

function actorBlock(feed: Feed, id: string): string[] {
  const report = reportOf(feed, id);
  const error = openedError(feed, id);
  const items = feed.busiest?.found?.busiest ?? [];
  const { headings, rows } = formatRows(ACTOR_COLUMNS, { items, width: Infinity });
  return [
    `${now()} ${id}`,
    ...report?.status ? describeServer(report.status).map((line) => escapeControls(line)) : [],
    ...error === undefined ? [headings, ...rows] : [escapeControls(error)],
  ];
}

function reportOf(feed: Feed, id: string): ServerReport | undefined {
  return feed.reports.find((each) => each.id === id);
}

/** Why the opened server did not answer; undefined if it did. */
function openedError(feed: Feed, id: string): string | undefined {
  return reportOf(feed, id)?.error?.message ?? feed.busiest?.error;
}

/** Fails if a server did not answer. The reasons are in what was printed. */
function requireAnswers(feed: Feed, opened: string | undefined): void {
  if (opened !== undefined) {
    if (openedError(feed, opened) === undefined) return;
    throw new EnsembleError(`${opened} did not answer`);
  }
  const { reports } = feed;
  const silent = reports.filter(({ error }) => error).map(({ id }) => id).sort();
  if (silent.length === 0) return;
  throw new EnsembleError(
    `${silent.length} of ${reports.length} servers did not answer: ${formatNames(silent)}`,
  );
}

function now(): string {
  return new Date().toTimeString().slice(0, 8);
}

function newFeed(
  { actors, administrator, set }: TopOptions,
  rest: Pick<FeedOptions, "opened" | "onNews">,
): Feed {
  const observers = new Observers({ actors, administrator });
  return new Feed({ actors, observers, set, ...rest });
}
