import assert from "node:assert/strict";
import { RefusedError } from "../runtime/server/handshake_messages.ts";
import { listenAt } from "../runtime/wire/transport.ts";
import { RoguePeer } from "./rogue_peer.ts";
import { anyPort, LocalEnsemble, refTo } from "./runtime/server/local_ensemble.ts";

Deno.test("RoguePeer asks and is asked over unix and tcp, registered or not", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const a = await ensemble.start("a", { listen: [ensemble.socket("a"), anyPort()] });
  for (const [i, address] of a.entry.addresses.entries()) {
    const options = { cookie: ensemble.cookie, id: `rogue${i}` };
    using registry = await RoguePeer.join(ensemble.socket("registry"), options);
    await registry.register();
    const { instance } = registry;
    using rogue = await RoguePeer.join(address, { ...options, instance });
    assert.equal(rogue.peer, "a");
    assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
    assert.equal((await rogue.ask("nobody", 1)).failed, true);
    a.actors.tell(refTo(rogue.id, "x"), "hello");
    assert.equal((await rogue.receiveEnvelope())?.message, "hello");
    const found = await registry.ask("registry", { type: "lookup", id: rogue.id });
    const { entry } = found.message as { entry: { instance: Uint8Array } };
    assert.deepEqual(entry.instance, instance.publicKey);
  }
});

Deno.test("RoguePeer accepts a server that dials it", async () => {
  await using ensemble = new LocalEnsemble();
  const a = await ensemble.startConsole("a");
  const listener = await listenAt(anyPort());
  const connected = a.connect("rogue", [listener.address]);
  const { stream } = (await listener.accept())!;
  using rogue = await RoguePeer.accept(stream, { cookie: ensemble.cookie });
  await connected;
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
  await listener.close();
});

Deno.test("RoguePeer is refused without the cookie", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const joined = RoguePeer.join(ensemble.socket("registry"), { cookie: new Uint8Array(32) });
  await assert.rejects(joined, RefusedError);
});
