import assert from "node:assert/strict";
import { ProtocolError, TimeoutError } from "../../../runtime/errors.ts";
import { EntryList } from "../../../runtime/server/entry_list.ts";
import type {
  ListQuery,
  RegistryEntry,
  RegistryPage,
} from "../../../runtime/server/registry_protocol.ts";

/** A page whose entries have these ids. */
function page(ids: string, cursor: string, next?: string): RegistryPage {
  const entries = ids.split("").map((id): RegistryEntry => ({
    id,
    instance: new Uint8Array(32),
    addresses: [],
    roles: ["worker"],
    state: "up",
    revision: 1,
  }));
  return { entries, cursor, ...next !== undefined && { next } };
}

/** A registry that gives these answers, one after the other. */
function registryWith(...answers: (RegistryPage | Error)[]) {
  const asked: (string | undefined)[] = [];
  const list = ({ role, after }: ListQuery) => {
    assert.equal(role, "worker");
    asked.push(after);
    const answer = answers.shift()!;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { asked, list };
}

const ignore = () => {};

Deno.test("EntryList goes on with the page that it could not get", async () => {
  const registry = registryWith(
    page("ab", "e:7", "b"),
    page("cd", "e:8", "d"),
    new TimeoutError("no answer"),
    new TimeoutError("no answer"),
    page("e", "e:9"),
  );
  const list = new EntryList(registry, { role: "worker" });
  for (let i = 0; i < 2; i++) await assert.rejects(list.load(ignore), TimeoutError);
  const { entries, cursor } = await list.load(ignore);
  assert.deepEqual(registry.asked, [undefined, "b", "d", "d", "d"]);
  assert.equal([...entries.keys()].join(""), "abcde");
  // Later changes may be in later pages, too, but none is missed.
  assert.equal(cursor, "e:7");
});

Deno.test("EntryList gives the cursor of the page that is furthest behind", async () => {
  const registry = registryWith(page("ab", "e:7", "b"), page("cd", "e:5", "d"), page("e", "e:6"));
  const pages: string[] = [];
  const list = new EntryList(registry, { role: "worker" });
  assert.equal((await list.load(({ cursor }) => pages.push(cursor))).cursor, "e:5");
  assert.deepEqual(pages, ["e:7", "e:5", "e:6"]);
});

Deno.test("EntryList begins again when the registry has another store", async () => {
  const registry = registryWith(page("ab", "e:7", "b"), page("cd", "f:1"), page("x", "f:2"));
  const { entries, cursor } = await new EntryList(registry, { role: "worker" }).load(ignore);
  assert.deepEqual(registry.asked, [undefined, "b", undefined]);
  assert.equal([...entries.keys()].join(""), "x");
  assert.equal(cursor, "f:2");
});

Deno.test("EntryList refuses a page that leads back, and can be loaded again", async () => {
  const registry = registryWith(page("ab", "e:7", "b"), page("ab", "e:7", "b"), page("a", "e:8"));
  const list = new EntryList(registry, { role: "worker" });
  await assert.rejects(list.load(ignore), ProtocolError);
  assert.equal([...(await list.load(ignore)).entries.keys()].join(""), "a");
  assert.deepEqual(registry.asked, [undefined, "b", undefined]);
});
