import assert from "node:assert/strict";
import { listServers, ping } from "../../../runtime/ensemble/remote.ts";
import { DisconnectedError, UnknownServerError } from "../../../runtime/errors.ts";
import type { RegistryEntry } from "../../../runtime/server/registry_protocol.ts";
import type { ServerLocations } from "../../../runtime/server/address_book.ts";
import { type Address, formatAddressUrl } from "../../../runtime/wire/address.ts";
import { InstanceKey, shortInstance } from "../../../runtime/server/credentials.ts";
import { MemoryStore } from "../../../registry/local_store.ts";
import { AdministeredEnsemble } from "./administered_ensemble.ts";
import { CapturedLogs } from "./captured_logs.ts";
import { anyPort, LocalEnsemble } from "./local_ensemble.ts";

const A = "a";

/** No process listens there. */
const CLOSED: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };

/** What a command is started with. */
const CONSOLE = { listen: [], register: false };

function nearby(ensemble: LocalEnsemble): Required<Pick<ServerLocations, "nearby">> {
  return { nearby: (id) => [ensemble.socket(id)] };
}

Deno.test("a server is dialed at a nearby socket when the registry cannot be asked, and has to authenticate", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.start("a", { register: false });
  const console = await ensemble.start("console", { ...CONSOLE, ...nearby(ensemble) });
  await ping(console.actors, A);
  // Where there is no socket there is nothing to try.
  const { path } = ensemble.socket("registry") as Address & { kind: "unix" };
  await assert.rejects(console.connect("b"), {
    message: `cannot reach b: cannot reach registry: unix:${path}: no such socket; ` +
      "start a registry with: gxensemble registry",
  });
  await Deno.symlink(`${ensemble.directory}/a`, `${ensemble.directory}/c`);
  await assert.rejects(
    console.connect("c"),
    /; unix:\S+\/c: this is server a, not c$/,
  );
});

Deno.test("a socket nearby is not dialled when the registry says that it knows no such server", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("a", { register: false });
  const console = await ensemble.start("console", { ...CONSOLE, ...nearby(ensemble) });
  await assert.rejects(ping(console.actors, A), (error: Error) => {
    assert.ok(error instanceof DisconnectedError && error.cause instanceof UnknownServerError);
    assert.equal(error.cause.server, "a");
    assert.equal(error.message, "cannot reach a: no server a is registered");
    return true;
  });
});

Deno.test("an instance other than the registered one is refused, even with the cookie", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  // Of another ensemble with the same cookie: it has the port of a server that crashed.
  const other = await ensemble.start("a", { register: false, listen: [anyPort()] });
  const crashed = (await InstanceKey.generate()).publicKey;
  const old = { ...other.entry, instance: crashed };
  await store.put(old, 0);
  const console = await ensemble.start("console", CONSOLE);
  await assert.rejects(console.connect(A), {
    message: `cannot reach a: ${other.entry.addresses.map(formatAddressUrl)}: instance ${
      shortInstance(other.entry.instance)
    } of a answers there, instead of the registered one, ${shortInstance(crashed)}`,
  });
  assert.equal(console.session(A), undefined);
  // It was started again, and is registered a moment after it listens: the connection goes on then.
  const connected = console.connect(A);
  const [{ revision }] = await listServers(registry.actors) as [RegistryEntry];
  await store.put(other.entry, revision);
  await connected;
  assert.equal(logs.matching(/refused a connection/).length, 1);
});

Deno.test("with administrators a server nearby is not believed without the registry", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.start("a", { register: false });
  const console = await ensemble.start("console", { ...CONSOLE, ...nearby(ensemble) });
  await assert.rejects(
    ping(console.actors, A),
    /; unix:\S+\/a: cannot ask the registry for the instance of a: cannot reach registry: /,
  );
});

Deno.test("known addresses are tried before those from the registry, and without it", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.start("a", { register: false, listen: [anyPort()] });
  const [address] = a.entry.addresses as [Address];
  const known = (addresses: Address[]) => ({ known: new Map([[a.id, addresses]]) });
  const console = await ensemble.start("console", { ...CONSOLE, ...known([CLOSED, address]) });
  await ping(console.actors, a.id);
  await ensemble.stop(console);

  await ensemble.startRegistry();
  const b = await ensemble.start("b");
  const other = await ensemble.start("other", {
    ...CONSOLE,
    known: new Map([[b.id, [CLOSED]], [a.id, [CLOSED]]]),
  });
  await ping(other.actors, b.id);
  await assert.rejects(
    ping(other.actors, a.id),
    /^DisconnectedError: cannot reach a: tcp:\/\/127\.0\.0\.1:1: connection refused; no server a is registered$/,
  );
});
