/**
 * The loaded modules with their versions: which server runs which, so that a roll-out that stopped
 * half-way is seen; and the versions of gxensemble and Deno.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useState } from "npm:preact@^11.2.0/hooks";
import { filterField, matches } from "./filter_field.ts";
import { compareTexts, counted, dateTime, duration } from "./formatting.ts";
import { element, html } from "./markup.ts";
import { hashMark, notice, serverName } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ObservedServer } from "./page_protocol.ts";
import { type ModuleVersions, moduleVersions, type Version } from "./versions.ts";

/** The most servers of a version that are named at first. */
const NAMED = 12;

/** The view. */
export function versionsView(model: Model): VNode {
  return element(VersionsView, { model, revision: model.revision });
}

function VersionsView({ model }: { model: Model; revision: number }): VNode {
  const [filter, setFilter] = useState("");
  const servers = model.sortedServers();
  const modules = moduleVersions(servers);
  const shown = modules.filter(({ module, versions }) =>
    matches(filter, [
      module,
      ...versions.flatMap((each) => [each.hash, ...each.servers.map(({ id }) => id)]),
    ])
  ).sort((a, b) => Number(b.versions.length > 1) - Number(a.versions.length > 1));
  return html`
    <section>
      <header class="view-head">
        <h1 tabindex="-1">Versions</h1>
        ${filterField({ what: "modules", text: filter, onText: setFilter })}
        <p class="quiet">${counted(modules.length, "module")}</p>
      </header>
      ${shown.length === 0 && notice(
        modules.length === 0
          ? "No server has told of a module yet."
          : "No module matches the filter.",
      )}
      ${shown.map((module) => modulePanel(module, model.now()))}
      <h2>Programs</h2>
      ${programs(servers)}
    </section>
  `;
}

function modulePanel({ module, versions, servers }: ModuleVersions, now: number): VNode {
  const isMixed = versions.length > 1;
  return html`
    <section class=${`panel module ${isMixed ? "module-mixed" : ""}`} key=${module}>
      <header class="panel-head">
        <h2><bdi class="code">${module}</bdi></h2>
        <p class=${isMixed ? "warn" : "quiet"}>
          ${isMixed
            ? `${counted(versions.length, "version")} on ${counted(servers, "server")}`
            : `one version on ${counted(servers, "server")}`}
        </p>
      </header>
      ${isMixed && shares(versions, servers)}
      ${versions.map((version, index) => versionRow(version, { now, index, isMixed }))}
    </section>
  `;
}

/** How the servers divide among the versions. */
function shares(versions: readonly Version[], all: number): VNode {
  return html`
    <div class="shares" aria-hidden="true">
      ${versions.map(({ hash, servers }, index) =>
        html`
          <span
            key=${hash}
            class=${`share share-${Math.min(index, 3)}`}
            style=${{ width: `${(100 * servers.length) / all}%` }}
          ></span>
        `
      )}
    </div>
  `;
}

function versionRow(
  { hash, servers, at }: Version,
  { now, index, isMixed }: { now: number; index: number; isMixed: boolean },
): VNode {
  return html`
    <div class="version" key=${hash}>
      <p class="version-head">
        ${isMixed &&
          html`<span class=${`share-key share-${Math.min(index, 3)}`} aria-hidden="true"></span>`}
        ${hashMark(hash)}
        <strong>${counted(servers.length, "server")}</strong>
        <span class="quiet" title=${dateTime(at)}>${duration(now - at)} ago</span>
      </p>
      ${names(servers)}
    </div>
  `;
}

function names(servers: readonly ObservedServer[]): VNode {
  const first = servers.slice(0, NAMED).map(serverName);
  if (servers.length <= NAMED) return html`<p class="names">${first}</p>`;
  return html`
    <details class="names">
      <summary>${first}<span class="more-names">and ${servers.length - NAMED} more</span></summary>
      ${servers.slice(NAMED).map(serverName)}
    </details>
  `;
}

function programs(servers: readonly ObservedServer[]): VNode {
  const running = servers.filter(({ version, state }) => version !== undefined && state !== "gone");
  const programs = [
    ...Map.groupBy(
      running,
      ({ version, deno }) => `gxensemble ${version}${deno === undefined ? "" : `, Deno ${deno}`}`,
    ),
  ]
    .sort(([a], [b]) => compareTexts(b, a));
  if (programs.length === 0) return notice("No server has told its version yet.");
  return html`
    <div class=${`panel module ${programs.length > 1 ? "module-mixed" : ""}`}>
      ${programs.map(([program, same]) =>
        html`
          <div class="version" key=${program}>
            <p class="version-head">
              <strong>${program}</strong>
              <span class="quiet">${counted(same.length, "server")}</span>
            </p>
            ${names(same)}
          </div>
        `
      )}
    </div>
  `;
}
