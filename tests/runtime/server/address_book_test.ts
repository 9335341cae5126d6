import assert from "node:assert/strict";
import type { AskOptions } from "../../../runtime/actor/messaging.ts";
import { UnknownServerError } from "../../../runtime/errors.ts";
import { ADDRESS_LIFETIME, AddressBook } from "../../../runtime/server/address_book.ts";
import type { RegistryEntry } from "../../../runtime/server/registry_protocol.ts";
import { type Address, localUnixAddress } from "../../../runtime/wire/address.ts";
import { stopClock } from "../../fake_clock.ts";

const A = "a";
const B = "b";
const UNIX = localUnixAddress("/a");
const TCP: Address = { kind: "tcp", host: "a", port: 1 };
const TLS: Address = { kind: "tls", host: "a", port: 2 };
const INSTANCE = new Uint8Array(32);
const ELSEWHERE: Address = { kind: "unix", host: "elsewhere", path: "/a" };

const SELF = { id: "self", registry: [localUnixAddress("/registry")] };

/** What the registry knows of a server that is there. */
function entryOf(id: string, addresses: readonly Address[] = [TCP]): RegistryEntry {
  return { id, addresses, instance: INSTANCE, roles: [], state: "up", revision: 1 };
}

function bookOf(addresses: readonly Address[]): { book: AddressBook; asked: string[] } {
  const asked: string[] = [];
  const lookup = ({ id }: { id: string }) => {
    asked.push(id);
    return Promise.resolve({ entry: entryOf(id, addresses) });
  };
  return { book: new AddressBook({ lookup }, SELF), asked };
}

Deno.test("refresh asks the registry and notes the addresses for a while", async () => {
  using clock = stopClock("performance");
  const { book, asked } = bookOf([TCP]);
  assert.equal(book.found(A), undefined);
  assert.deepEqual((await book.refresh(A)).addresses, [TCP]);
  clock.tick(ADDRESS_LIFETIME - 1);
  assert.deepEqual(book.found(A)?.addresses, [TCP]);
  assert.equal(book.found(B), undefined);
  clock.tick(1);
  assert.equal(book.found(A), undefined);
  assert.deepEqual(asked, ["a"]);
});

Deno.test("refresh drops expired addresses that are no longer needed", async () => {
  using clock = stopClock("performance");
  const { book } = bookOf([TCP]);
  for (let i = 0; i < 100; i++) await book.refresh(`ghost${i}`);
  await book.refresh(A);
  clock.tick(ADDRESS_LIFETIME - 1);
  await book.refresh(A);
  assert.equal(book.size, 101);
  clock.tick(1);
  await book.refresh(B);
  assert.equal(book.size, 2);
  assert.deepEqual(book.found(A)?.addresses, [TCP]);
});

Deno.test("refresh waits less long for the registry where a server may be found nearby", async () => {
  const directory = await Deno.makeTempDir({ prefix: "gx-" });
  try {
    await Deno.writeTextFile(`${directory}/a`, "");
    const asked: [string, number | undefined][] = [];
    const lookup = ({ id }: { id: string }, options?: AskOptions) => {
      asked.push([id, options?.timeout]);
      return Promise.resolve({ entry: entryOf(id) });
    };
    const book = new AddressBook({ lookup }, {
      ...SELF,
      nearby: (id) => [localUnixAddress(`${directory}/${id}`), TCP, ELSEWHERE],
    });
    await book.refresh(A);
    await book.refresh(B);
    assert.deepEqual(asked, [["a", 2_000], ["b", undefined]]);
    assert.deepEqual(book.nearby(A), [localUnixAddress(`${directory}/a`)]);
    assert.deepEqual(book.nearby(B), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("refresh drops a server's addresses when it is not registered", async () => {
  let known = true;
  const lookup = ({ id }: { id: string }) => Promise.resolve(known ? { entry: entryOf(id) } : {});
  const book = new AddressBook({ lookup }, SELF);
  await book.refresh(A);
  known = false;
  await assert.rejects(book.refresh(A), UnknownServerError);
  assert.equal(book.found(A), undefined);
});

Deno.test("addresses that a person gave never expire, and are kept apart from those of the registry", async () => {
  using clock = stopClock("performance");
  const { book } = bookOf([UNIX]);
  book.give(A, [TCP]);
  await book.refresh(A);
  assert.deepEqual(book.given(A), [TCP]);
  assert.deepEqual(book.found(A)?.addresses, [UNIX]);
  clock.tick(1000 * ADDRESS_LIFETIME);
  assert.deepEqual(book.given(A), [TCP]);
  assert.equal(book.found(A), undefined);
  book.give(A, [TLS]);
  assert.deepEqual(book.given(A), [TLS], "the last word counts");
  assert.deepEqual(book.given(B), []);
});

Deno.test("addresses are in the order to try them, those of other hosts too", async () => {
  const all = [TCP, ELSEWHERE, TLS, UNIX];
  const { book } = bookOf(all);
  book.give(A, all);
  assert.deepEqual(book.given(A), [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual((await book.refresh(A)).addresses, [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual(book.found(A)?.addresses, [ELSEWHERE, UNIX, TLS, TCP]);
  assert.deepEqual(all, [TCP, ELSEWHERE, TLS, UNIX], "the list given stays as it is");
});

Deno.test("refresh does not ask where no address of the registry is known", async () => {
  const book = new AddressBook({ lookup: () => assert.fail("it is asked") }, {
    ...SELF,
    registry: [],
  });
  await assert.rejects(book.refresh(A), /no address of the registry is known/);
});
