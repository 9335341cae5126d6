/**
 * Log records with filters, and a pause.
 *
 * @module
 */
import type { ComponentChildren, VNode } from "npm:preact@^11.2.0";
import { useEffect, useLayoutEffect, useRef, useState } from "npm:preact@^11.2.0/hooks";
import { filterField, matches } from "./filter_field.ts";
import { dateTime, preciseClock } from "./formatting.ts";
import { element, html } from "./markup.ts";
import { levelMark, notice } from "./marks.ts";
import type { ObservedLevel, ObservedLogRecord } from "./page_protocol.ts";
import { serverLink } from "./routes.ts";

/** The levels, from the least to the most severe. */
export const LEVELS: readonly ObservedLevel[] = [
  "trace",
  "debug",
  "info",
  "warning",
  "error",
  "fatal",
];

/** The most records that are drawn: the last. */
const MAX_DRAWN = 400;

/** Properties of a {@linkcode logList}. */
export interface LogListProps {
  /** The title, as a heading of the view or of its part. */
  readonly title: VNode;
  /** The records, oldest first. */
  readonly records: readonly ObservedLogRecord[];
  /** The least level that can be chosen; below it there are no records. */
  readonly leastLevel: ObservedLevel;
  /** The level that is chosen at first. */
  readonly level: ObservedLevel;
  /** Called when the reader chooses another level. */
  readonly onLevel?: (level: ObservedLevel) => void;
  /** Whether the records name their servers. */
  readonly namesServers: boolean;
  /** What to show if there are no records. */
  readonly empty: string;
  /** Something to show below the filters. */
  readonly note?: ComponentChildren;
}

/** Log records. */
export function logList(props: LogListProps): VNode {
  return element(LogList, props);
}

function LogList(props: LogListProps): VNode {
  const { title, records, leastLevel, onLevel, namesServers, empty, note } = props;
  const [filter, setFilter] = useState("");
  const [level, setLevel] = useState(props.level);
  const [paused, setPaused] = useState<readonly ObservedLogRecord[]>();
  const least = LEVELS.indexOf(level);
  const shown = (paused ?? records).filter((record) =>
    LEVELS.indexOf(record.level) >= least &&
    matches(filter, [record.server, record.category, record.message, record.details])
  ).slice(-MAX_DRAWN);
  const frame = useRef<HTMLDivElement>(null);
  useFollowing(frame, shown.at(-1));
  const last = paused?.at(-1);
  const missed = paused === undefined
    ? 0
    : records.length - 1 - (last ? records.lastIndexOf(last) : -1);
  const choose = (event: Event) => {
    const chosen = (event.target as HTMLSelectElement).value as ObservedLevel;
    setLevel(chosen);
    onLevel?.(chosen);
  };
  return html`
    <section class="logs">
      <header class="view-head">
        ${title}
        ${filterField({ what: "records", text: filter, onText: setFilter })}
        <label class="field">
          Level
          <select value=${level} onChange=${choose}>
            ${LEVELS.slice(LEVELS.indexOf(leastLevel)).map((each) =>
              html`
                <option key=${each} value=${each}>${each === "fatal"
                  ? each
                  : `${each} and up`}</option>
              `
            )}
          </select>
        </label>
        <button
          type="button"
          class="button"
          data-key="p"
          aria-pressed=${paused !== undefined}
          title="Key p"
          onClick=${() => setPaused(paused === undefined ? records : undefined)}
        >${paused === undefined ? "Pause" : missed > 0 ? `Go on (${missed} new)` : "Go on"}</button>
      </header>
      ${note}
      <div class="panel log-frame" ref=${frame} tabindex="0" role="log" aria-live="off" aria-label="Log records">
        ${shown.length > 0
          ? shown.map((record) => line(record, namesServers))
          : notice(records.length === 0 ? empty : "No record matches the filters.")}
      </div>
    </section>
  `;
}

function line(record: ObservedLogRecord, namesServers: boolean): VNode {
  const { server, sequence, at, level, category, message, details } = record;
  const key = `${server} ${sequence}`;
  const text = html`
    <span class="log-line">
      <time class="quiet" title=${dateTime(at)}>${preciseClock(at)}</time>
      ${levelMark(level)}
      ${namesServers && html`
        <a class="log-server" href=${serverLink(server, "logs")}><bdi>${server}</bdi></a>
      `}
      <bdi class="log-category quiet">${category}</bdi>
      <bdi class="log-message">${message}</bdi>
    </span>
  `;
  if (details === undefined) return html`<div key=${key} class="log-record">${text}</div>`;
  return html`
    <details key=${key} class="log-record">
      <summary>${text}</summary>
      <pre>${details}</pre>
    </details>
  `;
}

/** Keeps the end in view as records come, unless the reader has scrolled back. */
function useFollowing(
  frame: { readonly current: HTMLElement | null },
  last: ObservedLogRecord | undefined,
): void {
  const isAtEnd = useRef(true);
  useEffect(() => {
    const scrolled = () => {
      const { scrollTop, scrollHeight, clientHeight } = frame.current!;
      isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24;
    };
    const element = frame.current!;
    element.addEventListener("scroll", scrolled, { passive: true });
    return () => element.removeEventListener("scroll", scrolled);
  }, []);
  useLayoutEffect(() => {
    if (isAtEnd.current) frame.current!.scrollTop = frame.current!.scrollHeight;
  }, [last]);
}
