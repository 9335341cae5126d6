/**
 * The view of one server.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { actorTable } from "./actor_table.ts";
import { element, html } from "./markup.ts";
import { notice, roleMarks, stateMark } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ObservedServer } from "./page_protocol.ts";
import { serverLink, type Tab, TAB_TITLES, TABS, viewLink } from "./routes.ts";
import { serverCode } from "./server_code.ts";
import { serverLogs } from "./server_logs.ts";
import { serverSummary } from "./server_summary.ts";
import { supervisionTree } from "./supervision_tree.ts";

/** The view. */
export function serverView(model: Model, { name, tab }: { name: string; tab: Tab }): VNode {
  return element(ServerView, { model, id: name, tab });
}

function ServerView({ model, id, tab }: { model: Model; id: string; tab: Tab }): VNode {
  const server = model.servers.get(id);
  return html`
    <section>
      <nav class="trail" aria-label="Trail">
        <a href=${viewLink("servers")} data-key="Escape">Servers</a>
      </nav>
      <header class="view-head">
        <h1 tabindex="-1"><bdi>${id}</bdi></h1>
        ${server && stateMark(server.state)}
        ${server && roleMarks(server)}
      </header>
      ${server ? parts(server, { model, tab }) : notice(`No server ${id} is registered.`)}
    </section>
  `;
}

function parts(server: ObservedServer, { model, tab }: { model: Model; tab: Tab }): VNode {
  return html`
    <div>
      <nav class="tabs" aria-label=${`Parts of ${server.id}`}>
        ${TABS.map((each) =>
          html`
            <a
              key=${each}
              href=${serverLink(server.id, each)}
              aria-current=${each === tab ? "page" : undefined}
            >${TAB_TITLES[each]}</a>
          `
        )}
      </nav>
      ${server.error !== undefined && notice(server.error, "error")}
      ${part(server, { model, tab })}
    </div>
  `;
}

function part(server: ObservedServer, { model, tab }: { model: Model; tab: Tab }): VNode {
  switch (tab) {
    case "summary":
      return serverSummary(server, model);
    case "actors":
      return actorTable(server, model);
    case "supervision":
      return supervisionTree(server);
    case "code":
      return serverCode(server, model);
    case "logs":
      return serverLogs(server, model);
  }
}
