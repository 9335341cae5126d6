/**
 * A server's figures, charts and connections.
 *
 * @module
 */
import type { ComponentChildren, VNode } from "npm:preact@^11.2.0";
import { LATE, LONG_MAILBOX } from "./attention.ts";
import {
  clock,
  count,
  counted,
  dateTime,
  duration,
  milliseconds,
  MISSING,
  share,
  short,
  size,
} from "./formatting.ts";
import { historyCharts } from "./history_charts.ts";
import { html } from "./markup.ts";
import { serverName } from "./marks.ts";
import type { Model } from "./model.ts";
import type {
  ObservedConnection,
  ObservedServer,
  ObservedStatus,
  ObservedTraffic,
} from "./page_protocol.ts";
import { groupLink, serverLink } from "./routes.ts";
import { table } from "./table.ts";
import { changeMark } from "./timeline_view.ts";

/** How many of the last changes are shown. */
const SHOWN_CHANGES = 6;

/** The part of the view. */
export function serverSummary(server: ObservedServer, model: Model): VNode {
  return html`
    <div class="summary">
      ${facts(server, model.now())}
      <h2>The last ten minutes</h2>
      ${historyCharts(server.id)}
      <div class="halves">
        ${mailboxes(server)}
        ${changes(server, model)}
      </div>
      <h2>Connections</h2>
      ${connections(server, model)}
    </div>
  `;
}

function facts(server: ObservedServer, now: number): VNode {
  const { host, pid, version, deno, startedAt, status, addresses, groups } = server;
  const { received, sent, memory, log, eventLoopDelay: delay, certificateEnd } = status ?? {};
  const program = [version && `gxensemble ${version}`, deno && `Deno ${deno}`].filter(Boolean);
  return html`
    <dl class="facts panel">
      ${fact("Host", html`<bdi>${host ?? MISSING}</bdi>`)}
      ${fact("Process", pid ?? MISSING)}
      ${fact("Up since", startedAt === undefined ? MISSING : upSince(startedAt, now))}
      ${fact("Program", program.join(", ") || MISSING)}
      ${fact("Memory", memory ? memoryText(memory) : MISSING)}
      ${fact("Processor", noted(share(status?.cpu), "of a core"))}
      ${fact("Event-loop delay", delay ? delayText(delay) : MISSING)}
      ${fact("Received", trafficText(received))}
      ${fact("Sent", trafficText(sent))}
      ${fact("Handled", `${short(status?.handledPerSecond)} /s`)}
      ${fact("Actors", count(status?.actors))}
      ${fact("Asks waiting", count(status?.asksPending))}
      ${fact("Restarts", count(status?.restarts))}
      ${fact("Connections", count(status?.connections))}
      ${fact("Log", log ? logText(log) : MISSING)}
      ${certificateEnd !== undefined && fact("Certificate ends", dateTime(certificateEnd))}
      ${fact("Groups", Object.keys(groups).length === 0 ? MISSING : groupLinks(groups))}
      ${fact("Addresses", addresses.map((each) => html`<bdi class="code address">${each}</bdi>`))}
    </dl>
  `;
}

function fact(name: string, value: ComponentChildren): VNode {
  return html`
    <div class="fact">
      <dt>${name}</dt>
      <dd>${value}</dd>
    </div>
  `;
}

/** A value with a less important one beside it. */
function noted(value: string, note: string): VNode {
  return html`<span>${value} <span class="quiet">${note}</span></span>`;
}

function upSince(startedAt: number, now: number): VNode {
  return html`<span title=${dateTime(startedAt)}>${duration(now - startedAt)}</span>`;
}

function memoryText({ rss, heapUsed, heapTotal }: NonNullable<ObservedStatus["memory"]>): VNode {
  return noted(size(rss), `heap ${size(heapUsed)} of ${size(heapTotal)}`);
}

function delayText({ p50, p99, max }: NonNullable<ObservedStatus["eventLoopDelay"]>): VNode {
  return html`
    <span>
      <span class=${p99 >= LATE ? "warn" : undefined}>${milliseconds(p99)}</span>
      <span class="quiet"> p99, ${milliseconds(p50)} p50, ${milliseconds(max)} max</span>
    </span>
  `;
}

function trafficText(traffic: ObservedTraffic | undefined): VNode {
  return noted(`${short(traffic?.messagesPerSecond)} /s`, `${size(traffic?.bytesPerSecond)}/s`);
}

function logText({ level, errors, warnings }: NonNullable<ObservedStatus["log"]>): VNode {
  return noted(level ?? MISSING, `${counted(errors, "error")}, ${counted(warnings, "warning")}`);
}

function groupLinks(groups: ObservedServer["groups"]): VNode {
  const links = Object.entries(groups).sort().map(([name, members]) =>
    html`
      <a href=${groupLink(name)}><bdi>${name}</bdi> <span class="quiet">${members}</span></a>
    `
  );
  return html`<span class="names">${links}</span>`;
}

function mailboxes({ id, status }: ObservedServer): VNode {
  const longest = (status?.longestMailboxes ?? []).filter(({ length }) => length > 0);
  const top = Math.max(1, ...longest.map(({ length }) => length));
  return html`
    <section class="panel" aria-labelledby="mailboxes-title">
      <header class="panel-head">
        <h2 id="mailboxes-title">Longest mailboxes</h2>
        <a href=${serverLink(id, "actors")}>Actors</a>
      </header>
      ${longest.length === 0 ? html`<p class="calm">No message waits.</p>` : html`
        <ul class="bars">
          ${longest.map(({ actor, length }) =>
            html`
              <li key=${actor} class=${length >= LONG_MAILBOX ? "bar-bad" : undefined}>
                <bdi class="bar-name">${actor}</bdi>
                <span class="bar-track" aria-hidden="true">
                  <span class="bar" style=${{ width: `${(100 * length) / top}%` }}></span>
                </span>
                <span class="bar-value">${count(length)}</span>
              </li>
            `
          )}
        </ul>
      `}
    </section>
  `;
}

function changes({ id }: ObservedServer, { timeline }: Model): VNode {
  const own = timeline.filter(({ server }) => server === id).slice(-SHOWN_CHANGES).reverse();
  return html`
    <section class="panel" aria-labelledby="own-changes-title">
      <header class="panel-head"><h2 id="own-changes-title">Last changes</h2></header>
      ${own.length === 0 ? html`<p class="calm">None since the observer started.</p>` : html`
        <ol class="events">
          ${own.map(({ sequence, at, change, details }) =>
            html`
              <li key=${sequence}>
                <time class="quiet">${clock(at)}</time>
                ${changeMark(change)}
                <bdi class="details">${details}</bdi>
              </li>
            `
          )}
        </ol>
      `}
    </section>
  `;
}

function connections({ id }: ObservedServer, model: Model): VNode {
  const peerOf = ({ a, b }: ObservedConnection) => a === id ? b : a;
  return table<ObservedConnection>({
    caption: `Connections of ${id}`,
    rows: [...model.connections.values()].filter(({ a, b }) => a === id || b === id),
    keyOf: peerOf,
    sortedBy: "messages",
    empty: "It has no connection to another server.",
    columns: [
      {
        name: "peer",
        title: "Server",
        value: peerOf,
        cell: (connection) => {
          const peer = model.servers.get(peerOf(connection));
          return peer ? serverName(peer) : html`<bdi>${peerOf(connection)}</bdi>`;
        },
      },
      { name: "kind", title: "Transport", value: ({ kind }) => kind },
      {
        name: "messages",
        title: "Messages/s",
        value: ({ messagesPerSecond }) => messagesPerSecond,
        cell: ({ messagesPerSecond }) => short(messagesPerSecond),
        isNumber: true,
      },
      {
        name: "bytes",
        title: "Bytes/s",
        value: ({ bytesPerSecond }) => bytesPerSecond,
        cell: ({ bytesPerSecond }) => size(bytesPerSecond),
        isNumber: true,
      },
      {
        name: "waiting",
        title: "Waiting",
        meaning: "Bytes that wait to be sent",
        value: ({ waiting }) => waiting,
        cell: ({ waiting }) => size(waiting),
        isNumber: true,
        from: "tablet",
      },
      {
        name: "since",
        title: "Open for",
        value: ({ since }) => -since,
        cell: ({ since }) => duration(model.now() - since),
        isNumber: true,
        from: "tablet",
      },
    ],
  });
}
