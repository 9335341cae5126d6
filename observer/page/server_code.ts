/**
 * The modules that were loaded into a server, and its loads.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { actionButton } from "./action_button.ts";
import { dateTime, duration } from "./formatting.ts";
import { usePolled } from "./live_values.ts";
import { element, html } from "./markup.ts";
import { hashMark, notice } from "./marks.ts";
import type { Model } from "./model.ts";
import type { LoadList, ObservedLoad, ObservedModule, ObservedServer } from "./page_protocol.ts";
import { type Column, table } from "./table.ts";

/** How long after an answer the loads are read again, in ms. */
const PAUSE = 4000;

/** The part of the view. */
export function serverCode({ id, modules }: ObservedServer, model: Model): VNode {
  return element(ServerCode, { server: id, modules, now: model.now(), token: model.actionToken });
}

interface ServerCodeProps {
  readonly server: string;
  readonly modules: readonly ObservedModule[];
  readonly now: number;
  readonly token: string | undefined;
}

function ServerCode({ server, modules, now, token }: ServerCodeProps): VNode {
  const path = `api/servers/${encodeURIComponent(server)}/loads`;
  const { answer, error } = usePolled<LoadList>(path, PAUSE);
  return html`
    <section>
      <h2>Loaded modules</h2>
      ${table<ObservedModule>({
        caption: `Modules that were loaded into ${server}`,
        rows: modules,
        keyOf: ({ module }) => module,
        sortedBy: "module",
        empty: "No module was loaded since it started.",
        columns: [
          {
            name: "module",
            title: "Module",
            value: ({ module }) => module,
            cell: ({ module }) => html`<bdi class="code">${module}</bdi>`,
          },
          { name: "hash", title: "Version", cell: ({ hash }) => hashMark(hash) },
          whenColumn(now),
          { name: "by", title: "By", value: ({ by }) => by, from: "tablet" },
        ],
      })}
      <h2>Loads</h2>
      ${error !== undefined && notice(error, "error")}
      ${answer && table<ObservedLoad>({
        caption: `Loads of ${server}, newest first`,
        rows: answer.loads,
        keyOf: ({ id, module }) => `${id} ${module}`,
        empty: "It has loaded nothing since it started.",
        columns: loadColumns(server, { now, token }),
      })}
    </section>
  `;
}

function loadColumns(
  server: string,
  { now, token }: { now: number; token: string | undefined },
): Column<ObservedLoad>[] {
  return [
    {
      name: "module",
      title: "Module",
      cell: ({ module }) => html`<bdi class="code">${module}</bdi>`,
    },
    { name: "hash", title: "Version", cell: ({ hash }) => hashMark(hash) },
    {
      name: "outcome",
      title: "Now",
      cell: ({ undone, current }) =>
        undone ? html`<span class="warn">went back</span>` : current ? "current" : "replaced",
    },
    whenColumn(now),
    { name: "by", title: "By", cell: ({ by }) => html`<bdi>${by}</bdi>`, from: "tablet" },
    ...token === undefined ? [] : [{
      name: "action",
      title: "Action",
      cell: ({ id, module, current, undone }: ObservedLoad) =>
        current && !undone && actionButton({
          text: "Go back",
          meaning: `Go back from this load of ${module}, to the version before`,
          request: { action: "go-back", server, load: id },
          token,
        }),
    }],
  ];
}

function whenColumn(now: number): Column<{ readonly at: number }> {
  return {
    name: "at",
    title: "Loaded",
    cell: ({ at }) => html`<span title=${dateTime(at)}>${duration(now - at)} ago</span>`,
    isNumber: true,
  };
}
