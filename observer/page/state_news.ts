/**
 * Tells screen readers about servers whose state changes.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { element, html } from "./markup.ts";
import type { Model } from "./model.ts";

/** The last change of a state, for screen readers. */
export function stateNews(model: Model): VNode {
  return element(StateNews, { last: lastChange(model) });
}

function StateNews({ last }: { last: string }): VNode {
  return html`<p class="hidden" role="status">${last}</p>`;
}

function lastChange({ timeline }: Model): string {
  const last = timeline.findLast(({ change }) => change !== "changed");
  return last ? `${last.server}: ${last.change}` : "";
}
