/**
 * The groups, and the members of one.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { filterField, matches } from "./filter_field.ts";
import { compareTexts, count, counted } from "./formatting.ts";
import { usePolled } from "./live_values.ts";
import { element, html } from "./markup.ts";
import { notice, serverName, stateMark } from "./marks.ts";
import type { Model } from "./model.ts";
import type { GroupMember, GroupMembers, ObservedServer } from "./page_protocol.ts";
import { groupLink, viewLink } from "./routes.ts";
import { table } from "./table.ts";

/** How long after an answer the members are read again, in ms. */
const PAUSE = 3000;

/** The view: all groups, or one of them. */
export function groupsView(model: Model, name: string | undefined): VNode {
  return name === undefined
    ? element(AllGroups, { model, revision: model.revision })
    : element(OneGroup, { model, name, revision: model.revision });
}

interface Group {
  readonly name: string;
  readonly members: number;
  readonly servers: readonly ObservedServer[];
}

function groupsOf(servers: readonly ObservedServer[]): Group[] {
  const groups = servers.filter(({ state }) => state !== "gone").flatMap((server) =>
    Object.entries(server.groups).map(([name, members]) => ({ name, members, server }))
  );
  return [...Map.groupBy(groups, ({ name }) => name)].map(([name, parts]) => ({
    name,
    members: parts.reduce((sum, { members }) => sum + members, 0),
    servers: parts.map(({ server }) => server),
  })).sort((a, b) => compareTexts(a.name, b.name));
}

function AllGroups({ model }: { model: Model; revision: number }): VNode {
  const [filter, setFilter] = useState("");
  const servers = model.sortedServers();
  const groups = groupsOf(servers);
  return html`
    <section>
      <header class="view-head">
        <h1 tabindex="-1">Groups</h1>
        ${filterField({ what: "groups", text: filter, onText: setFilter })}
        <p class="quiet">${counted(groups.length, "group")}</p>
      </header>
      ${table<Group>({
        caption: "Groups",
        rows: groups.filter(({ name }) => matches(filter, [name])),
        keyOf: ({ name }) => name,
        sortedBy: "name",
        empty: groups.length === 0
          ? "No actor has joined a group."
          : "No group matches the filter.",
        columns: [
          {
            name: "name",
            title: "Group",
            value: ({ name }) => name,
            cell: ({ name }) => html`<a href=${groupLink(name)}><bdi>${name}</bdi></a>`,
          },
          { name: "members", title: "Members", value: ({ members }) => members, isNumber: true },
          {
            name: "count",
            title: "Servers",
            value: ({ servers }) => servers.length,
            isNumber: true,
          },
          {
            name: "servers",
            title: "On",
            from: "tablet",
            cell: ({ servers }) =>
              html`
                <span class="names">
                  ${servers.slice(0, 6).map(serverName)}
                  ${servers.length > 6 &&
                    html`<span class="quiet">and ${servers.length - 6} more</span>`}
                </span>
              `,
          },
        ],
      })}
    </section>
  `;
}

function OneGroup({ model, name }: { model: Model; name: string; revision: number }): VNode {
  const path = `api/groups/${encodeURIComponent(name)}`;
  const { answer, error } = usePolled<GroupMembers>(path, PAUSE);
  return html`
    <section>
      <nav class="trail" aria-label="Trail">
        <a href=${viewLink("groups")} data-key="Escape">Groups</a>
      </nav>
      <header class="view-head">
        <h1 tabindex="-1"><bdi>${name}</bdi></h1>
        <p class="quiet">${answer && counted(answer.total, "member")}</p>
      </header>
      ${error !== undefined && notice(error, "error")}
      ${answer?.errors.map((each) => notice(`${each.server}: ${each.error}`, "error"))}
      ${answer && answer.total > answer.members.length &&
        notice(`The first ${count(answer.members.length)} members are shown.`)}
      ${answer && table<GroupMember>({
        caption: `Members of ${name}`,
        rows: answer.members,
        keyOf: ({ server, actor }) => `${actor}@${server}`,
        sortedBy: "server",
        empty: "It has no members.",
        columns: [
          {
            name: "server",
            title: "Server",
            value: ({ server }) => server,
            cell: ({ server }) => {
              const known = model.servers.get(server);
              return known ? serverName(known) : html`<bdi>${server}</bdi>`;
            },
          },
          {
            name: "state",
            title: "State",
            cell: ({ server }) => {
              const known = model.servers.get(server);
              return known && stateMark(known.state);
            },
          },
          {
            name: "actor",
            title: "Actor",
            value: ({ actor }) => actor,
            cell: ({ actor }) => html`<bdi class="code">${actor}</bdi>`,
          },
        ],
      })}
    </section>
  `;
}
