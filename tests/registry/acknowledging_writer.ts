/**
 * A program for the tests of `kill -9`: changes the SQLite store given as its argument without end,
 * and writes a line for each change once that is acknowledged.
 */
import { SqliteStore } from "../../registry/sqlite_store.ts";
import { FollowedStore, ownEntry } from "./followed_store.ts";

const followed = await FollowedStore.start(await SqliteStore.open(Deno.args[0]!));

function acknowledge(change: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${change}\n`));
}

for (let number = followed.directory.revision;; number++) {
  const id = `server${number}`;
  await followed.put(ownEntry(id, { roles: ["writer"] }));
  acknowledge(`put ${id}`);
  if (number % 3 === 2) {
    await followed.remove(id);
    acknowledge(`delete ${id}`);
  }
}
