/**
 * Trees of real actors that are compared with the model of supervision.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Actor } from "../../../runtime/actor/actor.ts";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import { on, onShutdown } from "../../../runtime/actor/cases.ts";
import type { ChildSpec, SupervisorOptions } from "../../../runtime/actor/supervision.ts";
import { findSupervisor, supervise } from "../../../runtime/actor/supervisor.ts";
import type { SeededRandom } from "../../seeded_random.ts";
import { eventually } from "../server/captured_logs.ts";
import {
  type Event,
  type Node,
  RandomSupervision,
  type Snapshot,
  SupervisionModel,
} from "./supervision_model.ts";

/** As long as a test runs. */
const ALWAYS = 3_600_000;

/** A tree of real supervisors and actors. */
export class SupervisedTree {
  /** What started and was shut down, since it was last emptied. */
  readonly notes: string[] = [];
  readonly #system = new ActorSystem("tree");

  /** Starts a tree. */
  constructor(top: Node) {
    supervise(this.#system, top.name, this.#options(top.supervisor!));
  }

  /** What the tree looks like; undefined while it changes. */
  snapshot(): Snapshot | undefined {
    try {
      return this.#system.find("top") ? this.#below("top") : [];
    } catch {
      return undefined;
    }
  }

  /** Has something happen. */
  async apply(event: Event): Promise<void> {
    switch (event.type) {
      case "crash":
        return void this.#system.tell(event.name, { type: "crash" });
      case "end":
        return void this.#system.tell(event.name, { type: "shutdown" });
      case "kill":
        return void this.#system.kill(event.name);
      case "start":
        return void await findSupervisor(this.#system, event.parent).start(this.#spec(event.child));
      default:
        return void await findSupervisor(this.#system, event.parent)[event.type](event.name);
    }
  }

  /** Shuts the tree down. */
  async end(): Promise<void> {
    const top = this.#system.find("top");
    if (!top) return;
    this.#system.tell(top, { type: "shutdown" });
    await top.ended;
  }

  /** The number of actors. */
  get size(): number {
    return this.#system.actors().length;
  }

  #below(name: string): Snapshot {
    return findSupervisor(this.#system, name).children().map(({ id, status, restarts }) => {
      assert.notEqual(status, "restarting");
      const isSupervisor = status === "running" && this.#system.find(id)?.children !== undefined;
      const children = isSupervisor ? this.#below(id) : undefined;
      return [id, status as "running" | "stopped", restarts, children];
    });
  }

  #options({ strategy, intensity, children }: NonNullable<Node["supervisor"]>): SupervisorOptions {
    return {
      strategy,
      intensity: { restarts: intensity, within: ALWAYS },
      children: children.map((child) => this.#spec(child)),
    };
  }

  #spec({ name, restart, supervisor }: Node): ChildSpec {
    if (supervisor) return { name, restart, supervise: this.#options(supervisor) };
    const run = (self: Actor) => {
      this.notes.push(`+${name}`);
      return self.loop([
        on("crash", () => {
          throw new Error("crash");
        }),
        onShutdown(() => void this.notes.push(`-${name}`)),
      ]);
    };
    return { name, restart, run };
  }
}

/** What was compared. */
export interface Compared {
  trees: number;
  events: number;
  /** Restarts of children, all of which the model explains. */
  restarts: number;
  /** Supervisors that gave up. */
  given: number;
}

/**
 * Has random events happen to random trees, and compares each tree with the model after each event,
 * until enough was compared.
 */
export async function compareWithModel(
  random: SeededRandom,
  isEnough: (compared: Compared) => boolean,
): Promise<Compared> {
  const supervision = new RandomSupervision(random);
  const compared: Compared = { trees: 0, events: 0, restarts: 0, given: 0 };
  while (!isEnough(compared)) {
    const top = supervision.tree();
    const history: unknown[] = [top];
    const [model, tree] = [new SupervisionModel(top), new SupervisedTree(top)];
    const compare = async () => {
      const expected = JSON.stringify([model.snapshot(), model.notes]);
      const actual = () => JSON.stringify([tree.snapshot(), tree.notes]);
      await eventually(() => actual() === expected).catch(() => {
        assert.equal(actual(), expected, JSON.stringify(history));
      });
      model.notes.length = tree.notes.length = 0;
    };
    await compare();
    for (let i = 0; i < 50 && model.isRunning && !isEnough(compared); i++) {
      const event = supervision.event(model, { killsAll: true });
      if (!event) continue;
      history.push(event);
      model.apply(event);
      await tree.apply(event);
      await compare();
      compared.events++;
    }
    await tree.end();
    assert.equal(tree.size, 0);
    compared.trees++;
    compared.restarts += model.restarts;
    compared.given += model.given;
  }
  return compared;
}
