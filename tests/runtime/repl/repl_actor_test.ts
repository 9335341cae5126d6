import assert from "node:assert/strict";
import { onShutdown } from "../../../runtime/actor/cases.ts";
import { ActorRef } from "../../../runtime/actor/references.ts";
import type { Handlers } from "../../../runtime/actor/service.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { guardLoader, loaderHandlers } from "../../../runtime/ensemble/loader.ts";
import { controlClient } from "../../../runtime/ensemble/remote.ts";
import { startReplSession } from "../../../runtime/repl/repl_actor.ts";
import { AdministeredEnsemble } from "../server/administered_ensemble.ts";
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

Deno.test("what guards the loader stands before the handlers of its sessions", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [target, owner] = await Promise.all([ensemble.start("target"), ensemble.start("owner")]);
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  const guard = (handlers: Handlers) => guardLoader(handlers, target.capabilities);
  target.actors.serve("loader", guard(loaderHandlers(store, target, { guard })));
  const refused = { reason: "AuthorizationError" };
  const opener = owner.actors.spawn("opener", (self) => self.loop([onShutdown()]));
  const open = () => opener.ask<number>(new ActorRef(target.id, "loader"), { type: "openSession" });
  await assert.rejects(open(), refused);

  const control = controlClient(target.actors, target.id);
  await control.authorize({ server: owner.id, capabilities: ["loader"] });
  const session = new ActorRef(target.id, await open());
  const look = () => opener.ask(session, { type: "isDefined", name: "globalThis" });
  assert.equal(await look(), true);
  await control.retract({ server: owner.id });
  await assert.rejects(look(), refused);
  const expansion = { text: "1", declarations: [], imports: [] };
  const evaluate = { type: "evaluate", input: 1, expansion, preview: {} };
  await assert.rejects(opener.ask(session, evaluate), refused);
});
