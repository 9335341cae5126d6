/**
 * A registry in a process of its own that is killed again and again, while servers are registered
 * and removed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { listServers } from "../../runtime/ensemble/remote.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { ChildRegistry } from "../runtime/server/child_registry.ts";
import { LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { type SeededRandom, withSeed } from "../seeded_random.ts";
import { ownEntry } from "./followed_store.ts";

/** How many servers are changed at once, and how long the registry lives at most, in ms. */
const SERVERS = 12;
const LONGEST_LIFE = 120;

/** Starts the registry, over a database beside its socket. */
function startRegistry(ensemble: LocalEnsemble): Promise<ChildRegistry> {
  return ChildRegistry.start(ensemble, { name: REGISTRY_ID, store: "sqlite:" });
}

/** What the registry must know of one server: whichever change was under way may have been made. */
interface Known {
  /** The process id in the acknowledged entry; undefined if the removal was acknowledged. */
  pid: number | undefined;
  /** The same for the change that is not acknowledged; absent if there is none. */
  unacknowledged?: { readonly pid: number | undefined };
}

/**
 * Kills a registry with a SQLite store many times. Each time its entries are those that it
 * acknowledged, and the cursor from the time before leads to the same.
 */
export async function killRegistry(kills: number): Promise<void> {
  await withSeed(async (random) => {
    await using ensemble = new LocalEnsemble();
    const known = new Map<string, Known>();
    let child = await startRegistry(ensemble);
    try {
      const { actors } = await ensemble.startConsole();
      const registry = registryClient(actors);
      let { cursor } = await registry.list({});
      const followed = new Map<string, number>();
      let acknowledged = 0;
      for (let kill = 0; kill < kills; kill++) {
        const changing = Array.from(
          { length: SERVERS },
          (_, n) => change(`s${n}`, { known, registry, random }),
        );
        await new Promise((resolve) => setTimeout(resolve, random.below(LONGEST_LIFE)));
        await child[Symbol.asyncDispose]();
        for (const count of await Promise.all(changing)) acknowledged += count;
        child = await startRegistry(ensemble);
        const found = new Map((await listServers(actors)).map((entry) => [entry.id, entry]));
        for (const [id, each] of known) {
          const pid = found.get(id)?.pid;
          const possible = [each.pid, ...each.unacknowledged ? [each.unacknowledged.pid] : []];
          assert.ok(
            possible.includes(pid),
            `after ${kill + 1} kills ${id} has pid ${pid}, and not ${possible.join(" or ")}`,
          );
          known.set(id, { pid });
        }
        for (let isMore = true; isMore;) {
          const answer = await registry.changes({ after: cursor, all: true, wait: 0 });
          assert.equal(answer.compacted, undefined);
          for (const { id, entry, revision } of answer.changes) {
            if (entry) followed.set(id, revision);
            else followed.delete(id);
          }
          isMore = answer.changes.length > 0;
          cursor = answer.cursor;
        }
        assert.deepEqual(
          new Map([...followed].sort()),
          new Map([...found].map(([id, { revision }]): [string, number] => [id, revision]).sort()),
        );
      }
      assert.ok(acknowledged > 5 * kills, `only ${acknowledged} changes were acknowledged`);
    } finally {
      await child[Symbol.asyncDispose]();
    }
  });
}

/** Registers and removes a server until the registry fails. Returns how often it was answered. */
async function change(
  id: string,
  { known, registry, random }: {
    known: Map<string, Known>;
    registry: ReturnType<typeof registryClient>;
    random: SeededRandom;
  },
): Promise<number> {
  const { instance } = ownEntry(id);
  for (let count = 0;; count++) {
    const before = known.get(id)?.pid;
    const pid = before !== undefined && random.below(3) === 0 ? undefined : random.below(1e6);
    known.set(id, { pid: before, unacknowledged: { pid } });
    try {
      // Without addresses nothing looks for it.
      if (pid === undefined) await registry.remove({ id, instance });
      else await registry.register({ entry: ownEntry(id, { pid, addresses: [] }) });
    } catch {
      return count;
    }
    known.set(id, { pid });
  }
}
