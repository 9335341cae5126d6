import assert from "node:assert/strict";
import { on, onShutdown, onUnexpected } from "../../../runtime/actor/cases.ts";
import type { ActorRef } from "../../../runtime/actor/references.ts";
import { serveLoader } from "../../../runtime/ensemble/loader.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { controlClient, loaderClient } from "../../../runtime/ensemble/remote.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { InstanceKey } from "../../../runtime/server/credentials.ts";
import { rogueBody, RoguePeer } from "../../rogue_peer.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

Deno.test("unexpected messages are logged in a few short lines, however many and long they are", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const last = on("last", (_message, envelope) => envelope.reply("last"));
  target.actors.spawn("own", (self) => self.loop([onShutdown(), last, onUnexpected]));
  const rogue = await ensemble.startConsole("rogue");
  const long = "x".repeat(1024 * 1024);
  await assert.rejects(rogue.actors.ask(refTo("target", "own"), { type: long }), (error: Error) => {
    assert.ok(error.message.length < 300);
    return true;
  });
  for (let i = 0; i < 5_000; i++) {
    rogue.actors.tell(refTo("target", i % 2 ? "server" : "own"), { type: `junk${i}` });
  }
  // Not pings, which a busy actor answers before what has waited longer.
  await controlClient(rogue.actors, target.id).listActors();
  await rogue.actors.ask(refTo("target", "own"), { type: "last" });
  await ensemble.stop(target);
  const lines = logs.matching(/ unexpected message /);
  assert.equal(lines.length, 5);
  assert.ok(lines.every((line) => line.length < 400));
  assert.deepEqual(logs.matching(/left out/), [
    "WARN server: 4996 more lines were left out: unexpected messages of rogue",
  ]);
});

Deno.test("a peer that comes and goes under ever new ids costs few lines", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const tellLater = async (_request: unknown, { sender }: { sender: ActorRef }) => {
    await opened;
    target.tell(sender, "opened");
  };
  target.actors.serve("gate", { wait: tellLater }, { concurrent: true });
  const { cookie } = ensemble;
  for (let i = 0; i < 200; i++) {
    using rogue = await RoguePeer.join(ensemble.socket("target"), { cookie, id: `ghost${i}` });
    await rogue.sendEnvelope({ dest: "gate" }, rogueBody({ type: "wait" }));
  }
  await eventually(() => target.connections().length === 1, "all gone");
  open();
  await eventually(() => logs.matching(/cannot reach ghost/).length >= 64, "lines about them");
  await ensemble.stop(target);
  assert.ok(logs.matching(/ghost\d+/).length <= 2 * (64 + 5), logs.lines.join("\n"));
});

Deno.test("loads that fail, and those of one library over and over, cost a few lines", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  serveLoader(target, { store });
  const rogue = await ensemble.startConsole("rogue");
  const loader = loaderClient(rogue.actors, target.id);
  const entry = "0".repeat(64);
  for (let i = 0; i < 20; i++) {
    await assert.rejects(loader.load({ entry, modules: [], libraries: [], by: "rogue@host" }));
    await loader.library({ specifier: "node:path" });
  }
  assert.equal(logs.matching(/cannot load: /).length, 5);
  assert.equal(logs.matching(/loaded library node:path/).length, 5);
});

Deno.test("an id that passes from instance to instance costs a few lines", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const registry = registryClient(target.actors);
  const id = "rogue";
  const addresses = [{ kind: "tcp", host: "127.0.0.1", port: 1 }] as const;
  for (let i = 0; i < 12; i++) {
    const instance = await InstanceKey.generate();
    await registry.register({
      entry: { id, instance: instance.publicKey, addresses, roles: [], state: "up" },
    });
    // Nothing listens there. Left open: the next one takes its place.
    await RoguePeer.join(ensemble.socket("target"), { cookie: ensemble.cookie, id, instance });
  }
  assert.equal(logs.matching(/WARN server: rogue: instance .* replaces /).length, 5);
});
