/**
 * Supervision under random crashes for a minute.
 *
 * In the first half, one thing after the other happens to random trees, which are compared with the
 * model of OTP's rules each time. In the second half, crashes come faster than restarts, which the
 * model cannot say the order of. Then each actor has at most one run at a time, each run but the
 * first follows the end of one, and each request is answered or refused at once.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Actor } from "../../runtime/actor/actor.ts";
import { ActorSystem } from "../../runtime/actor/actor_system.ts";
import { on, onShutdown } from "../../runtime/actor/cases.ts";
import type { ChildSpec, SupervisorOptions } from "../../runtime/actor/supervision.ts";
import { supervise } from "../../runtime/actor/supervisor.ts";
import { ActorError } from "../../runtime/errors.ts";
import { compareWithModel } from "../runtime/actor/supervised_tree.ts";
import { CapturedLogs, eventually } from "../runtime/server/captured_logs.ts";
import { withSeed } from "../seeded_random.ts";

/** How long each half takes, in ms. */
const HALF = 30_000;

Deno.test("random trees do for half a minute what the model of OTP's rules does", async () => {
  using _logs = await CapturedLogs.start("fatal");
  const until = performance.now() + HALF;
  await withSeed(async (random) => {
    const compared = await compareWithModel(random, () => performance.now() >= until);
    console.log("compared with the model:", compared, "unexplained: 0");
    assert.ok(compared.restarts > 1_000);
  });
});

const STRATEGIES = ["one-for-one", "one-for-all", "rest-for-one"] as const;

/** The runs of an actor. */
interface Runs {
  started: number;
  ended: number;
}

Deno.test("crashes that come at once are all restarted, and no request waits in vain", async () => {
  using _logs = await CapturedLogs.start("fatal");
  const system = new ActorSystem("storm", { askTimeout: 20_000 });
  const workers = new Map<string, Runs>();
  const worker = (name: string): ChildSpec => {
    const runs: Runs = { started: 0, ended: 0 };
    workers.set(name, runs);
    const run = async (self: Actor) => {
      assert.equal(runs.started++, runs.ended, `two runs of ${name} at once`);
      try {
        await self.loop([
          on("get", (_message, envelope) => envelope.reply(name)),
          on("crash", () => {
            throw new Error("crash");
          }),
          onShutdown(),
        ]);
      } finally {
        runs.ended++;
      }
    };
    return { name, run };
  };
  const often = { intensity: { restarts: Infinity, within: 1 } };
  const group = (strategy: typeof STRATEGIES[number], name: string): SupervisorOptions => ({
    ...often,
    strategy,
    children: [1, 2, 3, 4].map((number) => worker(`${name}-${number}`)),
  });
  const top = supervise(system, "top", {
    ...often,
    children: STRATEGIES.flatMap((outer) => ({
      name: outer,
      supervise: {
        ...often,
        strategy: outer,
        children: STRATEGIES.map((inner): ChildSpec => ({
          name: `${outer}-${inner}`,
          supervise: group(inner, `${outer}-${inner}`),
        })),
      },
    })),
  });
  const names = [...workers.keys()];
  const figures = { crashes: 0, kills: 0, killedSupervisors: 0, answered: 0, refused: 0 };
  const until = performance.now() + HALF;
  await withSeed(async (random) => {
    const asking = names.slice(0, 12).map(async (name) => {
      while (performance.now() < until) {
        try {
          assert.equal(await system.ask(name, { type: "get" }), name);
          figures.answered++;
        } catch (error) {
          // The supervisor above may have been killed, and the name free for a moment.
          assert(error instanceof ActorError, String(error));
          assert.match(error.code, /^(ACTOR_ENDED|UNKNOWN_ACTOR)$/);
          figures.refused++;
        }
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    });
    while (performance.now() < until) {
      for (let i = random.below(6); i >= 0; i--) {
        const name = random.pick(names);
        if (random.below(100) === 0) {
          const inner = name.slice(0, name.lastIndexOf("-"));
          if (system.kill(inner)) figures.killedSupervisors++;
        } else if (random.below(4) === 0) {
          if (system.kill(name)) figures.kills++;
        } else if (system.tell(name, { type: "crash" }) !== undefined) figures.crashes++;
      }
      await new Promise((resolve) => setTimeout(resolve, random.below(4)));
    }
    await Promise.all(asking);
  });
  await eventually(
    () => names.every((name) => system.find(name)?.activity === "receiving"),
    "all run again",
  );
  for (const name of names) assert.equal(await system.ask(name, { type: "get" }), name);
  const all = [...workers.values()];
  for (const { started, ended } of all) assert.equal(started, ended + 1);
  const restarts = all.reduce((sum, { started }) => sum + started - 1, 0);
  console.log("crashes at once:", { ...figures, restarts }, "unexplained: 0");
  await system.ask("top", { type: "shutdown" });
  await top.ended;
  assert.deepEqual(system.actors(), []);
  for (const { started, ended } of all) assert.equal(started, ended);
});
