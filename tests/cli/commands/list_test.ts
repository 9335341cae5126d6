import assert from "node:assert/strict";
import { MemoryStore } from "../../../registry/local_store.ts";
import type { StoreFeed } from "../../../registry/store.ts";
import type { Address } from "../../../runtime/wire/address.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";
import { commandsIn } from "../commands_in.ts";

/** A store that can stop to answer. */
class SilentStore extends MemoryStore {
  #feed: StoreFeed | undefined;

  override async start(feed: StoreFeed): Promise<void> {
    await super.start(feed);
    this.#feed = feed;
  }

  fallSilent(since: number): void {
    this.#feed!.stale(since);
  }
}

Deno.test("list-servers and lookup warn once of a registry that does not hear from its store", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new SilentStore();
  await ensemble.startRegistry(store);
  await ensemble.start("a", { roles: ["web"] });
  await ensemble.start("b", { roles: ["web"] });
  store.fallSilent(performance.now() - 90_000);
  const all = [["list-servers"], ["lookup", "a", "b"], ["lookup", "--role", "web"]];
  for (const args of all) {
    const { code, stdout, stderr } = await commands.run(...args);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\(a .*\n\(b /);
    assert.match(
      stderr,
      /^warning: the registry has not heard from its store for 9\d s: this is what it knew before\n$/,
    );
  }
});

Deno.test("list-servers prints all pages in order, with the registry in its place", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  await ensemble.startRegistry(store);
  const nowhere: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };
  const numbers = Array.from({ length: 600 }, (_, n) => n);
  await Promise.all(numbers.map((n) =>
    store.put({
      id: `${n % 2 ? "q" : "s"}${n}`,
      instance: new Uint8Array(32),
      addresses: [nowhere],
      roles: [`r${n % 3}`],
      state: n % 4 ? "up" : "starting",
    }, 0)
  ));
  const ids = async (...args: string[]) => {
    const { stdout } = await commands.run("list-servers", ...args);
    return stdout.trimEnd().split("\n").map((line) => /^\(?([^\s\t]+)/.exec(line)![1]!);
  };
  const sorted = [...numbers.map((n) => `${n % 2 ? "q" : "s"}${n}`), "registry"].sort();
  assert.deepEqual(await ids(), sorted);
  assert.deepEqual(await ids("--long"), sorted);
  const starting = numbers.filter((n) => n % 4 === 0).map((n) => `s${n}`).sort();
  assert.deepEqual(await ids("--state", "starting"), starting);
  const both = numbers.filter((n) => n % 12 === 0).map((n) => `s${n}`).sort();
  assert.deepEqual(await ids("--role", "r0", "--state", "starting"), both);
  const { stdout } = await commands.run("list-servers", "--json", "--state", "starting");
  const json = JSON.parse(stdout) as { server: string; state: string }[];
  assert.deepEqual(json.map(({ server }) => server), starting);
  assert.ok(json.every(({ state }) => state === "starting"));
});
