/**
 * The addresses of the page's views, which stand in the fragment: `#/servers/web1/actors`.
 *
 * @module
 */

/** The views that the navigation lists, in its order. */
export const VIEWS = ["overview", "servers", "groups", "versions", "logs", "timeline"] as const;

/** The titles of the views. */
export const VIEW_TITLES: Readonly<Record<View, string>> = {
  overview: "Overview",
  servers: "Servers",
  groups: "Groups",
  versions: "Versions",
  logs: "Logs",
  timeline: "Timeline",
};

/** The parts of the view of one server, in their order. */
export const TABS = ["summary", "actors", "supervision", "code", "logs"] as const;

/** The titles of the parts. */
export const TAB_TITLES: Readonly<Record<Tab, string>> = {
  summary: "Summary",
  actors: "Actors",
  supervision: "Supervision",
  code: "Code",
  logs: "Logs",
};

/** The name of a view. */
export type View = typeof VIEWS[number];

/** The name of a part of a server's view. */
export type Tab = typeof TABS[number];

/** What the page shows. */
export type Route =
  | { readonly view: View; readonly name?: string | undefined }
  | { readonly view: "server"; readonly name: string; readonly tab: Tab };

/** Reads a fragment. An unknown one is the overview. */
export function parseRoute(fragment: string): Route {
  const [first = "", ...rest] = fragment.replace(/^#\/?/, "").split("/").map(decoded);
  const view = VIEWS.find((each) => each === first) ?? "overview";
  const [name, second] = rest;
  if (view !== "servers" || !name) return { view, name: name || undefined };
  return { view: "server", name, tab: TABS.find((each) => each === second) ?? "summary" };
}

/** The fragment of a view. */
export function viewLink(view: View): string {
  return `#/${view}`;
}

/** The fragment of a server's view. */
export function serverLink(id: string, tab: Tab = "summary"): string {
  const server = `#/servers/${encodeURIComponent(id)}`;
  return tab === "summary" ? server : `${server}/${tab}`;
}

/** The fragment of a group's members. */
export function groupLink(name: string): string {
  return `#/groups/${encodeURIComponent(name)}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
