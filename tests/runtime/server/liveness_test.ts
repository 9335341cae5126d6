import assert from "node:assert/strict";
import { parseServerId } from "../../../runtime/actor/server_id.ts";
import { hasEnded } from "../../../runtime/server/liveness.ts";
import type { RegistryEntry } from "../../../runtime/server/registry_entry.ts";
import { type Address, hostName, localUnixAddress } from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { stopClock } from "../../fake_clock.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";

/** More than any kernel numbers its processes: 2^22 is the most on Linux. */
const NO_PID = 2 ** 30;

const MISSING = localUnixAddress("/nonexistent/socket");

function entry(addresses: Address[], options: Partial<RegistryEntry> = {}): RegistryEntry {
  return {
    id: parseServerId("a"),
    instance: new Uint8Array(32),
    addresses,
    roles: [],
    pid: Deno.pid,
    host: hostName(),
    ...options,
  };
}

/** Ports on which nobody listens: tcpmux and a neighbour. */
const CLOSED: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };
const CLOSED_TOO: Address = { kind: "tcp", host: "127.0.0.1", port: 2 };

Deno.test("hasEnded is true when all addresses refuse", async () => {
  assert.equal(await hasEnded(entry([CLOSED])), true);
  assert.equal(await hasEnded(entry([CLOSED, CLOSED_TOO])), true);
});

Deno.test("hasEnded is true for a socket that nobody listens at any more", async () => {
  await using ensemble = new LocalEnsemble();
  const path = `${ensemble.directory}/left`;
  // A process that is killed leaves its socket there.
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `Deno.listen({ transport: "unix", path: "${path}" }); Deno.kill(Deno.pid, 9);`],
    stderr: "null",
  }).output();
  assert.notEqual(code, 0);
  assert.ok(Deno.lstatSync(path).isSocket);
  assert.equal(await hasEnded(entry([localUnixAddress(path)])), true);
});

Deno.test("hasEnded is false when one of the addresses is accepted, though nobody answers there", async () => {
  await using ensemble = new LocalEnsemble();
  for (const address of [anyPort(), ensemble.socket("silent")]) {
    const listener = await listenAt(address);
    try {
      const living = entry([CLOSED, listener.address]);
      assert.equal(await hasEnded(living, { isLongSilent: true }), false, address.kind);
    } finally {
      listener.close();
    }
  }
});

Deno.test("hasEnded is true for a missing socket only when the process is gone too", async () => {
  assert.equal(await hasEnded(entry([MISSING])), false);
  assert.equal(await hasEnded(entry([MISSING], { pid: NO_PID })), true);
  assert.equal(await hasEnded(entry([MISSING, CLOSED])), false);
  assert.equal(await hasEnded(entry([MISSING], { pid: NO_PID, host: "elsewhere" })), false);
  assert.equal(await hasEnded(entry([MISSING], { pid: undefined })), false);
  // That of init belongs to another user, where this is not root.
  assert.equal(await hasEnded(entry([MISSING], { pid: 1 })), false);
  assert.equal(await hasEnded(entry([MISSING]), { isLongSilent: true }), true);
});

Deno.test("hasEnded goes by the process where no address can be tried", async () => {
  const elsewhere: Address = { kind: "unix", host: "elsewhere", path: "/a" };
  for (const addresses of [[], [elsewhere]]) {
    assert.equal(await hasEnded(entry(addresses), { isLongSilent: true }), false);
    assert.equal(await hasEnded(entry(addresses, { pid: NO_PID })), true);
    assert.equal(await hasEnded(entry(addresses, { pid: NO_PID, host: "elsewhere" })), false);
  }
});

Deno.test("hasEnded is false when an address does not answer in time", async () => {
  using clock = stopClock();
  const examine = (address: Address) =>
    address.kind === "unix" ? Promise.resolve("gone" as const) : new Promise<never>(() => {});
  const ended = hasEnded(entry([MISSING, anyPort()]), { examine, isLongSilent: true });
  await clock.tickAsync(1_000);
  assert.equal(await ended, false);
});
