import { MemoryStore } from "../../../registry/local_store.ts";
import { withSeed } from "../../seeded_random.ts";
import { GroupChurn } from "./group_churn.ts";

Deno.test("members are as a model has them, whatever actors, servers and connections do", () =>
  withSeed(async (random) => {
    await using churn = await GroupChurn.start(random, () => Promise.resolve(new MemoryStore()));
    for (let round = 0; round < 3; round++) {
      for (let n = 0; n < 40; n++) await churn.step();
      await churn.rest();
    }
  }));
