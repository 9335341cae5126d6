import assert from "node:assert/strict";
import { lookFor, type Presence, type Sign } from "../../../runtime/server/presence.ts";
import type { RegistryEntry } from "../../../runtime/server/registry_protocol.ts";
import { ownKernel } from "../../../runtime/own_process.ts";
import {
  type Address,
  hostName,
  localUnixAddress,
  type UnixAddress,
} from "../../../runtime/wire/address.ts";
import { listenAt } from "../../../runtime/wire/transport.ts";
import { stopClock } from "../../fake_clock.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";

/** More than any kernel numbers its processes: 2^22 is the most on Linux. */
const NO_PID = 2 ** 30;

const MISSING = localUnixAddress("/nonexistent/socket");

function entry(addresses: Address[], options: Partial<RegistryEntry> = {}): RegistryEntry {
  return {
    id: "a",
    instance: new Uint8Array(32),
    addresses,
    roles: [],
    state: "up",
    revision: 1,
    pid: Deno.pid,
    host: hostName(),
    ...options,
  };
}

/** Ports on which no process listens: tcpmux and a neighbour. */
const CLOSED: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };
const CLOSED_TOO: Address = { kind: "tcp", host: "127.0.0.1", port: 2 };

Deno.test("lookFor finds a server gone when all addresses refuse", async () => {
  assert.equal(await lookFor(entry([CLOSED])), "gone");
  assert.equal(await lookFor(entry([CLOSED, CLOSED_TOO])), "gone");
});

Deno.test("lookFor returns gone when no process listens on the socket", async () => {
  await using ensemble = new LocalEnsemble();
  const path = `${ensemble.directory}/left`;
  // A process that is killed leaves its socket there.
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `Deno.listen({ transport: "unix", path: "${path}" }); Deno.kill(Deno.pid, 9);`],
    stderr: "null",
  }).output();
  assert.notEqual(code, 0);
  assert.ok(Deno.lstatSync(path).isSocket);
  assert.equal(await lookFor(entry([localUnixAddress(path)])), "gone");
});

Deno.test("lookFor returns unknown when an address accepts without answering", async () => {
  await using ensemble = new LocalEnsemble();
  for (const address of [anyPort(), ensemble.socket("silent")]) {
    const listener = await listenAt(address);
    try {
      const living = entry([CLOSED, listener.address]);
      assert.equal(await lookFor(living, { isLongSilent: true }), "unknown", address.kind);
    } finally {
      listener.close();
    }
  }
});

Deno.test("lookFor finds a server gone for a missing socket only when the process is gone too", async () => {
  assert.equal(await lookFor(entry([MISSING])), "unknown");
  assert.equal(await lookFor(entry([MISSING], { pid: NO_PID })), "gone");
  assert.equal(await lookFor(entry([MISSING, CLOSED])), "unknown");
  assert.equal(await lookFor(entry([MISSING], { pid: NO_PID, host: "elsewhere" })), "unknown");
  assert.equal(await lookFor(entry([MISSING], { pid: undefined })), "unknown");
  // That of init belongs to another user, where this is not root.
  assert.equal(await lookFor(entry([MISSING], { pid: 1 })), "unknown");
  assert.equal(await lookFor(entry([MISSING]), { isLongSilent: true }), "gone");
});

Deno.test("lookFor goes by the process where no address can be tried", async () => {
  const elsewhere: Address = { kind: "unix", host: "elsewhere", path: "/a" };
  for (const addresses of [[], [elsewhere]]) {
    assert.equal(await lookFor(entry(addresses), { isLongSilent: true }), "unknown");
    assert.equal(await lookFor(entry(addresses, { pid: NO_PID })), "gone");
    assert.equal(await lookFor(entry(addresses, { pid: NO_PID, host: "elsewhere" })), "unknown");
  }
});

Deno.test("lookFor recognizes this host's processes and sockets by the kernel, under any host name", async () => {
  await using ensemble = new LocalEnsemble();
  const kernel = ownKernel();
  if (!kernel) return; // Only Linux tells.
  const listener = await listenAt(ensemble.socket("successor"));
  const { path, file } = listener.address as UnixAddress;
  // The host had another name, and the socket was made again by another server.
  const lost = { kind: "unix", host: "old", path, file: { ...file!, inode: 1 } } as const;
  const old = { host: "old", kernel, pid: NO_PID };
  const signs: [Partial<RegistryEntry>, Sign, Presence][] = [
    [old, "refused", "gone"],
    [{ ...old, pid: Deno.pid }, "refused", "unknown"],
    [{ ...old, pid: Deno.pid }, "gone", "gone"],
    [{ ...old, pid: Deno.pid }, "running", "running"],
    // The process numbers of another container are others, also where its host name is the same.
    [{ ...old, kernel: { ...kernel, processes: "pid:[1]" } }, "no socket", "unknown"],
    [
      { host: hostName(), kernel: { ...kernel, processes: "pid:[1]" }, pid: NO_PID },
      "no socket",
      "unknown",
    ],
    [{ ...old, kernel: { ...kernel, processes: "pid:[1]" } }, "gone", "gone"],
    // Another host, or this one before it was started again: its sockets are not looked for here.
    [{ ...old, kernel: { ...kernel, boot: "another" } }, "gone", "unknown"],
    [{ ...old, kernel: undefined }, "gone", "unknown"],
  ];
  for (const [options, sign, presence] of signs) {
    const examine = () => Promise.resolve(sign);
    assert.equal(
      await lookFor(entry([lost], options), { examine }),
      presence,
      Deno.inspect(options),
    );
  }
  // Its own socket is there.
  const kept = entry([{ ...lost, file }], { ...old, kernel: undefined });
  assert.equal(await lookFor(kept, { examine: () => Promise.resolve("refused") }), "gone");
  await listener.close();
});

Deno.test("lookFor cannot tell when an address does not answer in time", async () => {
  using clock = stopClock();
  const examine = (address: Address) =>
    address.kind === "unix" ? Promise.resolve("gone" as const) : new Promise<never>(() => {});
  const found = lookFor(entry([MISSING, anyPort()]), { examine, isLongSilent: true });
  await clock.tickAsync(1_000);
  assert.equal(await found, "unknown");
});

Deno.test("lookFor returns running when the server answers at any address", async () => {
  using clock = stopClock();
  const examine = (address: Address) => {
    if (address.kind === "unix") return Promise.resolve("running" as const);
    return address.port === 1 ? Promise.resolve("gone" as const) : new Promise<never>(() => {});
  };
  const found = lookFor(entry([CLOSED, CLOSED_TOO, MISSING]), { examine, isLongSilent: true });
  await clock.tickAsync(1_000);
  assert.equal(await found, "running");
});
