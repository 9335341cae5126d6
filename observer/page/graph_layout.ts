/**
 * Where the graph of the ensemble has its servers: each host is a circle, and its servers stand on
 * rings in it. Places depend on the hosts and ids alone, so that a graph whose traffic changes
 * stays as it is.
 *
 * @module
 */
import { compareTexts } from "./formatting.ts";
import type { ObservedServer } from "./page_protocol.ts";

/** A server's place. */
export interface Node {
  readonly server: ObservedServer;
  readonly x: number;
  readonly y: number;
  /** The direction from the centre of its host, in radians. */
  readonly angle: number;
  readonly host: HostCircle;
}

/** A host's place. */
export interface HostCircle {
  /** Its name; empty for servers that have not told theirs. */
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** The number of its servers. */
  readonly servers: number;
}

/** A graph's places, in a coordinate system of its own. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The radius of a server. */
  readonly nodeRadius: number;
  readonly hosts: readonly HostCircle[];
  /** By id. */
  readonly nodes: ReadonlyMap<string, Node>;
}

/** The most servers whose ids are always shown. */
export const MAX_LABELLED = 48;

const NODE_RADIUS = 11;
const NODE_DISTANCE = 44;
const LEAST_RING = 58;
const RING_DISTANCE = 40;
/** The most servers on a host that stand on a single ring. */
const SINGLE_RING = 24;
const HOST_MARGIN = 26;
const LABEL_WIDTH = 92;
const GAP = 26;

/** Places servers in an area whose width is `aspect` times its height. */
export function layOut(servers: readonly ObservedServer[], aspect: number): Layout {
  const isLabelled = servers.length <= MAX_LABELLED;
  const byHost = Map.groupBy(servers, ({ host }) => host ?? "");
  const groups = [...byHost].sort(([a], [b]) => compareTexts(a, b)).map(([name, members]) => {
    const rings = ringsOf(members.length);
    return { name, members: inOrder(members), rings, radius: rings[0]!.radius + HOST_MARGIN };
  });
  const margin = isLabelled ? LABEL_WIDTH : 0;
  const cells = groups.map(({ radius }) => ({
    width: 2 * (radius + margin) + GAP,
    height: 2 * radius + GAP + 22,
  }));
  const { width, height, places } = inRows(cells, aspect);
  const nodes = new Map<string, Node>();
  const hosts = groups.map(({ name, members, rings, radius }, index) => {
    const { x, y } = places[index]!;
    const host = { name, x, y: y + 11, radius, servers: members.length };
    let at = 0;
    for (const { capacity, radius } of rings) {
      const on = members.slice(at, at += capacity);
      on.forEach((server, place) => {
        // No server stands at the top, where the host's name is.
        const angle = ((place + 0.5) / on.length) * 2 * Math.PI - Math.PI / 2;
        nodes.set(server.id, {
          server,
          x: host.x + radius * Math.cos(angle),
          y: host.y + radius * Math.sin(angle),
          angle,
          host,
        });
      });
    }
    return host;
  });
  return { width, height, nodeRadius: NODE_RADIUS, hosts, nodes };
}

/** Servers with the same role stand together. */
function inOrder(servers: readonly ObservedServer[]): ObservedServer[] {
  const role = ({ isRegistry, roles }: ObservedServer) => isRegistry ? "" : roles[0] ?? "~";
  return servers.toSorted((a, b) => compareTexts(role(a), role(b)) || compareTexts(a.id, b.id));
}

/** The rings for a number of servers, the outermost first. */
function ringsOf(count: number): { capacity: number; radius: number }[] {
  if (count === 1) return [{ capacity: 1, radius: 0 }];
  if (count <= SINGLE_RING) {
    const radius = Math.max(LEAST_RING, (count * NODE_DISTANCE) / (2 * Math.PI));
    return [{ capacity: count, radius }];
  }
  const rings = [];
  for (let left = count, radius = RING_DISTANCE; left > 0; radius += RING_DISTANCE) {
    const capacity = Math.min(left, Math.floor((2 * Math.PI * radius) / NODE_DISTANCE));
    rings.unshift({ capacity, radius });
    left -= capacity;
  }
  return rings;
}

interface Cell {
  readonly width: number;
  readonly height: number;
}

/** Places cells in rows, so that the whole has about the given aspect. */
function inRows(
  cells: readonly Cell[],
  aspect: number,
): { width: number; height: number; places: { x: number; y: number }[] } {
  const widest = Math.max(0, ...cells.map(({ width }) => width));
  const all = cells.reduce((sum, { width }) => sum + width, 0);
  let best: ReturnType<typeof inRows> | undefined;
  let bestScale = 0;
  for (let rows = 1; rows <= cells.length; rows++) {
    const placed = rowsWithin(cells, Math.max(widest, (all / rows) * 1.05));
    const scale = Math.min(aspect / placed.width, 1 / placed.height);
    if (scale > bestScale) [best, bestScale] = [placed, scale];
  }
  return best ?? { width: 1, height: 1, places: [] };
}

function rowsWithin(cells: readonly Cell[], limit: number): ReturnType<typeof inRows> {
  const rows: { cells: Cell[]; width: number; height: number }[] = [];
  for (const cell of cells) {
    const row = rows.at(-1);
    if (!row || row.width + cell.width > limit) {
      rows.push({ cells: [cell], width: cell.width, height: cell.height });
    } else {
      row.cells.push(cell);
      row.width += cell.width;
      row.height = Math.max(row.height, cell.height);
    }
  }
  const width = Math.max(...rows.map((row) => row.width));
  const places: { x: number; y: number }[] = [];
  let y = 0;
  for (const row of rows) {
    let x = (width - row.width) / 2;
    for (const cell of row.cells) {
      places.push({ x: x + cell.width / 2, y: y + row.height / 2 });
      x += cell.width;
    }
    y += row.height;
  }
  return { width, height: y, places };
}
