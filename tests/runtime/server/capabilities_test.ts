import assert from "node:assert/strict";
import { on, onReply, onShutdown } from "../../../runtime/actor/cases.ts";
import { Envelope } from "../../../runtime/actor/messaging.ts";
import {
  controlClient,
  killActor,
  shutDownActor,
  shutDownServer,
} from "../../../runtime/ensemble/remote.ts";
import { shortInstance } from "../../../runtime/server/credentials.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import {
  AdministeredEnsemble,
  administratorFingerprint,
  answer,
  challenged,
  elevated,
  granted,
  signed,
} from "./administered_ensemble.ts";
import { CapturedLogs, eventually } from "./captured_logs.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

const REFUSED = { name: "ActorError", remoteName: "NotAuthorizedError" };
const ALL = ["admin", "loader", "shutdown"];

/** An ensemble with a target, a delegate, and a console that has `admin` in the target. */
async function administered() {
  const ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [target, delegate, console] = await Promise.all([
    ensemble.startVault("target"),
    ensemble.start("delegate"),
    ensemble.startRogue("console"),
  ]);
  await elevated(console, target, "admin");
  const control = controlClient(console.actors, target.id);
  const authorize = (server: ActorServer, ...capabilities: string[]) =>
    control.authorize({ server: server.id, capabilities });
  return { ensemble, target, delegate, console, control, authorize };
}

Deno.test("a server may use the capabilities granted to it, and no other server may", async () => {
  const { ensemble, target, delegate, console, authorize } = await administered();
  await using _ = ensemble;
  const other = await ensemble.start("other");
  assert.deepEqual(await granted(delegate, target), []);
  await authorize(delegate, "shutdown", "shutdown");
  assert.deepEqual(await granted(delegate, target), ["shutdown"]);
  assert.deepEqual(await granted(other, target), []);
  // In the target only.
  const elsewhere = await ensemble.startVault("elsewhere");
  assert.deepEqual(await granted(delegate, elsewhere), []);
  assert.deepEqual(await granted(console, elsewhere), []);
});

Deno.test("granted admin implies all capabilities, and a new grant replaces it", async () => {
  const { ensemble, target, delegate, control, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "admin");
  assert.deepEqual(await granted(delegate, target), ALL);
  await authorize(delegate, "loader");
  assert.deepEqual(await granted(delegate, target), ["loader"]);
  const [delegation, ...rest] = await control.delegations();
  assert.deepEqual(rest, []);
  assert.ok(Math.abs(Date.now() - delegation!.since) < 60_000);
  assert.deepEqual({ ...delegation, since: 0 }, {
    server: "delegate",
    instance: delegate.entry.instance,
    capabilities: ["loader"],
    by: `admin:${await administratorFingerprint()}`,
    since: 0,
  });
});

Deno.test("granted capabilities outlive the administrator's connection, but not a retraction", async () => {
  const { ensemble, target, delegate, console, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "shutdown");
  await ensemble.stop(console);
  assert.deepEqual(await granted(delegate, target), ["shutdown"]);
  const again = await ensemble.startRogue("again");
  await elevated(again, target, "admin");
  const control = controlClient(again.actors, target.id);
  assert.notDeepEqual((await control.retract({ server: delegate.id })).retracted, []);
  assert.deepEqual((await control.retract({ server: delegate.id })).retracted, []);
  assert.deepEqual(await granted(delegate, target), []);
});

Deno.test("a delegate that was started again has to be authorized again", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "admin");
  await ensemble.stop(delegate);
  const successor = await ensemble.start("delegate");
  assert.deepEqual(await granted(successor, target), []);
  await authorize(successor, "shutdown");
  assert.deepEqual(await granted(successor, target), ["shutdown"]);
});

Deno.test("a server that takes a stopped delegate's id does not get its capabilities", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "admin");
  await ensemble.stop(delegate);
  const rogue = await ensemble.startRogue("delegate");
  assert.deepEqual(await granted(rogue, target), []);
});

Deno.test("to confer and to retract takes admin; a delegate that has it may do both", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  const other = await ensemble.start("other");
  const control = controlClient(delegate.actors, target.id);
  const confer = () => control.authorize({ server: other.id, capabilities: ["loader"] });
  await assert.rejects(confer(), REFUSED);
  await assert.rejects(control.retract({ server: other.id }), REFUSED);
  await authorize(delegate, "loader", "shutdown");
  await assert.rejects(confer(), REFUSED);
  await assert.rejects(control.retract({ server: delegate.id }), REFUSED);
  await authorize(delegate, "admin");
  await confer();
  assert.deepEqual(await granted(other, target), ["loader"]);
  // What it conferred stays when it has nothing to confer any more.
  assert.notDeepEqual((await control.retract({ server: delegate.id })).retracted, []);
  await assert.rejects(confer(), REFUSED);
  assert.deepEqual(await granted(other, target), ["loader"]);
});

Deno.test("authorize accepts only running servers and valid capabilities", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, control } = await administered();
  await using _ = ensemble;
  const confer = (server: unknown, capabilities: unknown) =>
    control.authorize({ server, capabilities } as never);
  await assert.rejects(
    confer("nosuch", ["admin"]),
    /no server nosuch is registered: only a running server can be authorized/,
  );
  for (const server of [undefined, 7, "", "../delegate", "delegate ", ["delegate"], {}]) {
    await assert.rejects(confer(server, ["admin"]), { remoteName: "InvalidInputError" });
    await assert.rejects(control.retract({ server: server as never }), {
      remoteName: "InvalidInputError",
    });
  }
  for (const capabilities of [undefined, "admin", [], ["Admin"], ["admin shutdown"], [["admin"]]]) {
    await assert.rejects(confer("delegate", capabilities), { remoteName: "InvalidInputError" });
  }
  assert.deepEqual(await control.delegations(), []);
  assert.deepEqual(await granted(target, target), ALL);
  assert.deepEqual(logs.matching(/audit: authorize/), [
    `INFO audit: authorize failed who=admin:${await administratorFingerprint()} client=console ` +
    `transport=unix server=nosuch capabilities=admin reason="no server nosuch is registered: only a running server can be authorized"`,
  ]);
});

Deno.test("shutting down an actor or the server requires the capability, by tell or ask", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  const named = target.actors.serve("service", {});
  const bare = target.actors.spawn(undefined, (self) => self.loop([onShutdown()]));
  const refs = [named.ref, bare.ref, refTo("target", named.serial), refTo("target", "server")];
  for (const ref of refs) {
    delegate.actors.tell(ref, { type: "shutdown" });
    delegate.actors.tell(ref, { type: "shutdown", extra: 1 }, { replyTo: 7, replyExpected: true });
    await assert.rejects(delegate.actors.ask(ref, { type: "shutdown" }), REFUSED);
  }
  await assert.rejects(shutDownServer(delegate.actors, target.id), REFUSED);
  await assert.rejects(shutDownActor(delegate.actors, target.id, "vault"), REFUSED);
  for (const id of ["service", "vault", "nosuch", bare.serial]) {
    await assert.rejects(killActor(delegate.actors, target.id, id), REFUSED);
  }
  assert.deepEqual([named.activity, bare.activity], ["receiving", "receiving"]);
  await assert.rejects(delegate.exit(named.ref, "not wanted"), { code: "NOT_AUTHORIZED" });
  assert.equal(target.signal.aborted, false);
  assert.equal(logs.matching(/WARN audit: shutdown refused .* client=delegate/).length, 5);
  // A message to an actor that does not exist is not read, so it counts as no attempt.
  await assert.rejects(shutDownActor(delegate.actors, target.id, "nosuch"), /unknown actor/);

  await authorize(delegate, "shutdown");
  delegate.actors.tell(named.ref, { type: "shutdown" });
  await shutDownActor(delegate.actors, target.id, bare.serial);
  await eventually(() => named.activity === "dead", "the service ends");
  assert.equal(bare.activity, "dead");
  await assert.rejects(shutDownActor(delegate.actors, target.id, "nosuch"), /unknown actor/);
  await shutDownServer(delegate.actors, target.id);
  await target.stopped;
  assert.deepEqual(
    logs.matching(
      /audit: shutdown allowed who=instance:\S+ client=delegate transport=unix actor=server$/,
    ).length,
    1,
  );
  assert.deepEqual(logs.matching(/left out/), [
    "WARN server: 14 more lines were left out: refusals of shutdown of delegate",
  ]);
});

Deno.test("an unreadably long actor name does not fill the log", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, delegate } = await administered();
  await using _ = ensemble;
  const ref = refTo("target", `\x1b[2J\x9b${"x".repeat(120)}`);
  target.actors.serve(ref.actor as string, {});
  await assert.rejects(delegate.actors.ask(ref, { type: "shutdown" }), REFUSED);
  const [line] = logs.matching(/shutdown refused/);
  assert.ok(line!.length < 500);
  // deno-lint-ignore no-control-regex -- that is what must not be there
  assert.doesNotMatch(line!, /[\x00-\x1f\x7f-\x9f]/);
});

Deno.test("connect takes admin, with addresses and without", async () => {
  const { ensemble, target, delegate } = await administered();
  await using _ = ensemble;
  const other = await ensemble.start("other");
  const control = controlClient(delegate.actors, target.id);
  const addresses = [ensemble.socket("elsewhere")];
  await assert.rejects(control.connect({ server: other.id, addresses }), REFUSED);
  await assert.rejects(control.connect({ server: other.id, addresses: [] }), REFUSED);
  await assert.rejects(control.connect({ server: other.id }), REFUSED);
  assert.equal(target.session(other.id), undefined);
  const own = controlClient(target.actors, target.id);
  await own.connect({ server: other.id });
  assert.ok(target.session(other.id));
});

Deno.test("what only tells is free: lists, states, pings, monitors, a challenge", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, delegate } = await administered();
  await using _ = ensemble;
  const control = controlClient(delegate.actors, target.id);
  await control.listActors();
  await control.listConnections();
  await control.delegations();
  await control.threadState({});
  await control.threadBacktrace({ serial: target.actors.find("vault")!.serial });
  await control.challenge({ capabilities: ["admin"] });
  await delegate.actors.ask(refTo("target", "vault"), { type: "ping" });
  assert.deepEqual(logs.matching(/audit: (?!elevation)/), []);
});

Deno.test("actors of the server itself are always authorized", async () => {
  const { ensemble, target, delegate } = await administered();
  await using _ = ensemble;
  assert.deepEqual(await granted(target, target), ALL);
  const control = controlClient(target.actors, target.id);
  await control.authorize({ server: delegate.id, capabilities: ["loader"] });
  assert.deepEqual(await granted(delegate, target), ["loader"]);
  assert.notDeepEqual((await control.retract({ server: delegate.id })).retracted, []);
  await shutDownActor(target.actors, target.id, "vault");
  await eventually(() => target.actors.find("vault") === undefined, "the vault ends");
});

Deno.test("without an administrator all is free, and nothing is noted", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const other = await ensemble.start("other");
  const judged: boolean[] = [];
  target.actors.serve("note", {
    note: (_request, context) => void judged.push(context.authorized("admin")),
  });
  await other.actors.ask(refTo("target", "note"), { type: "note" });
  assert.deepEqual(judged, [true]);
  const control = controlClient(other.actors, target.id);
  await control.authorize({ server: other.id, capabilities: ["admin"] });
  await shutDownActor(other.actors, target.id, "note");
  await shutDownServer(other.actors, target.id);
  assert.deepEqual(logs.matching(/ audit: /), []);
});

Deno.test("an actor judges answers and plain messages as it does requests", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  delegate.actors.serve("oracle", { ask: () => "yes" });
  target.actors.serve("local", { ask: () => "yes" });
  const judge = async () => {
    const judged: boolean[] = [];
    const judging = target.actors.spawn("judging", async (self) => {
      const note = (_message: unknown, envelope: Envelope) =>
        void judged.push(envelope.authorized("loader"));
      for (const oracle of [refTo("delegate", "oracle"), refTo("target", "local")]) {
        const nonce = self.tell(oracle, { type: "ask" }, { replyExpected: true })!;
        await self.receive([onReply(nonce, note)]);
      }
      delegate.actors.tell(self.ref, { type: "plain" });
      await self.receive([on("plain", note)]);
    });
    await judging.ended;
    return judged;
  };
  assert.deepEqual(await judge(), [false, true, false]);
  await authorize(delegate, "loader");
  assert.deepEqual(await judge(), [true, true, true]);
});

Deno.test("a message that a server passes on is that server's; one that is passed on inside is local", async () => {
  const { ensemble, target, delegate, console, authorize } = await administered();
  await using _ = ensemble;
  const relay = (server: ActorServer) =>
    server.actors.serve("relay", {
      may: (request: { capability: string }) =>
        server.actors.ask(refTo("target", "vault"), {
          type: "may",
          capability: request.capability,
        }),
    });
  relay(delegate);
  relay(target);
  const through = (from: ActorServer, server: string) =>
    from.actors.ask<boolean>(refTo(server, "relay"), { type: "may", capability: "shutdown" });
  // The console has admin in the target, and the delegate that speaks for it has nothing.
  assert.equal(await through(console, "delegate"), false);
  // Conversely, a server that may ask the delegate has what the delegate has.
  await authorize(delegate, "shutdown");
  const other = await ensemble.start("other");
  assert.equal(await through(other, "delegate"), true);
  assert.deepEqual(await granted(other, target), []);
  // An actor that does for others what it is asked has to ask `authorized` itself.
  assert.equal(await through(other, "target"), true);
});

Deno.test("an envelope that no actor received is not authorized", () => {
  const source = refTo("other", "server");
  assert.equal(
    new Envelope(1, "a", source, 1, undefined, 1, true, false).authorized("loader"),
    false,
  );
});

Deno.test("what waits in a mailbox is judged when it is handled: after a retraction it is refused", async () => {
  const { ensemble, target, delegate, control, authorize } = await administered();
  await using _ = ensemble;
  const busy = Promise.withResolvers<void>();
  target.actors.serve("busy", {
    wait: () => busy.promise,
    may: (_request, context) => context.authorized("loader"),
  });
  await authorize(delegate, "loader");
  const waiting = delegate.actors.ask(refTo("target", "busy"), { type: "wait" });
  const before = delegate.actors.ask(refTo("target", "busy"), { type: "may" });
  assert.deepEqual(await granted(delegate, target), ["loader"]);
  await control.retract({ server: delegate.id });
  busy.resolve();
  await waiting;
  assert.equal(await before, false);
});

Deno.test("granted capabilities are checked for the sending instance, even after it has ended", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  const busy = Promise.withResolvers<void>();
  const judged: boolean[] = [];
  target.actors.serve("busy", {
    wait: () => busy.promise,
    note: (_request, context) => void judged.push(context.authorized("loader")),
  });
  await authorize(delegate, "loader");
  delegate.actors.tell(refTo("target", "busy"), { type: "wait" });
  delegate.actors.tell(refTo("target", "busy"), { type: "note" });
  await granted(delegate, target);
  await ensemble.stop(delegate);
  const successor = await ensemble.start("delegate");
  successor.actors.tell(refTo("target", "busy"), { type: "note" });
  assert.deepEqual(await granted(successor, target), []);
  busy.resolve();
  await eventually(() => judged.length === 2, "both are judged");
  assert.deepEqual(judged, [true, false]);
});

Deno.test("every change of capabilities is one record in the audit log", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, delegate, control, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "shutdown");
  await control.retract({ server: delegate.id });
  const theirs = controlClient(delegate.actors, target.id);
  await assert.rejects(theirs.retract({ server: "console" }), REFUSED);
  await assert.rejects(
    theirs.authorize({ server: delegate.id, capabilities: ["admin"] }),
    REFUSED,
  );
  const admin = `who=admin:${await administratorFingerprint()} client=console transport=unix`;
  const other = `who=instance:${
    shortInstance(delegate.entry.instance)
  } client=delegate transport=unix`;
  assert.deepEqual(logs.matching(/ audit: (?!elevation)/), [
    `INFO audit: authorize allowed ${admin} server=delegate capabilities=shutdown`,
    `INFO audit: retract allowed ${admin} server=delegate`,
    `WARN audit: retract refused ${other} server=console`,
    `WARN audit: authorize refused ${other} server=delegate capabilities=admin`,
  ]);
});

Deno.test("retract ends elevations, including those signed before", async () => {
  const { ensemble, target, delegate, console, control, authorize } = await administered();
  await using _ = ensemble;
  await elevated(delegate, target, "loader");
  await authorize(delegate, "shutdown");
  const answered = await challenged(delegate, target, "admin");
  assert.deepEqual(await control.retract({ server: delegate.id }), {
    retracted: ["loader", "shutdown"],
    returning: [],
  });
  assert.deepEqual(await granted(delegate, target), []);
  await assert.rejects(answer(delegate, target, await signed(answered)), REFUSED);
  assert.deepEqual(await granted(delegate, target), []);
  assert.deepEqual(await granted(console, target), ALL);
  assert.deepEqual((await control.retract({ server: delegate.id })).retracted, []);
});

Deno.test("retract of a server that is not connected revokes its grants", async () => {
  const { ensemble, delegate, control, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "shutdown");
  await ensemble.stop(delegate);
  assert.deepEqual((await control.retract({ server: delegate.id })).retracted, ["shutdown"]);
});

Deno.test("authorize and elevation limit the number of capabilities", async () => {
  const { ensemble, target, delegate, control, console } = await administered();
  await using _ = ensemble;
  const names = (count: number, letter: string) =>
    Array.from({ length: count }, (_, i) => `${letter}:${i}`);
  const tooMany = {
    remoteName: "InvalidInputError",
    message: /^too many capabilities: 33; at most 32 /,
  };
  const server = delegate.id;
  await control.authorize({ server, capabilities: names(32, "a") });
  await assert.rejects(control.authorize({ server, capabilities: names(33, "b") }), tooMany);
  assert.equal((await control.delegations())[0]!.capabilities.length, 32);
  await assert.rejects(elevated(console, target, ...names(33, "a")), tooMany);
  assert.deepEqual(await granted(console, target, ["b:1"]), ["b:1"]);
  await elevated(delegate, target, ...names(32, "c"));
  // With those that it has they are 33.
  await assert.rejects(elevated(delegate, target, "loader"), /would have 33 capabilities/);
});

Deno.test("a program's own capabilities have a colon", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  await authorize(delegate, "app:billing");
  assert.deepEqual(await granted(delegate, target, ["app:billing", "app:other"]), [
    "app:billing",
  ]);
  for (const wrong of ["app:", ":app", "app:a:b", "app:Billing", `app:${"x".repeat(61)}`]) {
    await assert.rejects(authorize(delegate, wrong), /not a capability/);
  }
});

Deno.test("delegate takes capabilities, sorted and each once, and delegations are sorted by server", async () => {
  const { ensemble, target, delegate, console } = await administered();
  await using _ = ensemble;
  const { instance } = delegate.entry;
  const give = (server: ActorServer, ...capabilities: string[]) =>
    target.capabilities.delegate({
      server: server.id,
      instance: new Uint8Array(instance),
      capabilities,
      by: target.id,
    });
  give(delegate, "shutdown", "loader", "shutdown");
  give(console, "admin");
  assert.deepEqual(
    target.capabilities.delegations().map(({ server, capabilities }) => [server, capabilities]),
    [["console", ["admin"]], ["delegate", ["loader", "shutdown"]]],
  );
  assert.throws(() => give(delegate, "Shutdown"), /not a capability/);
  assert.throws(() => give(delegate), /no capabilities given/);
});

Deno.test("an answer that looks like a shutdown ends no actor, and requires no capability", async () => {
  const { ensemble, target, delegate } = await administered();
  await using _ = ensemble;
  const event = { type: "shutdown", at: 5 };
  delegate.actors.serve("events", { last: () => event });
  assert.deepEqual(
    await target.actors.ask(refTo(delegate.id, "events"), { type: "last" }, { timeout: 2_000 }),
    event,
  );
});

Deno.test("a capability is one that is known, or a program's own", async () => {
  const { ensemble, target, delegate, authorize } = await administered();
  await using _ = ensemble;
  for (const wrong of ["shutdwn", "app", "Admin", ":run", "jobs:"]) {
    await assert.rejects(
      authorize(delegate, wrong),
      (error: Error) => error.message.includes("use one of admin, shutdown, loader, "),
      wrong,
    );
    // A program that requires it would refuse all but administrators.
    await assert.rejects(granted(delegate, target, [wrong]), /not a capability/, wrong);
  }
  await authorize(delegate, "jobs:run", "observer");
  assert.deepEqual(await granted(delegate, target, ["jobs:run", "observer", "loader"]), [
    "jobs:run",
    "observer",
  ]);
});

Deno.test("the audit log says that an action failed which the sender might have done", async () => {
  using logs = await CapturedLogs.start();
  const { ensemble, target, console, control } = await administered();
  await using _ = ensemble;
  const nosuch = "nosuch";
  await assert.rejects(control.authorize({ server: nosuch, capabilities: ["loader"] }));
  await assert.rejects(control.connect({ server: nosuch }));
  assert.deepEqual((await control.retract({ server: nosuch })).retracted, []);
  await assert.rejects(killActor(console.actors, target.id, "nosuch"));
  await assert.rejects(killActor(console.actors, target.id, "vault"), /is a part of the server/);
  await assert.rejects(
    shutDownActor(console.actors, target.id, "vault"),
    /is a part of the server/,
  );
  const lines = logs.matching(/ audit: (?!elevation)/);
  assert.deepEqual(
    lines.map((line) => /^(.*?) who=admin:\S+ client=console .*reason=".+"$/.exec(line)?.[1]),
    ["authorize", "connect", "retract", "shutdown", "shutdown", "shutdown"].map((what) =>
      `INFO audit: ${what} failed`
    ),
    lines.join("\n"),
  );
});
