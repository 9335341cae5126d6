/**
 * The table of all servers.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { LATE, LONG_MAILBOX } from "./attention.ts";
import { filterField, matches } from "./filter_field.ts";
import { count, counted, duration, milliseconds, share, short, size } from "./formatting.ts";
import { element, html } from "./markup.ts";
import { roleMarks, serverName, stateMark, STATES } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ObservedServer } from "./page_protocol.ts";
import { type Column, table } from "./table.ts";

/** The view. */
export function serversView(model: Model): VNode {
  return element(ServersView, { model, revision: model.revision });
}

function ServersView({ model }: { model: Model; revision: number }): VNode {
  const [filter, setFilter] = useState("");
  const servers = model.sortedServers();
  const shown = servers.filter(({ id, state, host, roles, version, isRegistry }) =>
    matches(filter, [id, state, host, ...roles, version, isRegistry ? "registry" : undefined])
  );
  return html`
    <section>
      <header class="view-head">
        <h1 tabindex="-1">Servers</h1>
        ${filterField({ what: "servers", text: filter, onText: setFilter })}
        <p class="quiet">
          ${shown.length < servers.length && `${count(shown.length)} of `}
          ${counted(servers.length, "server")}
        </p>
      </header>
      ${table({
        caption: "Servers",
        columns: columns(model.now()),
        rows: shown,
        keyOf: ({ id }) => id,
        sortedBy: "id",
        empty: servers.length === 0 ? "No server is registered." : "No server matches the filter.",
      })}
    </section>
  `;
}

function columns(now: number): Column<ObservedServer>[] {
  return [
    { name: "id", title: "Server", value: ({ id }) => id, cell: serverName },
    {
      name: "state",
      title: "State",
      value: ({ state }) => STATES.indexOf(state),
      cell: ({ state, error }) => [
        stateMark(state),
        error && state === "up" && html`<span class="bad" title=${error}> no answer</span>`,
      ],
    },
    {
      name: "roles",
      title: "Roles",
      value: ({ roles, isRegistry }) => isRegistry ? "registry" : roles.join(" "),
      cell: roleMarks,
      from: "tablet",
    },
    {
      name: "host",
      title: "Host",
      value: ({ host }) => host,
      cell: ({ host }) => host && html`<bdi>${host}</bdi>`,
      from: "desktop",
    },
    {
      name: "up",
      title: "Up since",
      value: ({ startedAt }) => startedAt === undefined ? undefined : now - startedAt,
      cell: ({ startedAt }) => duration(startedAt === undefined ? undefined : now - startedAt),
      isNumber: true,
      from: "desktop",
    },
    figure("cpu", {
      title: "CPU",
      meaning: "Share of one core",
      value: ({ status }) => status?.cpu,
      text: share,
      from: "tablet",
    }),
    figure("memory", {
      title: "Memory",
      value: ({ status }) => status?.memory?.rss,
      text: size,
      from: "tablet",
    }),
    figure("delay", {
      title: "Delay",
      meaning: "How late the event loop was over the last minute, in 99 of 100 cases at most",
      value: ({ status }) => status?.eventLoopDelay?.p99,
      text: (delay) => warned(milliseconds(delay), (delay ?? 0) >= LATE),
    }),
    figure("actors", {
      title: "Actors",
      value: ({ status }) => status?.actors,
      text: count,
      from: "desktop",
    }),
    figure("mailbox", {
      title: "Mailbox",
      meaning: "Messages in its longest mailbox",
      value: ({ status }) => status?.longestMailboxes && (status.longestMailboxes[0]?.length ?? 0),
      text: (length) => warned(count(length), (length ?? 0) >= LONG_MAILBOX),
    }),
    figure("received", {
      title: "In/s",
      meaning: "Messages that it receives per second",
      value: ({ status }) => status?.received?.messagesPerSecond,
      text: short,
      from: "tablet",
    }),
    figure("sent", {
      title: "Out/s",
      meaning: "Messages that it sends per second",
      value: ({ status }) => status?.sent?.messagesPerSecond,
      text: short,
      from: "tablet",
    }),
    figure("asks", {
      title: "Asks",
      meaning: "Asks that wait for an answer",
      value: ({ status }) => status?.asksPending,
      text: count,
      from: "desktop",
    }),
    {
      name: "version",
      title: "Version",
      value: ({ version }) => version,
      from: "desktop",
    },
  ];
}

interface Figure extends Pick<Column<ObservedServer>, "title" | "meaning" | "from"> {
  readonly value: (server: ObservedServer) => number | undefined;
  readonly text: (value: number | undefined) => VNode | string;
}

/** A column with a number. */
function figure(name: string, { text, ...column }: Figure): Column<ObservedServer> {
  return { ...column, name, cell: (server) => text(column.value(server)), isNumber: true };
}

function warned(text: string, isBad: boolean): VNode | string {
  return isBad ? html`<span class="warn">${text}</span>` : text;
}
