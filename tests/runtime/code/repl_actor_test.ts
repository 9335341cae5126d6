import assert from "node:assert/strict";
import { onShutdown } from "../../../runtime/actor/cases.ts";
import { ActorRef } from "../../../runtime/actor/ref.ts";
import { startReplSession } from "../../../runtime/code/repl_actor.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { eventually } from "../server/captured_logs.ts";
import { LocalEnsemble } from "../server/local_ensemble.ts";

Deno.test("a session answers who opened it only, and ends with nobody else's word", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [target, owner, other] = await Promise.all([
    ensemble.start("target"),
    ensemble.start("owner"),
    ensemble.start("other"),
  ]);
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  const opener = owner.actors.spawn("opener", (self) => self.loop([onShutdown()]));
  const session = startReplSession(target.actors, { owner: opener.ref, store, ensemble: target });
  const ref = new ActorRef(target.id, session.serial);
  const request = { type: "isDefined", name: "globalThis" };
  await assert.rejects(other.actors.ask(ref, request), {
    reason: "AuthorizationError",
    message: "this session is opener@owner's",
  });
  other.actors.tell(ref, { type: "down", monitor: 0, ref: opener.ref });
  await other.actors.ask(ref, { type: "down", monitor: 0, ref: opener.ref });
  assert.equal(await owner.actors.ask(ref, request), true);
  opener.exit();
  await eventually(() => session.state === "dead", "it ends with its owner");
});
