/**
 * The first view: the whole ensemble at a glance.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { type Concern, concerns, LATE, LONG_MAILBOX } from "./attention.ts";
import { clock, count, counted, milliseconds, short, size } from "./formatting.ts";
import { graph } from "./graph.ts";
import { historyCharts } from "./history_charts.ts";
import { changeMark } from "./timeline_view.ts";
import { html } from "./markup.ts";
import { levelMark, serverName, STATES } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ObservedServer, ObservedStatus } from "./page_protocol.ts";
import { serverLink, viewLink } from "./routes.ts";

/** How many concerns, changes and records are shown; the others have views of their own. */
const SHOWN = 8;

/** The view. */
export function overview(model: Model): VNode {
  const servers = model.sortedServers();
  return html`
    <section class="overview">
      <h1 tabindex="-1" class="hidden">Overview</h1>
      ${tiles(servers, model)}
      <div class="columns">
        ${graph(model)}
        <div class="column">
          ${attention(concerns(servers, model.now()))}
          ${lastChanges(model)}
        </div>
      </div>
      <section aria-labelledby="history-title">
        <h2 id="history-title">The last ten minutes</h2>
        ${historyCharts()}
      </section>
      ${lastWarnings(model)}
    </section>
  `;
}

function tiles(servers: readonly ObservedServer[], model: Model): VNode {
  const figures = servers.flatMap(({ status, state }) => state === "gone" ? [] : status ?? []);
  const delay = greatest(figures, ({ eventLoopDelay }) => eventLoopDelay?.p99);
  const mailbox = greatest(
    figures,
    ({ longestMailboxes }) => longestMailboxes && (longestMailboxes[0]?.length ?? 0),
  );
  const asks = sum(figures, ({ asksPending }) => asksPending) ?? 0;
  const bytes = sum(figures, ({ received }) => received?.bytesPerSecond);
  const handled = sum(figures, ({ handledPerSecond }) => handledPerSecond);
  return html`
    <ul class="tiles" aria-label="Figures of the whole ensemble">
      ${tile("Servers", {
        value: count(servers.filter(({ state }) => state === "up").length),
        unit: " up",
        note: otherStates(servers),
        isBad: servers.some(({ state }) => state === "unreachable"),
      })}
      ${tile("Messages", {
        value: short(sum(figures, ({ received }) => received?.messagesPerSecond)),
        unit: " /s",
        note: `${size(bytes)}/s`,
      })}
      ${tile("Actors", {
        value: count(sum(figures, ({ actors }) => actors)),
        note: `${short(handled)} handled/s`,
      })}
      ${tile("Longest mailbox", {
        value: count(mailbox),
        note: `${counted(asks, "ask")} waiting`,
        isBad: (mailbox ?? 0) >= LONG_MAILBOX,
      })}
      ${tile("Event-loop delay", {
        value: milliseconds(delay),
        note: "p99 of the worst server",
        isBad: (delay ?? 0) >= LATE,
      })}
      ${tile("Memory", {
        value: size(sum(processes(servers), ({ memory }) => memory?.rss)),
        note: counted(model.connections.size + model.connectionsLeftOut, "connection"),
      })}
    </ul>
  `;
}

/** The figures of one server of each process, for what is the process's. */
function processes(servers: readonly ObservedServer[]): ObservedStatus[] {
  const shown = servers.filter(({ state }) => state !== "gone");
  const byProcess = new Map(shown.map((server) => [
    server.pid === undefined ? server.id : `${server.pid} ${server.host}`,
    server.status,
  ]));
  return [...byProcess.values()].flatMap((status) => status ?? []);
}

/** The states of the servers that are not up, the worst first. */
function otherStates(servers: readonly ObservedServer[]): string {
  const [worst, ...others] = STATES.toReversed().flatMap((state) => {
    const { length } = servers.filter((each) => each.state === state);
    return state === "up" || length === 0 ? [] : { state, length };
  });
  if (!worst) return "all of them";
  const more = others.reduce((sum, { length }) => sum + length, 0);
  return `${worst.length} ${worst.state}${more === 0 ? "" : `, ${more} more not up`}`;
}

interface Tile {
  readonly value: string;
  readonly unit?: string;
  readonly note: string;
  readonly isBad?: boolean;
}

function tile(title: string, { value, unit, note, isBad }: Tile): VNode {
  return html`
    <li class=${isBad ? "tile tile-bad" : "tile"}>
      <span class="tile-title">${title}</span>
      <span class="tile-value">${value}<span class="unit">${unit}</span></span>
      <span class="tile-note">${note}</span>
    </li>
  `;
}

/** The sum of those figures that there are. */
function sum(
  figures: readonly ObservedStatus[],
  value: (status: ObservedStatus) => number | undefined,
): number | undefined {
  const values = figures.flatMap((status) => value(status) ?? []);
  return values.length === 0 ? undefined : values.reduce((a, b) => a + b);
}

function greatest(
  figures: readonly ObservedStatus[],
  value: (status: ObservedStatus) => number | undefined,
): number | undefined {
  const values = figures.flatMap((status) => value(status) ?? []);
  return values.length === 0 ? undefined : Math.max(...values);
}

function attention(found: readonly Concern[]): VNode {
  return html`
    <section class="panel" aria-labelledby="attention-title">
      <header class="panel-head">
        <h2 id="attention-title">Needs attention</h2>
        ${found.length > 0 && html`<span class="badge">${found.length}</span>`}
      </header>
      ${found.length === 0
        ? html`<p class="calm"><span class="sign" aria-hidden="true">✓</span> Nothing: all servers are well.</p>`
        : html`
          <ul class="concerns">
            ${found.slice(0, SHOWN).map(({ server, text, weight }) =>
              html`
                <li class=${`concern concern-${weight}`}>
                  ${server
                    ? serverName(server)
                    : html`<a href=${viewLink("versions")}>Versions</a>`}
                  <span class="concern-text">${text}</span>
                </li>
              `
            )}
          </ul>
        `}
      ${found.length > SHOWN && html`
        <p class="more">
          ${found.length - SHOWN} more: see <a href=${viewLink("servers")}>Servers</a>
        </p>
      `}
    </section>
  `;
}

function lastChanges({ timeline }: Model): VNode {
  const last = timeline.slice(-SHOWN).reverse();
  return html`
    <section class="panel" aria-labelledby="changes-title">
      <header class="panel-head">
        <h2 id="changes-title">Last changes</h2>
        <a href=${viewLink("timeline")}>Timeline</a>
      </header>
      ${last.length === 0 ? html`<p class="calm">None since the observer started.</p>` : html`
        <ol class="events">
          ${last.map((entry) =>
            html`
              <li key=${entry.sequence}>
                <time class="quiet">${clock(entry.at)}</time>
                <a href=${serverLink(entry.server)}><bdi>${entry.server}</bdi></a>
                ${changeMark(entry.change)}
                <span class="details quiet">${entry.details}</span>
              </li>
            `
          )}
        </ol>
      `}
    </section>
  `;
}

function lastWarnings({ logs }: Model): VNode {
  const last = logs.slice(-SHOWN).reverse();
  return html`
    <section class="panel" aria-labelledby="warnings-title">
      <header class="panel-head">
        <h2 id="warnings-title">Last warnings and errors</h2>
        <a href=${viewLink("logs")}>Logs</a>
      </header>
      ${last.length === 0 ? html`<p class="calm">None.</p>` : html`
        <ol class="events">
          ${last.map((record) =>
            html`
              <li key=${`${record.server} ${record.sequence}`}>
                <time class="quiet">${clock(record.at)}</time>
                ${levelMark(record.level)}
                <a href=${serverLink(record.server, "logs")}><bdi>${record.server}</bdi></a>
                <bdi class="details">${record.message}</bdi>
              </li>
            `
          )}
        </ol>
      `}
    </section>
  `;
}
