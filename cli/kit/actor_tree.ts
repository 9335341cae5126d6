/**
 * Trees of supervisors and the actors below them, for lists.
 *
 * @module
 */
import type { ActorInfo } from "../../runtime/actor/introspection.ts";
import { actorToJson } from "./listing.ts";

/** An actor with those below it. */
export interface ActorTree {
  /** The actor. */
  readonly actor: ActorInfo;
  /** The children of a supervisor. */
  readonly children: readonly ActorTree[];
}

/**
 * Arranges actors below their supervisors. Those at the top are sorted by name, and the others stay
 * in their order.
 */
export function treeOf(actors: readonly ActorInfo[]): ActorTree[] {
  const known = new Set(actors.map(({ serial }) => serial));
  const below = Map.groupBy(
    actors,
    ({ child }) => child && known.has(child.supervisor) ? child.supervisor : undefined,
  );
  // Supervisors have lower numbers than their children. Otherwise they could be below themselves.
  const childrenOf = (serial: number | undefined): ActorTree[] =>
    (below.get(serial) ?? []).filter((actor) => serial === undefined || actor.serial > serial)
      .map((actor) => ({ actor, children: childrenOf(actor.serial) }));
  const nameOf = ({ actor: { name, serial } }: ActorTree) => name ?? `${serial}`;
  return childrenOf(undefined).sort((a, b) => nameOf(a) < nameOf(b) ? -1 : 1);
}

/** Formats actors, one a line, with lines to those below them. */
export function formatTree(trees: readonly ActorTree[]): string[] {
  return trees.flatMap(({ actor, children }) => [
    formatNode(actor),
    ...children.flatMap((child, index) => {
      const isLast = index === children.length - 1;
      const [first = "", ...others] = formatTree([child]);
      const rest = others.map((line) => `${isLast ? "   " : "│  "}${line}`);
      return [`${isLast ? "└─ " : "├─ "}${first}`, ...rest];
    }),
  ]);
}

/** Converts an actor with those below it for `--json`. */
export function treeToJson({ actor, children }: ActorTree): object {
  const { child } = actor;
  return {
    ...actorToJson(actor),
    id: child?.id ?? null,
    restarts: child?.restarts ?? 0,
    children: children.map(treeToJson),
  };
}

/** `counter`, `17 (session-1)`, `counter, restarting, 2 restarts`. */
function formatNode({ name, serial, state, child }: ActorInfo): string {
  const id = child && child.id !== name ? ` (${child.id})` : "";
  const restarts = child?.restarts ?? 0;
  return [
    `${name ?? serial}${id}`,
    ...state === "restarting" ? [state] : [],
    ...restarts > 0 ? [restarts === 1 ? "1 restart" : `${restarts} restarts`] : [],
  ].join(", ");
}
