/**
 * Small parts of many views: the state of a server, its name, its roles, a hash.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { shortHash } from "./formatting.ts";
import { html } from "./markup.ts";
import type { ObservedLevel, ObservedServer, ObservedState } from "./page_protocol.ts";
import { colourClass, roleClass } from "./roles.ts";
import { serverLink } from "./routes.ts";

/** The states, from the usual one to the worst. */
export const STATES: readonly ObservedState[] = [
  "up",
  "starting",
  "draining",
  "gone",
  "unreachable",
];

/** Signs that tell the states apart without their colours. */
const STATE_SIGNS: Readonly<Record<ObservedState, string>> = {
  starting: "◔",
  up: "●",
  draining: "◐",
  unreachable: "✕",
  gone: "○",
};

/** The state of a server, as a sign and a word. */
export function stateMark(state: ObservedState): VNode {
  return html`
    <span class=${`state state-${state}`}>
      <span class="sign" aria-hidden="true">${STATE_SIGNS[state]}</span>${state}
    </span>
  `;
}

/** The id of a server, with its colour, as a link to its view. */
export function serverName(server: ObservedServer): VNode {
  return html`
    <a class="server-name" href=${serverLink(server.id)}>
      <span class=${`dot ${roleClass(server)}`} aria-hidden="true"></span>
      <bdi>${server.id}</bdi>
    </a>
  `;
}

/** The roles of a server. */
export function roleMarks(server: ObservedServer): VNode {
  return html`
    <span class="roles">
      ${server.isRegistry && html`<span class="chip role-registry">registry</span>`}
      ${server.isRegistry
        ? ""
        : server.roles.map((role) =>
          html`<span class=${`chip ${colourClass(role)}`}><bdi>${role}</bdi></span>`
        )}
    </span>
  `;
}

/** A hash, shortened; the whole one is its title. */
export function hashMark(hash: string): VNode {
  return html`<code class="hash" title=${hash}>${shortHash(hash)}</code>`;
}

/** The level of a log record. */
export function levelMark(level: ObservedLevel): VNode {
  return html`<span class=${`level level-${level}`}>${level}</span>`;
}

/** What a view shows in place of figures that it does not have. */
export function notice(text: string, kind: "empty" | "error" = "empty"): VNode {
  return html`<p class=${`notice notice-${kind}`} role=${kind === "error" ? "alert" : undefined}>
    ${text}
  </p>`;
}
