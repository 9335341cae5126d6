/**
 * The warnings and errors of all servers, as they come.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { logList } from "./log_list.ts";
import { html } from "./markup.ts";
import type { Model } from "./model.ts";

/** The view. */
export function logsView(model: Model): VNode {
  return logList({
    title: html`<h1 tabindex="-1">Logs</h1>`,
    records: model.logs,
    leastLevel: "warning",
    level: "warning",
    namesServers: true,
    empty: "No server has logged a warning or an error.",
    note: html`
      <p
        class="hint">These are the warnings and errors of all servers. A server's own view has all of its records.</p>
    `,
  });
}
