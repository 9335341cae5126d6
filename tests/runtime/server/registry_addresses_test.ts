import assert from "node:assert/strict";
import { RegistryAddresses, SET_BACK_TIME } from "../../../runtime/server/registry_addresses.ts";
import { type Address, formatAddressUrl, hostName } from "../../../runtime/wire/address.ts";
import { parseAddresses } from "../../../runtime/wire/address.ts";
import { stopClock } from "../../fake_clock.ts";

const urls = (addresses: readonly Address[]) => addresses.map(formatAddressUrl);
const [A, B, C] = parseAddresses("tcp://10.9.9.1:1 tcp://10.9.9.2:1 tcp://10.9.9.3:1") as [
  Address,
  Address,
  Address,
];

Deno.test("inOrder gives the socket, then addresses of this host, then the others", () => {
  const given = parseAddresses(
    `tcp://10.9.9.1:1 tls://10.9.9.2:1 tcp://127.0.0.1:1 tls://${hostName()}:2 tcp://[::1]:3 unix:/r`,
  );
  assert.deepEqual(urls(new RegistryAddresses(given).inOrder), [
    "unix:/r",
    `tls://${hostName()}:2`,
    "tcp://127.0.0.1:1",
    "tcp://[::1]:3",
    "tls://10.9.9.2:1",
    "tcp://10.9.9.1:1",
  ]);
});

Deno.test("inOrder spreads servers over registries on other hosts, and stays the same for one server", () => {
  const firsts = new Set<string>();
  for (const numbers of [[0.1, 0.2, 0.3], [0.3, 0.1, 0.2], [0.3, 0.2, 0.1]]) {
    const left = [...numbers];
    const addresses = new RegistryAddresses([A, B, C], () => left.shift()!);
    assert.deepEqual(addresses.inOrder, addresses.inOrder);
    firsts.add(urls(addresses.inOrder)[0]!);
  }
  assert.equal(firsts.size, 3);
});

Deno.test("setBack has an address be tried last, for a while", () => {
  using clock = stopClock("performance");
  let place = 0;
  const addresses = new RegistryAddresses([A, B, C], () => place++);
  clock.tick(1);
  addresses.setBack(A);
  assert.deepEqual(addresses.inOrder, [B, C, A]);
  clock.tick(1);
  addresses.setBack(B);
  assert.deepEqual(addresses.inOrder, [C, A, B], "the one that failed first is tried first");
  clock.tick(SET_BACK_TIME - 1);
  assert.deepEqual(addresses.inOrder, [A, C, B]);
  clock.tick(1);
  assert.deepEqual(addresses.inOrder, [A, B, C]);
});
