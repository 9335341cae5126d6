/**
 * The child process of `sqlite_store_test.ts`: changes the store given as its argument without end,
 * and writes a line for each change once that is acknowledged.
 */
import { SqliteStore } from "../../registry/sqlite_store.ts";

const instance = new Uint8Array(32);
const store = await SqliteStore.open(Deno.args[0]!);

function acknowledge(change: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${change}\n`));
}

for (let number = 0;; number++) {
  const id = `server${number}`;
  await store.put({ id, instance, addresses: [], roles: ["writer"] });
  acknowledge(`put ${id}`);
  if (number % 3 === 2) {
    await store.delete(id, instance);
    acknowledge(`delete ${id}`);
  }
}
