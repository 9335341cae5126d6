/**
 * The files of the observer's page, from the program itself: nothing is read from a directory or
 * fetched, so that they are the same in the sources and in an executable.
 *
 * Modules of the page are TypeScript. Their types are removed here, and they keep their names.
 * Libraries are files of npm packages. An import map tells the browser where they are.
 *
 * @module
 */
import HTM from "npm:htm@^3.1.1" with { type: "text" };
import PREACT from "npm:preact@^11.2.0" with { type: "text" };
import PREACT_HOOKS from "npm:preact@^11.2.0/hooks" with { type: "text" };
import UPLOT from "npm:uplot@^1.6.32/dist/uPlot.esm.js" with { type: "text" };
import UPLOT_CSS from "npm:uplot@^1.6.32/dist/uPlot.min.css" with { type: "text" };
import ICON from "./page/icon.svg" with { type: "text" };
import CSS from "./page/page.css" with { type: "text" };
import HTML from "./page/page.html" with { type: "text" };
import ACTION_BUTTON from "./page/action_button.ts" with { type: "text" };
import ACTOR_TABLE from "./page/actor_table.ts" with { type: "text" };
import APP from "./page/app.ts" with { type: "text" };
import ATTENTION from "./page/attention.ts" with { type: "text" };
import CHART from "./page/chart.ts" with { type: "text" };
import FEED from "./page/feed.ts" with { type: "text" };
import FILTER_FIELD from "./page/filter_field.ts" with { type: "text" };
import FORMATTING from "./page/formatting.ts" with { type: "text" };
import GRAPH from "./page/graph.ts" with { type: "text" };
import GRAPH_LAYOUT from "./page/graph_layout.ts" with { type: "text" };
import GROUPS_VIEW from "./page/groups_view.ts" with { type: "text" };
import HISTORY_CHARTS from "./page/history_charts.ts" with { type: "text" };
import KEY_HELP from "./page/key_help.ts" with { type: "text" };
import KEYS from "./page/keys.ts" with { type: "text" };
import LIVE_VALUES from "./page/live_values.ts" with { type: "text" };
import LOG_LIST from "./page/log_list.ts" with { type: "text" };
import LOGS_VIEW from "./page/logs_view.ts" with { type: "text" };
import MAIN from "./page/main.ts" with { type: "text" };
import MARKS from "./page/marks.ts" with { type: "text" };
import MARKUP from "./page/markup.ts" with { type: "text" };
import MODEL from "./page/model.ts" with { type: "text" };
import OVERVIEW from "./page/overview.ts" with { type: "text" };
import ROLES from "./page/roles.ts" with { type: "text" };
import ROUTES from "./page/routes.ts" with { type: "text" };
import SERVER_CODE from "./page/server_code.ts" with { type: "text" };
import SERVER_LOGS from "./page/server_logs.ts" with { type: "text" };
import SERVER_SUMMARY from "./page/server_summary.ts" with { type: "text" };
import SERVER_VIEW from "./page/server_view.ts" with { type: "text" };
import SERVERS_VIEW from "./page/servers_view.ts" with { type: "text" };
import STATE_NEWS from "./page/state_news.ts" with { type: "text" };
import SUPERVISION_TREE from "./page/supervision_tree.ts" with { type: "text" };
import TABLE from "./page/table.ts" with { type: "text" };
import THEME from "./page/theme.ts" with { type: "text" };
import TIMELINE_VIEW from "./page/timeline_view.ts" with { type: "text" };
import VERSIONS from "./page/versions.ts" with { type: "text" };
import VERSIONS_VIEW from "./page/versions_view.ts" with { type: "text" };

/** The modules of the page. */
const MODULES: Readonly<Record<string, string>> = {
  "action_button.ts": ACTION_BUTTON,
  "actor_table.ts": ACTOR_TABLE,
  "app.ts": APP,
  "attention.ts": ATTENTION,
  "chart.ts": CHART,
  "feed.ts": FEED,
  "filter_field.ts": FILTER_FIELD,
  "formatting.ts": FORMATTING,
  "graph.ts": GRAPH,
  "graph_layout.ts": GRAPH_LAYOUT,
  "groups_view.ts": GROUPS_VIEW,
  "history_charts.ts": HISTORY_CHARTS,
  "key_help.ts": KEY_HELP,
  "keys.ts": KEYS,
  "live_values.ts": LIVE_VALUES,
  "log_list.ts": LOG_LIST,
  "logs_view.ts": LOGS_VIEW,
  "main.ts": MAIN,
  "marks.ts": MARKS,
  "markup.ts": MARKUP,
  "model.ts": MODEL,
  "overview.ts": OVERVIEW,
  "roles.ts": ROLES,
  "routes.ts": ROUTES,
  "server_code.ts": SERVER_CODE,
  "server_logs.ts": SERVER_LOGS,
  "server_summary.ts": SERVER_SUMMARY,
  "server_view.ts": SERVER_VIEW,
  "servers_view.ts": SERVERS_VIEW,
  "state_news.ts": STATE_NEWS,
  "supervision_tree.ts": SUPERVISION_TREE,
  "table.ts": TABLE,
  "theme.ts": THEME,
  "timeline_view.ts": TIMELINE_VIEW,
  "versions.ts": VERSIONS,
  "versions_view.ts": VERSIONS_VIEW,
};

/** Its style sheets. */
const STYLES: Readonly<Record<string, string>> = {
  "page.css": CSS,
  "lib/uPlot.css": UPLOT_CSS,
};

/** A library: its file, which imports at most other libraries, and the specifiers that mean it. */
interface Library {
  readonly text: string;
  readonly specifiers: readonly string[];
}

const LIBRARIES: Readonly<Record<string, Library>> = {
  "htm.js": { text: HTM, specifiers: ["npm:htm@^3.1.1", "htm"] },
  "preact.js": { text: PREACT, specifiers: ["npm:preact@^11.2.0", "preact"] },
  "preact_hooks.js": {
    text: PREACT_HOOKS,
    specifiers: ["npm:preact@^11.2.0/hooks", "preact/hooks"],
  },
  "uPlot.js": { text: UPLOT, specifiers: ["npm:uplot@^1.6.32"] },
};

/** The line of the page that the import map replaces. */
const IMPORT_MAP = "<!-- import map -->";

/** A file of the page, ready to send. */
export interface PageFile {
  /** Its content type. */
  readonly type: string;
  /** Its bytes, in UTF-8. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** All files of the page. */
export interface PageFiles {
  /** The page itself. */
  readonly html: PageFile;
  /** The other files, by their paths below `assets/`. */
  readonly assets: ReadonlyMap<string, PageFile>;
  /** The SHA-256 of the import map in the page, in base64, which the content security policy names. */
  readonly importMapHash: string;
}

/** Makes the files of the page. Takes some 50 ms, for the types of its modules. */
export async function makePageFiles(): Promise<PageFiles> {
  // It is CommonJS, and a bundle has only its default export.
  const { default: swc } = await import("npm:@swc/wasm-typescript@^1.16.2");
  const assets = new Map<string, PageFile>();
  for (const [name, source] of Object.entries(MODULES)) {
    const { code } = swc.transformSync(source, { mode: "strip-only" });
    assets.set(name, pageFile("text/javascript", code));
  }
  for (const [name, text] of Object.entries(STYLES)) assets.set(name, pageFile("text/css", text));
  assets.set("icon.svg", pageFile("image/svg+xml", ICON));
  const imports: Record<string, string> = {};
  for (const [name, { text, specifiers }] of Object.entries(LIBRARIES)) {
    assets.set(`lib/${name}`, pageFile("text/javascript", withoutSourceMap(text)));
    for (const specifier of specifiers) imports[specifier] = `./assets/lib/${name}`;
  }
  const importMap = JSON.stringify({ imports });
  const html = HTML.replace(IMPORT_MAP, () => `<script type="importmap">${importMap}</script>`);
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(importMap));
  return {
    html: pageFile("text/html", html),
    assets,
    importMapHash: new Uint8Array(hash).toBase64(),
  };
}

function pageFile(type: string, text: string): PageFile {
  return { type: `${type}; charset=utf-8`, body: new TextEncoder().encode(text) };
}

/** Removes the reference to a source map, which is not served. */
function withoutSourceMap(text: string): string {
  return text.replace(/\n\/\/# sourceMappingURL=.*\s*$/, "\n");
}
