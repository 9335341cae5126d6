/**
 * The changes of the ensemble as a time line.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { filterField, matches } from "./filter_field.ts";
import { clock, compareTexts, counted, duration } from "./formatting.ts";
import { element, html } from "./markup.ts";
import { notice } from "./marks.ts";
import type { Model } from "./model.ts";
import type { TimelineEntry } from "./page_protocol.ts";
import { serverLink } from "./routes.ts";

/** The time that the strip covers, in ms. */
const STRIP = 600_000;

/** The most servers that have a lane in the strip. */
const MAX_LANES = 24;

/** The most entries that are listed: the last. */
const MAX_LISTED = 300;

/** What happened to a server, in its colour. */
export function changeMark(change: TimelineEntry["change"]): VNode {
  return html`<span class=${`change change-${change.replaceAll(" ", "-")}`}>${change}</span>`;
}

/** The view. */
export function timelineView(model: Model): VNode {
  return element(TimelineView, { model, revision: model.revision });
}

function TimelineView({ model }: { model: Model; revision: number }): VNode {
  const [filter, setFilter] = useState("");
  const entries = model.timeline.filter(({ server, change, details }) =>
    matches(filter, [server, change, details])
  );
  return html`
    <section>
      <header class="view-head">
        <h1 tabindex="-1">Timeline</h1>
        ${filterField({ what: "changes", text: filter, onText: setFilter })}
        <p class="quiet">${counted(entries.length, "change")}</p>
      </header>
      ${entries.length === 0
        ? notice(
          filter === ""
            ? "Nothing has changed since the observer started."
            : "No change matches the filter.",
        )
        : [strip(entries, model.now()), list(entries, model.now())]}
    </section>
  `;
}

/** The last ten minutes, with a lane for each server. The list has the same in words. */
function strip(entries: readonly TimelineEntry[], now: number): VNode | false {
  const recent = entries.filter(({ at }) => at > now - STRIP);
  const lanes = [...Map.groupBy(recent, ({ server }) => server)]
    .sort(([a], [b]) => compareTexts(a, b)).slice(0, MAX_LANES);
  return lanes.length > 0 && html`
    <div class="panel strip" aria-hidden="true">
      ${lanes.map(([server, changes]) =>
        html`
          <div class="lane" key=${server}>
            <span class="lane-name">${server}</span>
            <span class="lane-track">
              ${changes.map(({ sequence, at, change, details }) =>
                html`
                  <span
                    key=${sequence}
                    class=${`lane-mark change-${change.replaceAll(" ", "-")}`}
                    style=${{ left: `${100 * (1 - (now - at) / STRIP)}%` }}
                    title=${`${clock(at)} ${change} ${details ?? ""}`}
                  ></span>
                `
              )}
            </span>
          </div>
        `
      )}
      <div class="lane lane-scale">
        <span class="lane-name"></span>
        <span class="lane-track"><span>10 min ago</span><span>5 min</span><span>now</span></span>
      </div>
    </div>
  `;
}

function list(entries: readonly TimelineEntry[], now: number): VNode {
  return html`
    <ol class="panel events timeline">
      ${entries.slice(-MAX_LISTED).reverse().map(({ sequence, at, server, change, details }) =>
        html`
          <li key=${sequence}>
            <time class="quiet" title=${`${duration(now - at)} ago`}>${clock(at)}</time>
            <a href=${serverLink(server)}><bdi>${server}</bdi></a>
            ${changeMark(change)}
            <bdi class="details">${details}</bdi>
          </li>
        `
      )}
    </ol>
  `;
}
