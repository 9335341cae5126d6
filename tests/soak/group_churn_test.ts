import { MemoryStore } from "../../registry/local_store.ts";
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { GroupChurn } from "../runtime/ensemble/group_churn.ts";
import { withSeed } from "../seeded_random.ts";

/** How long each of them goes on, in ms. */
const DURATION = 60_000;

for (const kind of ["memory", "sqlite"]) {
  Deno.test(`members are as a model has them for a minute of changes, with a store in ${kind}`, () =>
    withSeed(async (random) => {
      const directory = await Deno.makeTempDir();
      try {
        const open = () =>
          kind === "memory"
            ? Promise.resolve(new MemoryStore())
            : SqliteStore.open(`${directory}/registry.db`);
        await using churn = await GroupChurn.start(random, open);
        const until = performance.now() + DURATION;
        let rounds = 0;
        while (performance.now() < until) {
          for (let n = 0; n < 60; n++) await churn.step();
          await churn.rest();
          rounds++;
        }
        const counts = Array.from(churn.counts, ([what, count]) => `${count} ${what}`).sort();
        console.log(`${rounds} times at rest, after ${counts.join(", ")}`);
      } finally {
        await Deno.remove(directory, { recursive: true });
      }
    }, Number(Deno.env.get("GX_TEST_SEED") ?? Date.now() % 1_000_000)));
}
