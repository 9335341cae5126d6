import assert from "node:assert/strict";
import { type EnsembleServer, TimeoutError } from "@gxensemble/ensemble";
import { withEnsemble } from "@gxensemble/ensemble/testing";
import { eventually } from "../server/captured_logs.ts";

/** Starts a service whose requests are answered when the test says so. */
function serveSlowly(server: EnsembleServer, name = "slow") {
  const waiting: (() => void)[] = [];
  const actor = server.serve(name, {
    work: () => new Promise<string>((resolve) => waiting.push(() => resolve(server.id))),
  });
  return { actor, waiting };
}

const work = { type: "work" };

Deno.test(
  "drain takes a server out of roles and groups, not out of lookups by id and connections",
  withEnsemble(async (ensemble) => {
    const [a, b] = await Promise.all([
      ensemble.startServer("a", { roles: ["r"] }),
      ensemble.startServer("b", { roles: ["r"] }),
    ]);
    const client = await ensemble.startServer();
    for (const server of [a, b]) {
      server.join("g", server.serve("service", { work: () => server.id, note: () => {} }));
    }
    const idsOf = async () => (await client.lookup({ role: "r" })).map(({ id }) => id).join();
    const members = async () => (await client.members("g")).map((each) => `${each}`).join();
    await eventually(async () => await members() === "service@a,service@b", "both members");
    assert.equal(await idsOf(), "a,b");
    const drained = a.drain();
    await eventually(async () => await idsOf() === "b", "a is not found by its role");
    await eventually(async () => await members() === "service@b", "a is not found by its group");
    assert.equal(await client.publish("g", { type: "note" }), 1);
    for (let n = 0; n < 4; n++) assert.equal(await client.askAny("g", work), "b");
    assert.equal(await a.askAny("g", work), "b");
    assert.equal(await a.publish("g", { type: "note" }), 1);
    assert.deepEqual((await a.members("g")).map(String), ["service@b"]);
    assert.equal((await client.lookup({ id: "a" }))!.state, "draining");
    assert.equal(await client.ask("service@a", work), "a");
    await drained;
    await a.drain();
    assert.equal(await client.ask("service@a", work), "a");
    await a.undrain();
    await a.undrain();
    assert.equal((await client.lookup({ id: "a" }))!.state, "up");
    await eventually(async () => await members() === "service@a,service@b", "both members");
    await eventually(async () => await idsOf() === "a,b", "both with the role");
  }),
);

Deno.test(
  "drain resolves when no request is in a handler, and none waits",
  withEnsemble(async (ensemble) => {
    const a = await ensemble.startServer("a");
    const client = await ensemble.startServer();
    const { waiting } = serveSlowly(a);
    const asked = [client.ask("slow@a", work), client.ask("slow@a", work)];
    await eventually(() => waiting.length === 1, "the first request");
    await eventually(() => a.actors.find("slow")!.mailboxLength === 1, "the second");
    let isDrained = false;
    const drained = client.remote("a").drain().then(() => isDrained = true);
    await eventually(() => !a.isUp, "it is draining");
    await assert.rejects(a.drain({ timeout: 700 }), (error) => {
      assert.ok(error instanceof TimeoutError);
      assert.equal(
        error.message,
        "a is not drained after 0.7 s: these services are busy: slow (1 unanswered, 1 waiting)",
      );
      return true;
    });
    await assert.rejects(client.remote("a").drain({ timeout: 100 }), {
      code: "TIMEOUT",
      message: /^a is not drained after 0.1 s: these services are busy: slow \(/,
    });
    waiting.shift()!();
    await eventually(() => waiting.length === 1, "the second request has begun");
    assert.equal(isDrained, false);
    waiting.shift()!();
    assert.deepEqual(await Promise.all(asked), ["a", "a"]);
    await drained;
  }),
);

Deno.test(
  "a request to a group that a draining server gets is answered by another",
  withEnsemble(async (ensemble) => {
    const [a, b] = await Promise.all([ensemble.startServer("a"), ensemble.startServer("b")]);
    for (const server of [a, b]) server.join("g", server.serve("s", { work: () => server.id }));
    await eventually(async () => (await b.members("g")).length === 2, "both members");
    // The registry is not told: as in the moment before the others know it.
    a.actors.isDraining = true;
    for (let n = 0; n < 4; n++) assert.equal(await b.askAny("g", work), "b");
    await b.stop();
    const client = await ensemble.startServer();
    await assert.rejects(client.askAny("g", work), {
      code: "NO_MEMBER",
      message: "no server that is up has a member of g",
    });
    a.actors.isDraining = false;
  }),
);

Deno.test(
  "a server that was draining is draining after the registry has lost its entry",
  withEnsemble(async (ensemble) => {
    const a = await ensemble.startServer("a");
    const client = await ensemble.startServer();
    await a.drain();
    const { instance } = a.entry;
    await ensemble.registry.actors.ask("registry", { type: "remove", id: "a", instance });
    assert.equal(await client.lookup({ id: "a" }), undefined);
    // What changes has it register again.
    a.join("g", serveSlowly(a).actor);
    await eventually(async () => (await client.lookup({ id: "a" })) !== undefined, "its entry");
    assert.equal((await client.lookup({ id: "a" }))!.state, "draining");
  }),
);

Deno.test(
  "a server that is not ready can be drained, and is up when it is ready and taken back",
  withEnsemble(async (ensemble) => {
    const a = await ensemble.startServer("a", { holdReady: true });
    const client = await ensemble.startServer();
    const state = async () => (await client.lookup({ id: "a" }))!.state;
    assert.equal(await state(), "starting");
    await a.drain();
    await a.ready();
    assert.equal(await state(), "draining");
    await a.undrain();
    assert.equal(await state(), "up");
  }),
);

Deno.test(
  "a drain that is taken back, or whose server stops, ends with an error",
  withEnsemble(async (ensemble) => {
    const a = await ensemble.startServer("a");
    const { waiting } = serveSlowly(a);
    const asked = a.ask("slow", work);
    await eventually(() => waiting.length === 1, "the request");
    const first = assert.rejects(a.drain(), {
      message: "a takes work again: it was taken back before it was drained",
    });
    await a.undrain();
    await first;
    const second = assert.rejects(a.drain(), { code: "SERVER_STOPPING" });
    waiting.shift()!();
    await asked;
    await a.stop();
    await second;
    await assert.rejects(a.drain({ timeout: -1 }), { code: "INVALID_INPUT" });
  }),
);

Deno.test("drain and undrain of another server take the capability admin", async () => {
  const { AdministeredEnsemble, elevated } = await import("../server/administered_ensemble.ts");
  const { controlClient } = await import("../../../runtime/ensemble/remote.ts");
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [a, b] = [await ensemble.start("a"), await ensemble.start("b")];
  const control = controlClient(a.actors, "b");
  await assert.rejects(control.drain(), { code: "NOT_AUTHORIZED" });
  await assert.rejects(control.undrain(), { code: "NOT_AUTHORIZED" });
  assert.equal(b.isUp, true);
  await elevated(a, b, "admin");
  await control.drain();
  assert.equal(b.isUp, false);
  await control.undrain();
  assert.equal(b.isUp, true);
});
