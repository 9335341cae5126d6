/**
 * The field with which the reader filters a view.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { html } from "./markup.ts";

/** Properties of a {@linkcode filterField}. */
export interface FilterField {
  /** What it filters: `servers`. */
  readonly what: string;
  /** The text. */
  readonly text: string;
  /** Called with each new text. */
  readonly onText: (text: string) => void;
}

/** The field. */
export function filterField({ what, text, onText }: FilterField): VNode {
  return html`
    <input
      type="search"
      class="filter"
      aria-label=${`Filter ${what}`}
      placeholder=${`Filter ${what}   /`}
      autocomplete="off"
      spellcheck=${false}
      value=${text}
      onInput=${(event: Event) => onText((event.target as HTMLInputElement).value)}
    />
  `;
}

/** Whether all words of a filter are in one of some texts, in upper or lower case. */
export function matches(filter: string, texts: readonly (string | undefined)[]): boolean {
  const all = texts.join("\n").toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}
