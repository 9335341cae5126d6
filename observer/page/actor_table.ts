/**
 * The actors of a server.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { actionButton } from "./action_button.ts";
import { LONG_MAILBOX } from "./attention.ts";
import { filterField, matches } from "./filter_field.ts";
import { count, counted, duration, share, short } from "./formatting.ts";
import { usePolled } from "./live_values.ts";
import { element, html } from "./markup.ts";
import { notice } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ActorList, ActorSort, ObservedActor, ObservedServer } from "./page_protocol.ts";
import { type Column, table } from "./table.ts";

/** How long after an answer the actors are read again, in ms. */
const PAUSE = 2000;

/** How many actors are read at first, and at most. */
const FEW = 200;
const MANY = 1000;

/** The part of the view. */
export function actorTable(server: ObservedServer, model: Model): VNode {
  return element(ActorTable, { server: server.id, token: model.actionToken });
}

function ActorTable({ server, token }: { server: string; token: string | undefined }): VNode {
  const [filter, setFilter] = useState("");
  const [sort, setSort] = useState<ActorSort>("mailbox");
  const [limit, setLimit] = useState(FEW);
  const query = new URLSearchParams({ sort, limit: String(limit) });
  const path = `api/servers/${encodeURIComponent(server)}/actors?${query}`;
  const { answer, error } = usePolled<ActorList>(path, PAUSE);
  const shown = answer?.actors.filter(({ name, serial, group, state, types = [] }) =>
    matches(filter, [name, String(serial), group, state, ...types])
  );
  const read = answer?.actors.length ?? 0;
  return html`
    <section>
      <header class="part-head">
        <h2 class="hidden">Actors</h2>
        ${filterField({ what: "actors", text: filter, onText: setFilter })}
        ${answer && html`
          <p class="quiet">
            ${read < answer.total ? `the first ${count(read)} of ` : ""}${counted(
              answer.total,
              "actor",
            )}
          </p>
        `}
        ${answer && read < answer.total && limit < MANY && html`
          <button type="button" class="button" onClick=${() => setLimit(MANY)}>
            Read ${count(Math.min(MANY, answer.total))}
          </button>
        `}
      </header>
      ${error !== undefined && notice(error, "error")}
      ${!answer && error === undefined && notice("Reading the actors …")}
      ${shown && table<ObservedActor>({
        caption: `Actors of ${server}`,
        columns: columns(server, token),
        rows: shown,
        keyOf: ({ serial }) => serial,
        sortedBy: sort,
        onSort: (column) => setSort(column as ActorSort),
        empty: filter === "" ? "It has no actors." : "No actor matches the filter.",
      })}
    </section>
  `;
}

function columns(server: string, token: string | undefined): Column<ObservedActor>[] {
  return [
    {
      name: "name",
      title: "Actor",
      value: nameOf,
      cell: (actor) => html`<bdi class="code">${nameOf(actor)}</bdi>`,
    },
    {
      name: "state",
      title: "State",
      cell: ({ state }) => html`<span class=${`actor-state actor-${state}`}>${state}</span>`,
    },
    {
      name: "mailbox",
      title: "Mailbox",
      meaning: "Messages that wait",
      value: ({ mailbox }) => mailbox,
      cell: ({ mailbox }) =>
        html`<span class=${mailbox >= LONG_MAILBOX ? "warn" : undefined}>${count(mailbox)}</span>`,
      isNumber: true,
    },
    {
      name: "rate",
      title: "Handled/s",
      cell: ({ handledPerSecond }) => short(handledPerSecond),
      isNumber: true,
    },
    {
      name: "handled",
      title: "Handled",
      meaning: "Messages that it has taken",
      value: ({ handled }) => handled,
      cell: ({ handled }) => count(handled),
      isNumber: true,
      from: "tablet",
    },
    {
      name: "time",
      title: "Time",
      meaning: "Time in its handlers, as a share of the time that passed",
      value: ({ timeShare }) => timeShare,
      cell: ({ timeShare }) => share(timeShare),
      isNumber: true,
    },
    {
      name: "age",
      title: "Age",
      cell: ({ age }) => duration(age),
      isNumber: true,
      from: "desktop",
    },
    {
      name: "group",
      title: "Place",
      cell: ({ group }) => html`<bdi class="quiet">${group}</bdi>`,
      from: "desktop",
    },
    {
      name: "types",
      title: "Answers",
      cell: ({ types }) => html`<bdi class="types quiet">${types?.join(", ")}</bdi>`,
      from: "desktop",
    },
    ...token === undefined ? [] : [{
      name: "action",
      title: "Action",
      cell: (actor: ObservedActor) =>
        !actor.essential && actionButton({
          text: "Shut down",
          meaning: `Shut ${nameOf(actor)} down`,
          request: { action: "shut-down-actor", server, actor: actor.serial },
          token,
        }),
    }],
  ];
}

function nameOf({ name, serial }: ObservedActor): string {
  return name ?? `#${serial}`;
}
