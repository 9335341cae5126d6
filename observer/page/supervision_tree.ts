/**
 * The supervision tree of a server.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { count, counted } from "./formatting.ts";
import { usePolled } from "./live_values.ts";
import { element, html } from "./markup.ts";
import { notice } from "./marks.ts";
import type { ActorTreeAnswer, ObservedServer, ObservedTree } from "./page_protocol.ts";

/** How long after an answer the tree is read again, in ms. */
const PAUSE = 3000;

/** A supervisor with more children is closed at first. */
const OPEN = 30;

/** The part of the view. */
export function supervisionTree({ id }: ObservedServer): VNode {
  return element(SupervisionTree, { server: id });
}

function SupervisionTree({ server }: { server: string }): VNode {
  const path = `api/servers/${encodeURIComponent(server)}/tree`;
  const { answer, error } = usePolled<ActorTreeAnswer>(path, PAUSE);
  return html`
    <section>
      <h2 class="hidden">Supervision</h2>
      ${error !== undefined && notice(error, "error")}
      ${!answer && error === undefined && notice("Reading the tree …")}
      ${answer?.isCut && notice("The server has more actors than are shown here.")}
      ${answer && html`
        <ul class="panel tree" aria-label=${`Actors of ${server} with their supervisors`}>
          ${answer.tree.map((actor) => branch(actor))}
        </ul>
      `}
    </section>
  `;
}

function branch(actor: ObservedTree): VNode {
  const { children, serial } = actor;
  if (children.length === 0) return html`<li key=${serial} class="leaf">${description(actor)}</li>`;
  return html`
    <li key=${serial}>
      <details open=${children.length <= OPEN}>
        <summary>
          ${description(actor)}
          <span class="quiet">${counted(children.length, "child").replace(
            "childs",
            "children",
          )}</span>
        </summary>
        <ul>${children.map(branch)}</ul>
      </details>
    </li>
  `;
}

function description({ id, name, serial, state, mailbox, handled, restarts }: ObservedTree): VNode {
  return html`
    <span class="tree-line">
      <span class=${`actor-dot actor-${state}`} aria-hidden="true"></span>
      <bdi class="code">${name ?? `#${serial}`}</bdi>
      ${id !== undefined && id !== name && html`<bdi class="quiet">${id}</bdi>`}
      <span class="hidden">${state}</span>
      ${restarts > 0 && html`<span class="warn">${counted(restarts, "restart")}</span>`}
      ${mailbox > 0 && html`<span>${count(mailbox)} waiting</span>`}
      <span class="quiet">${count(handled)} handled</span>
    </span>
  `;
}
