/**
 * The ensemble as a graph: servers by host, with their roles, states and connections.
 *
 * @module
 */
import type { VNode } from "npm:preact@^11.2.0";
import { useLayoutEffect, useMemo, useRef, useState } from "npm:preact@^11.2.0/hooks";
import { counted, short, size } from "./formatting.ts";
import { type Layout, layOut, MAX_LABELLED, type Node } from "./graph_layout.ts";
import { element, html } from "./markup.ts";
import { stateMark } from "./marks.ts";
import type { Model } from "./model.ts";
import type { ObservedConnection, ObservedServer } from "./page_protocol.ts";
import { colourClass, roleClass, rolesOf } from "./roles.ts";
import { serverLink } from "./routes.ts";

/** The most connections that are drawn: the busiest. */
const MAX_DRAWN = 400;

/** More connections than these are drawn fainter. */
const FEW_CONNECTIONS = 120;

/** The sizes of the texts, in pixels of the screen. */
const HOST_TEXT = 12.5;
const SERVER_TEXT = 12.5;

/** The most pixels for a unit of the layout, so that a small ensemble is not huge. */
const MAX_SCALE = 1.5;

/** The graph. */
export function graph(model: Model): VNode {
  return element(Graph, { model, revision: model.revision });
}

function Graph({ model }: { model: Model; revision: number }): VNode {
  const frame = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(frame);
  const [shownServer, setShownServer] = useState<string>();
  const [shownRole, setShownRole] = useState<string>();
  const servers = model.sortedServers();
  const places = servers.map(({ id, host, roles }) => `${id} ${host} ${roles[0]}`).join("\n");
  // In steps, so that small changes of the window do not move the servers.
  const aspect = Math.max(0.4, Math.round((width / height) * 5) / 5);
  const layout = useMemo(() => layOut(servers, aspect), [places, aspect]);
  const scale = Math.min(MAX_SCALE, width / layout.width, height / layout.height);
  const roles = rolesOf(servers);
  const drawn = drawnConnections(model);
  const strength = shownServer === undefined ? Math.min(1, FEW_CONNECTIONS / drawn.length) : 1;
  const isNear = nearness(drawn, { shownServer, shownRole, model });
  const shown = shownServer === undefined ? undefined : model.servers.get(shownServer);
  const left = model.connections.size - drawn.length + model.connectionsLeftOut;
  return html`
    <section class="panel graph" aria-labelledby="graph-title">
      <header class="panel-head">
        <h2 id="graph-title">Ensemble</h2>
        <p class="quiet">
          ${counted(servers.length, "server")} on ${counted(layout.hosts.length, "host")},
          ${" "}${counted(drawn.length, "connection")}
          ${left > 0 && ` (${left} quieter ones are not drawn)`}
        </p>
      </header>
      <div
        class="graph-frame"
        ref=${frame}
        onMouseLeave=${() => setShownServer(undefined)}
        onFocusOut=${() => setShownServer(undefined)}
      >
        <svg
          viewBox=${viewBox(layout, { width, height, scale })}
          role="group"
          aria-label="Servers by host. Each is a link to its page."
          onKeyDown=${moveBetweenNodes}
        >
          ${layout.hosts.map(({ name, x, y, radius }) =>
            html`
              <g key=${name} class="host">
                <circle cx=${x} cy=${y} r=${radius} />
                <text x=${x} y=${y - radius - 8} style=${{ fontSize: `${HOST_TEXT / scale}px` }}>
                  ${name || "unknown host"}
                </text>
              </g>
            `
          )}
          <g class="edges" aria-hidden="true">
            ${drawn.map((each) =>
              edge(each, layout, isNear(each.a) && isNear(each.b) ? strength : 0.2)
            )}
          </g>
          ${servers.map((server) =>
            node(server, layout, {
              roleClass: roleClass(server),
              isLabelled: servers.length <= MAX_LABELLED,
              textSize: SERVER_TEXT / scale,
              isNear: isNear(server.id),
              show: () => setShownServer(server.id),
            })
          )}
        </svg>
      </div>
      <footer class="graph-foot">
        ${shown ? summary(shown) : legend(roles, {
          servers,
          shownRole,
          show: (role) => setShownRole(role === shownRole ? undefined : role),
        })}
      </footer>
    </section>
  `;
}

/** The busiest connections between servers that are known. */
function drawnConnections(model: Model): ObservedConnection[] {
  const known = [...model.connections.values()].filter(({ a, b }) =>
    model.servers.has(a) && model.servers.has(b)
  );
  if (known.length <= MAX_DRAWN) return known;
  return known.sort((a, b) => b.messagesPerSecond - a.messagesPerSecond).slice(0, MAX_DRAWN);
}

/** Which servers are not dimmed: all, or those near a server or with a role. */
function nearness(
  connections: readonly ObservedConnection[],
  { shownServer, shownRole, model }: {
    shownServer: string | undefined;
    shownRole: string | undefined;
    model: Model;
  },
): (id: string) => boolean {
  if (shownServer !== undefined) {
    const near = new Set([shownServer]);
    for (const { a, b } of connections) {
      if (a === shownServer) near.add(b);
      if (b === shownServer) near.add(a);
    }
    return (id) => near.has(id);
  }
  if (shownRole === undefined) return () => true;
  return (id) => model.servers.get(id)?.roles.includes(shownRole) ?? false;
}

function edge(
  { a, b, messagesPerSecond, waiting }: ObservedConnection,
  { nodes }: Layout,
  strength: number,
): VNode | undefined {
  const [from, to] = [nodes.get(a), nodes.get(b)];
  if (!from || !to) return;
  // In steps, so that a line is not drawn again for every small change of its rate.
  const busy = Math.min(4, Math.round(4 * Math.log10(1 + messagesPerSecond)) / 4);
  return html`
    <path
      key=${`${a} ${b}`}
      class=${`edge ${waiting > 1 << 20 ? "edge-waiting" : ""}`}
      d=${path(from, to)}
      style=${{ strokeWidth: `${1 + 0.9 * busy}px`, opacity: strength * (0.3 + 0.13 * busy) }}
    />
  `;
}

/** A line that bends to the middle of the hosts, so that it passes between their servers. */
function path(from: Node, to: Node): string {
  const middle = {
    x: (from.host.x + to.host.x + from.x + to.x) / 4,
    y: (from.host.y + to.host.y + from.y + to.y) / 4,
  };
  const number = (value: number) => value.toFixed(1);
  return `M${number(from.x)} ${number(from.y)}Q${number(middle.x)} ${number(middle.y)} ` +
    `${number(to.x)} ${number(to.y)}`;
}

interface NodeLook {
  readonly roleClass: string;
  readonly isLabelled: boolean;
  readonly textSize: number;
  readonly isNear: boolean;
  readonly show: () => void;
}

function node(server: ObservedServer, layout: Layout, look: NodeLook): VNode | undefined {
  const place = layout.nodes.get(server.id);
  if (!place) return;
  const { nodeRadius: radius } = layout;
  const { id, state, roles, isRegistry } = server;
  const classes = ["node", `node-${state}`, look.roleClass, !look.isNear && "dim"];
  const kind = isRegistry ? "registry" : roles.join(", ");
  const distance = radius + 6;
  const isCentre = place.x === place.host.x && place.y === place.host.y;
  const side = isCentre || Math.abs(Math.cos(place.angle)) < 0.1
    ? 0
    : Math.sign(Math.cos(place.angle));
  const below = side === 0 ? (isCentre || Math.sin(place.angle) > 0 ? 14 : -6) : 4;
  return html`
    <a
      key=${id}
      href=${serverLink(id)}
      class=${classes.filter(Boolean).join(" ")}
      aria-label=${`${id}, ${state}${kind && `, ${kind}`}, ${rateText(server)}`}
      onMouseEnter=${look.show}
      onFocus=${look.show}
      transform=${`translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`}
    >
      <circle class="halo" r=${radius + 4} />
      ${shape(server, radius)}
      ${state === "unreachable" && html`<path class="cross" d="M-4-4 4 4M4-4-4 4" />`}
      ${look.isLabelled && html`
        <text
          x=${side * distance}
          y=${side === 0 ? Math.sign(below) * radius + below : below}
          style=${{ fontSize: `${look.textSize}px` }}
          class=${`label label-${side < 0 ? "end" : side > 0 ? "start" : "middle"}`}
        >${id.length > 16 ? `${id.slice(0, 15)}…` : id}</text>
      `}
    </a>
  `;
}

function shape({ isRegistry }: ObservedServer, radius: number): VNode {
  if (!isRegistry) return html`<circle class="body" r=${radius} />`;
  const side = 2 * radius;
  return html`<rect class="body" x=${-radius} y=${-radius} width=${side} height=${side} rx="4" />`;
}

function rateText({ status }: ObservedServer): string {
  if (!status) return "no figures";
  return `${short(status.received?.messagesPerSecond)} messages per second in, ` +
    `${short(status.sent?.messagesPerSecond)} out`;
}

function summary(server: ObservedServer): VNode {
  const { id, state, roles, isRegistry, host, status, error } = server;
  return html`
    <p class="graph-summary">
      <strong><bdi>${id}</bdi></strong> ${stateMark(state)}
      <span>${isRegistry ? "registry" : roles.join(", ")}</span>
      ${host && html`<span class="quiet">${host}</span>`}
      ${status && html`
        <span class="quiet">
          ${short(status.received?.messagesPerSecond)} in/s,
          ${" "}${short(status.sent?.messagesPerSecond)} out/s, ${size(status.memory?.rss)}
        </span>
      `}
      ${error && html`<span class="bad">${error}</span>`}
    </p>
  `;
}

function legend(
  roles: readonly string[],
  { servers, shownRole, show }: {
    servers: readonly ObservedServer[];
    shownRole: string | undefined;
    show: (role: string) => void;
  },
): VNode {
  return html`
    <div class="legend" role="group" aria-label="Show one role">
      ${roles.slice(0, 12).map((role) =>
        html`
          <button
            key=${role}
            type="button"
            class="legend-entry"
            aria-pressed=${role === shownRole}
            onClick=${() => show(role)}
          >
            <span class=${`dot ${colourClass(role)}`} aria-hidden="true"></span>
            <bdi>${role}</bdi>
            <span class="quiet">${servers.filter((each) => each.roles.includes(role)).length}</span>
          </button>
        `
      )}
      ${roles.length > 12 && html`<span class="quiet">and ${roles.length - 12} more roles</span>`}
      <span class="legend-note quiet">A line is a connection: the thicker, the more messages.</span>
    </div>
  `;
}

/** The part of the coordinate system to show: all of it, in the middle. */
function viewBox(layout: Layout, frame: { width: number; height: number; scale: number }): string {
  const [width, height] = [frame.width / frame.scale, frame.height / frame.scale];
  return [(layout.width - width) / 2, (layout.height - height) / 2, width, height]
    .map((value) => value.toFixed(1)).join(" ");
}

/** The size of the frame, in pixels. */
function useSize(
  frame: { readonly current: HTMLElement | null },
): { width: number; height: number } {
  const [size, setSize] = useState({ width: 900, height: 460 });
  useLayoutEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width > 0 && height > 0) setSize({ width, height });
    });
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);
  return size;
}

/** Moves the focus to the nearest server in the direction of an arrow key. */
function moveBetweenNodes(event: KeyboardEvent & { currentTarget: Element }): void {
  const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[
    event.key
  ];
  const current = (event.target as Element).closest<SVGAElement>("a.node");
  if (!direction || !current) return;
  const [dx, dy] = direction as [number, number];
  const centre = (element: Element) => {
    const { x, y, width, height } = element.querySelector(".body")!.getBoundingClientRect();
    return { x: x + width / 2, y: y + height / 2 };
  };
  const from = centre(current);
  let best: SVGAElement | undefined;
  let bestDistance = Infinity;
  for (const other of event.currentTarget.querySelectorAll<SVGAElement>("a.node")) {
    const to = centre(other);
    const [along, across] = [
      (to.x - from.x) * dx + (to.y - from.y) * dy,
      Math.abs((to.x - from.x) * dy) + Math.abs((to.y - from.y) * dx),
    ];
    const distance = along + 2 * across;
    if (other !== current && along > 1 && distance < bestDistance) {
      [best, bestDistance] = [other, distance];
    }
  }
  if (!best) return;
  event.preventDefault();
  best.focus();
}
