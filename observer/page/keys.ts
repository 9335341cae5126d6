/**
 * The keys of the page.
 *
 * @module
 */
import { viewLink, VIEWS } from "./routes.ts";
import { rowFocuses } from "./table.ts";

/** What keys do that no element of the page does alone. */
export interface KeyActions {
  /** Shows what the keys do. */
  readonly openHelp: () => void;
  /** Goes on to the next theme. */
  readonly changeTheme: () => void;
}

/** The keys, with what they do. */
export const KEYS: readonly (readonly [keys: string, action: string])[] = [
  [`1 … ${VIEWS.length}`, "go to a view, in the order of the navigation"],
  ["/", "type into the filter of the view"],
  ["↑ ↓", "go from row to row of a table; in the graph, from server to server"],
  ["Enter", "open what has the focus"],
  ["[ ]", "go to the previous or next part of a server's view"],
  ["Esc", "clear the filter; else go back to the list"],
  ["p", "pause the log, or let it go on"],
  ["t", "change between the system's theme, light and dark"],
  ["?", "show this help"],
];

/** Listens to keys until the returned function is called. */
export function onKeys(actions: KeyActions): () => void {
  const pressed = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    const target = event.target as HTMLElement;
    if (event.key === "Escape") return escape(target);
    if (target.matches("input, select, textarea")) return;
    if (press(event.key, actions)) event.preventDefault();
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}

/** Returns whether the key does something. */
function press(key: string, { openHelp, changeTheme }: KeyActions): boolean {
  const view = VIEWS[Number(key) - 1];
  if (view) location.hash = viewLink(view);
  else if (key === "?") openHelp();
  else if (key === "t") changeTheme();
  else if (key === "p") document.querySelector<HTMLElement>("[data-key=p]")?.click();
  else if (key === "/") document.querySelector<HTMLInputElement>("input[type=search]")?.focus();
  else if (key === "ArrowDown") return focusFirstRow();
  else if (key === "[" || key === "]") nextTab(key === "]" ? 1 : -1);
  else return false;
  return true;
}

/** With the focus outside of tables, the arrow goes to the first table of the view. */
function focusFirstRow(): boolean {
  if (document.activeElement?.closest("tbody, svg, [tabindex='0']")) return false;
  const [first] = rowFocuses(document);
  first?.focus();
  return first !== undefined;
}

function nextTab(step: number): void {
  const tabs = [...document.querySelectorAll<HTMLAnchorElement>(".tabs a")];
  const at = tabs.findIndex((tab) => tab.getAttribute("aria-current") === "page");
  if (at >= 0) tabs[at + step]?.click();
}

/** Clears a filter; without one, leaves it, and then the view. */
function escape(target: HTMLElement): void {
  const filter = document.querySelector<HTMLInputElement>("input[type=search]");
  if (filter && filter.value !== "") {
    filter.value = "";
    filter.dispatchEvent(new Event("input", { bubbles: true }));
  } else if (target.matches("input, select")) {
    target.blur();
  } else {
    document.querySelector<HTMLElement>("[data-key=Escape]")?.click();
  }
}
