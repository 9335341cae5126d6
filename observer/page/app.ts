/**
 * The frame of the page: its head, navigation and keys, around the view that the address names.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useEffect, useRef, useState } from "npm:preact@^11.2.0/hooks";
import { groupsView } from "./groups_view.ts";
import { keyHelp } from "./key_help.ts";
import { onKeys } from "./keys.ts";
import { useModel, useRoute } from "./live_values.ts";
import { logsView } from "./logs_view.ts";
import { element, html } from "./markup.ts";
import type { Model } from "./model.ts";
import { overview } from "./overview.ts";
import { assignColours } from "./roles.ts";
import { type Route, VIEW_TITLES, viewLink, VIEWS } from "./routes.ts";
import { serverView } from "./server_view.ts";
import { serversView } from "./servers_view.ts";
import { stateNews } from "./state_news.ts";
import { chooseTheme, chosenTheme, nextTheme } from "./theme.ts";
import { timelineView } from "./timeline_view.ts";
import { versionsView } from "./versions_view.ts";

/** The page. */
export function app(model: Model): VNode {
  return element(App, { model });
}

function App({ model }: { model: Model }): VNode {
  useModel(model);
  assignColours(model.sortedServers());
  const route = useRoute();
  const help = useRef<HTMLDialogElement>(null);
  const [theme, setTheme] = useState(chosenTheme);
  const changeTheme = () => {
    const next = nextTheme(chosenTheme());
    chooseTheme(next);
    setTheme(next);
  };
  useEffect(() => onKeys({ openHelp: () => help.current?.showModal(), changeTheme }), []);
  useTitle(route);
  const current = route.view === "server" ? "servers" : route.view;
  return html`
    <div class="page">
      <a class="skip" href="#main" onClick=${skipToMain}>Skip to the content</a>
      <header class="head">
        <a class="brand" href=${viewLink("overview")}>
          <img src="assets/icon.svg" alt="" width="22" height="22" />
          <span>gxensemble <span class="brand-quiet">observer</span></span>
        </a>
        <nav aria-label="Views">
          ${VIEWS.map((view, index) =>
            html`
              <a
                key=${view}
                href=${viewLink(view)}
                aria-current=${view === current ? "page" : undefined}
                title=${`Key ${index + 1}`}
              >${VIEW_TITLES[view]}</a>
            `
          )}
        </nav>
        <div class="head-end">
          ${linkMark(model)}
          <button type="button" class="quiet-button" onClick=${changeTheme} title="Key t">
            ${{ system: "Auto", light: "Light", dark: "Dark" }[theme]}
            <span class="hidden"> theme</span>
          </button>
          <button
            type="button"
            class="quiet-button"
            aria-label="Keys"
            title="Keys (?)"
            onClick=${() => help.current?.showModal()}
          >?</button>
        </div>
      </header>
      ${problem(model)}
      <main id="main" tabindex="-1">
        ${model.link === "connecting"
          ? html`<p class="notice">Connecting …</p>`
          : view(route, model)}
      </main>
      ${stateNews(model)}
      ${keyHelp(help)}
    </div>
  `;
}

function view(route: Route, model: Model): VNode {
  switch (route.view) {
    case "overview":
      return overview(model);
    case "servers":
      return serversView(model);
    case "server":
      return serverView(model, route);
    case "groups":
      return groupsView(model, route.name);
    case "versions":
      return versionsView(model);
    case "logs":
      return logsView(model);
    case "timeline":
      return timelineView(model);
  }
}

function linkMark({ link, interval }: Model): VNode {
  const text = { connecting: "connecting", live: "live", lost: "no connection" }[link];
  const title = link === "live" ? `Each server is asked every ${interval / 1000} s` : undefined;
  return html`
    <span class=${`link link-${link}`} title=${title}>
      <span class="sign" aria-hidden="true">●</span>${text}
    </span>
  `;
}

/** What the reader has to know before they trust the figures. */
function problem({ link, registryError }: Model): VNode | undefined {
  if (link === "lost") {
    return html`
      <p class="problem" role="alert">
        The observer does not answer, so these figures are old. If it has ended, start it again and
        open the address that it prints.
      </p>
    `;
  }
  if (registryError === undefined) return;
  return html`<p class="problem" role="alert">The registry does not answer: ${registryError}</p>`;
}

/** Names the view in the title of the window, and moves the focus to a new view. */
function useTitle(route: Route): void {
  const name = "name" in route ? route.name : undefined;
  const title = route.view === "server" ? name : VIEW_TITLES[route.view];
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} · gxensemble observer`;
    if (!isFirst.current) document.querySelector<HTMLElement>("main h1")?.focus();
    if (!isFirst.current) scrollTo(0, 0);
    isFirst.current = false;
  }, [route.view, name]);
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
