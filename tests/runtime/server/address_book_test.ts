import assert from "node:assert/strict";
import type { AskOptions } from "../../../runtime/actor/messaging.ts";
import { UnknownServerError } from "../../../runtime/errors.ts";
import { AddressBook, type BookedView } from "../../../runtime/server/address_book.ts";
import type { RegistryEntry, ServerState } from "../../../runtime/server/registry_protocol.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";

const A = "a";
const B = "b";
const UNIX = localUnixAddress("/a");
const TCP: Address = { kind: "tcp", host: "a", port: 1 };
const TLS: Address = { kind: "tls", host: "a", port: 2 };
const INSTANCE = new Uint8Array(32);
const ELSEWHERE: Address = { kind: "unix", host: "elsewhere", path: "/a" };

const SELF = { id: "self", registry: [localUnixAddress("/registry")] };

/** What the registry knows of a server that is there. */
function entryOf(
  id: string,
  addresses: readonly Address[] = [TCP],
  state: ServerState = "up",
): RegistryEntry {
  return { id, addresses, instance: INSTANCE, roles: [], state, revision: 1 };
}

/** A view that knows one entry of each server. */
function viewOf(
  entry: (id: string) => RegistryEntry | undefined,
  asked: [string, AskOptions | undefined][] = [],
): BookedView {
  return {
    known: entry,
    lastKnown: entry,
    refresh(id, options) {
      asked.push([id, options]);
      return Promise.resolve(entry(id));
    },
    unreachableFor: (id) => id === B ? 12_300 : undefined,
    useLastKnown: () => {},
  };
}

function bookOf(addresses: readonly Address[]): AddressBook {
  return new AddressBook(viewOf((id) => entryOf(id, addresses)), SELF);
}

Deno.test("found gives what the view knows of a server, unless that is unreachable", () => {
  const states: Record<string, ServerState> = { a: "up", b: "unreachable", c: "starting" };
  const book = new AddressBook(
    viewOf((id) => states[id] && entryOf(id, [TCP], states[id])),
    SELF,
  );
  assert.deepEqual(book.found("a"), { addresses: [TCP], instance: INSTANCE });
  assert.equal(book.found("b"), undefined);
  assert.deepEqual(book.found("c")?.addresses, [TCP]);
  assert.equal(book.found("d"), undefined);
});

Deno.test("refresh waits less long for the registry where a server may be found nearby", async () => {
  const directory = await Deno.makeTempDir({ prefix: "gx-" });
  try {
    await Deno.writeTextFile(`${directory}/a`, "");
    const asked: [string, AskOptions | undefined][] = [];
    const book = new AddressBook(viewOf((id) => entryOf(id), asked), {
      ...SELF,
      nearby: (id) => [localUnixAddress(`${directory}/${id}`), TCP, ELSEWHERE],
    });
    await book.refresh(A);
    await book.refresh(B);
    assert.deepEqual(asked, [["a", { timeout: 2_000 }], ["b", {}]]);
    assert.deepEqual(book.nearby(A), [localUnixAddress(`${directory}/a`)]);
    assert.deepEqual(book.nearby(B), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("refresh throws when a server is not registered, or is unreachable", async () => {
  const book = new AddressBook(
    viewOf((id) => id === A ? undefined : entryOf(id, [TCP], "unreachable")),
    SELF,
  );
  await assert.rejects(book.refresh(A), UnknownServerError);
  await assert.rejects(book.refresh(B), {
    code: "DISCONNECTED",
    message: /^it has been unreachable for 12 s: /,
  });
});

Deno.test("addresses that a person gave are kept apart from those of the registry", () => {
  const book = bookOf([UNIX]);
  book.give(A, [TCP]);
  assert.deepEqual(book.given(A), [TCP]);
  assert.deepEqual(book.found(A)?.addresses, [UNIX]);
  book.give(A, [TLS]);
  assert.deepEqual(book.given(A), [TLS], "the last word counts");
  assert.deepEqual(book.given(B), []);
});

Deno.test("addresses are in the order to try them, those of other hosts too", async () => {
  const all = [TCP, ELSEWHERE, TLS, UNIX];
  const book = bookOf(all);
  book.give(A, all);
  assert.deepEqual(book.given(A), [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual((await book.refresh(A)).addresses, [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual(book.found(A)?.addresses, [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual(all, [TCP, ELSEWHERE, TLS, UNIX], "the list given stays as it is");
});

Deno.test("refresh does not ask where no address of the registry is known", async () => {
  const book = new AddressBook(viewOf(() => assert.fail("it is asked")), { ...SELF, registry: [] });
  await assert.rejects(book.refresh(A), /no address of the registry is known/);
});
