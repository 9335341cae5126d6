/**
 * A model of the rules of OTP's `supervisor`, and random trees and events for it.
 *
 * The model has no actors: it only knows which actors run, and notes their starts (`+name`) and
 * shutdowns (`-name`) in order.
 *
 * @module
 * @see https://www.erlang.org/doc/apps/stdlib/supervisor.html
 */
import type { SeededRandom } from "../../seeded_random.ts";

/** A worker, or a supervisor with its children. */
export interface Node {
  readonly name: string;
  readonly restart: "permanent" | "transient" | "temporary";
  readonly supervisor?: {
    readonly strategy: "one-for-one" | "one-for-all" | "rest-for-one";
    /** The number of restarts that it allows, for as long as it runs. */
    readonly intensity: number;
    readonly children: readonly Node[];
  };
}

/** What happens to a tree. */
export type Event =
  /** A worker fails, ends normally, or is killed; the last also a supervisor. */
  | { readonly type: "crash" | "end" | "kill"; readonly name: string }
  /** A supervisor is asked for something. */
  | { readonly type: "stop" | "restart" | "remove"; readonly parent: string; readonly name: string }
  | { readonly type: "start"; readonly parent: string; readonly child: Node };

/** A child as the model and the actors are compared: its id, its status, its restarts, its children. */
export type Snapshot = readonly (readonly [
  name: string,
  status: "running" | "stopped",
  restarts: number,
  children: Snapshot | undefined,
])[];

/** Why a child ended: it returned, it was shut down or gave up, or it failed. */
type Reason = "normal" | "shutdown" | "failure";

interface ModelChild {
  readonly node: Node;
  readonly parent: ModelSupervisor | undefined;
  isRunning: boolean;
  restarts: number;
  supervisor: ModelSupervisor | undefined;
}

interface ModelSupervisor {
  readonly self: ModelChild;
  children: ModelChild[];
  restarts: number;
}

/** A tree as OTP would have it. */
export class SupervisionModel {
  /** What started and was shut down, since it was last emptied. */
  readonly notes: string[] = [];
  /** The number of restarts of children. */
  restarts = 0;
  /** How many supervisors gave up. */
  given = 0;
  readonly #top: ModelChild;

  /** Starts a tree. */
  constructor(top: Node) {
    this.#top = { ...newChild(top, undefined) };
    this.#start(this.#top);
  }

  /** Whether the top supervisor runs. */
  get isRunning(): boolean {
    return this.#top.isRunning;
  }

  /** The running children of running supervisors, with those that are stopped. */
  children(): ModelChild[] {
    const below = ({ supervisor }: ModelChild): ModelChild[] =>
      supervisor?.children.flatMap((child) => [child, ...child.isRunning ? below(child) : []]) ??
        [];
    return this.isRunning ? below(this.#top) : [];
  }

  /** What the tree looks like. */
  snapshot(): Snapshot {
    const of = (supervisor: ModelSupervisor): Snapshot =>
      supervisor.children.map(({ node, isRunning, restarts, supervisor: below }) => [
        node.name,
        isRunning ? "running" : "stopped",
        restarts,
        isRunning && below ? of(below) : undefined,
      ]);
    return this.isRunning ? of(this.#top.supervisor!) : [];
  }

  /** Has something happen. */
  apply(event: Event): void {
    if (event.type === "start") {
      const { supervisor } = this.#find(event.parent);
      const child = newChild(event.child, supervisor);
      supervisor!.children.push(child);
      return this.#start(child);
    }
    const child = this.#find(event.name);
    switch (event.type) {
      case "crash":
        return this.#ended(child, "failure");
      case "kill":
        return this.#ended(child, "failure");
      case "end":
        this.notes.push(`-${child.node.name}`);
        return this.#ended(child, "normal");
      case "stop":
        return this.#terminate(child);
      case "restart":
        this.#start(child);
        child.restarts++;
        return;
      case "remove":
        this.#terminate(child);
        return forget(child);
    }
  }

  #find(name: string): ModelChild {
    if (name === this.#top.node.name) return this.#top;
    return this.children().find(({ node }) => node.name === name)!;
  }

  #start(child: ModelChild): void {
    const { supervisor } = child.node;
    child.isRunning = true;
    if (!supervisor) return void this.notes.push(`+${child.node.name}`);
    child.supervisor = { self: child, children: [], restarts: 0 };
    for (const node of supervisor.children) {
      const below = newChild(node, child.supervisor);
      child.supervisor.children.push(below);
      this.#start(below);
    }
  }

  /** Shuts a child down on purpose. */
  #terminate(child: ModelChild): void {
    if (child.isRunning) {
      child.isRunning = false;
      if (child.supervisor) this.#terminateAll(child.supervisor.children);
      else this.notes.push(`-${child.node.name}`);
    }
    if (child.node.restart === "temporary") forget(child);
  }

  #terminateAll(children: readonly ModelChild[]): void {
    for (const child of children.toReversed()) this.#terminate(child);
  }

  /** A child ended by itself. */
  #ended(child: ModelChild, reason: Reason): void {
    const { node, parent } = child;
    child.isRunning = false;
    if (!parent) return;
    const comesBack = node.restart === "permanent" ||
      (node.restart === "transient" && reason === "failure");
    if (comesBack) return this.#restart(child, parent);
    if (node.restart === "temporary") forget(child);
  }

  #restart(child: ModelChild, parent: ModelSupervisor): void {
    const { strategy, intensity } = parent.self.node.supervisor!;
    if (++parent.restarts > intensity) {
      this.given++;
      this.#terminateAll(parent.children);
      return this.#ended(parent.self, "shutdown");
    }
    const { children } = parent;
    const from = strategy === "rest-for-one" ? children.indexOf(child) : 0;
    const group = strategy === "one-for-one" ? [child] : children.slice(from);
    this.#terminateAll(group);
    for (const each of group) {
      if (!parent.children.includes(each)) continue;
      this.#start(each);
      each.restarts++;
      this.restarts++;
    }
  }
}

function newChild(node: Node, parent: ModelSupervisor | undefined): ModelChild {
  return { node, parent, isRunning: false, restarts: 0, supervisor: undefined };
}

function forget(child: ModelChild): void {
  const { parent } = child;
  if (parent) parent.children = parent.children.filter((each) => each !== child);
}

const KINDS = ["permanent", "permanent", "transient", "temporary"] as const;
const STRATEGIES = ["one-for-one", "one-for-all", "rest-for-one"] as const;

/** Makes trees and events. */
export class RandomSupervision {
  readonly #random: SeededRandom;
  #last = 0;

  /** Uses these random numbers. */
  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** A tree of one to four levels. */
  tree(): Node {
    return { ...this.#node(3), name: "top", restart: "permanent" };
  }

  /** Something that can happen to a tree. Supervisors are killed only if `killsAll`. */
  event(model: SupervisionModel, { killsAll }: { readonly killsAll: boolean }): Event | undefined {
    const random = this.#random;
    const all = model.children();
    const running = all.filter(({ isRunning }) => isRunning);
    const stopped = all.filter(({ isRunning }) => !isRunning);
    const dice = random.below(20);
    if (dice < 2) {
      const parents = running.filter(({ supervisor }) => supervisor);
      const parent = parents.length > 0 ? random.pick(parents).node.name : "top";
      return { type: "start", parent, child: this.#node(random.below(4) === 0 ? 1 : 0) };
    }
    if (dice < 4 && stopped.length > 0) return of(random.pick(stopped), "restart");
    if (dice < 5 && all.length > 0) return of(random.pick(all), random.pick(["stop", "remove"]));
    const ends = running.filter(({ supervisor }) => killsAll || !supervisor);
    if (ends.length === 0) return undefined;
    const { node: { name, supervisor } } = random.pick(ends);
    return { type: supervisor ? "kill" : random.pick(["crash", "crash", "end", "kill"]), name };
  }

  #node(depth: number): Node {
    const random = this.#random;
    const name = `n${++this.#last}`;
    const restart = random.pick(KINDS);
    if (depth === 0 || (depth < 3 && random.below(2) === 0)) return { name, restart };
    const children = Array.from({ length: 1 + random.below(4) }, () => this.#node(depth - 1));
    const strategy = random.pick(STRATEGIES);
    return { name, restart, supervisor: { strategy, intensity: random.below(6), children } };
  }
}

function of(
  { node: { name }, parent }: ModelChild,
  type: "stop" | "restart" | "remove",
): Event {
  return { type, parent: parent!.self.node.name, name };
}
