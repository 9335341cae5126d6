import assert from "node:assert/strict";
import { ActorSystem } from "../../../runtime/actor/actor_system.ts";
import type { HandlerContext } from "../../../runtime/actor/handler_context.ts";
import { hashUnit, type Unit } from "../../../runtime/code/unit.ts";
import type { EnsembleServer } from "../../../runtime/ensemble/ensemble_server.ts";
import { changeServices } from "../../../runtime/ensemble/service_changes.ts";
import { loaderClient } from "../../../runtime/ensemble/remote.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import type { Handlers } from "../../../runtime/actor/service.ts";

interface Counter {
  add(): unknown;
}

/** Version 1: the state is a number. */
const FIRST = `export const service = { add: (_, context) => context.state += 1 };`;

/** Version 2: the state is an object, and counts by 10. */
const SECOND = `
  export const service = { add: (_, { state }) => state.total += 10 };
  export const upgrade = (total) => ({ total });
  export const downgrade = ({ total }) => total;
`;

async function unitOf(text: string): Promise<Unit> {
  const parts = { module: "counter.ts", path: "/src/counter.ts", text, metaProperties: [] };
  return { ...parts, hash: await hashUnit(parts), links: [], pauses: false };
}

/** A server that serves the handlers of the first version under these names, and ways to change it. */
async function startCounters(...names: string[]) {
  const ensemble = await testEnsemble();
  const server = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const loader = loaderClient(client, "a");
  const load = async (id: string, text: string) => {
    const unit = await unitOf(text);
    await loader.ship({ units: [unit] });
    const { module, path, hash } = unit;
    const modules = [{ module, path, hash }];
    await loader.load({ entry: hash, modules, libraries: [], by: "me@here", id });
  };
  const back = (id: string) => loader.goBack({ id, by: "me@here" });
  await load("first", FIRST);
  for (const name of names) server.serve(name, serviceOf(server), { state: 0 });
  const add = (name = names[0]!) => client.client<Counter>(`${name}@a`).add();
  return {
    ...{ server, load, back, add },
    [Symbol.asyncDispose]: () => ensemble[Symbol.asyncDispose](),
  };
}

function serviceOf(server: EnsembleServer): Handlers {
  return server.module("counter.ts")!.service as Handlers;
}

Deno.test("services that run get the handlers of a newer version, with their state", async () => {
  await using counters = await startCounters("one", "two");
  const { server, load, back, add } = counters;
  server.serve("other", { add: () => "other" });
  assert.deepEqual([await add("one"), await add("one"), await add("two")], [1, 2, 1]);
  await load("second", SECOND);
  assert.deepEqual([await add("one"), await add("two"), await add("other")], [12, 11, "other"]);
  assert.equal(server.actors.find("one")!.service!.handlers, serviceOf(server));

  await back("second");
  assert.deepEqual([await add("one"), await add("two")], [13, 12]);
  assert.equal(server.actors.find("one")!.service!.handlers, serviceOf(server));
});

Deno.test("loading the earlier text again hands the state back through downgrade", async () => {
  await using counters = await startCounters("one");
  const { load, add } = counters;
  await load("second", SECOND);
  assert.equal(await add(), 10);
  await load("third", FIRST);
  assert.equal(await add(), 11);
  await load("fourth", SECOND);
  assert.equal(await add(), 21);
});

Deno.test("an upgrade that throws leaves all services and the version as they were", async () => {
  await using counters = await startCounters("one", "two");
  const { server, load, add } = counters;
  await add("two");
  const bad = `
    export const service = { add: () => "bad" };
    export const upgrade = (total) => { if (total > 0) throw new Error("not that one"); return {}; };
  `;
  await assert.rejects(load("bad", bad), {
    name: "ActorError",
    message: /the service two@a keeps its earlier handlers: .*not that one/,
  });
  assert.deepEqual([await add("one"), await add("two")], [1, 2]);
  assert.equal(server.actors.find("one")!.service!.handlers, serviceOf(server));
  const again = await unitOf(FIRST);
  assert.equal(server.units.running(["counter.ts"]).get("counter.ts"), again.hash);
});

Deno.test("a change that is taken back keeps what a service handled with the same form of state", async () => {
  const system = new ActorSystem("here");
  const handlers = (): Handlers => ({
    add: (_request: object, context: HandlerContext<number>) => ++context.state,
  });
  const [first, second] = [handlers(), handlers()];
  system.serve("one", first, { state: 0 });
  system.serve("two", second, { state: 0 });
  const gate = Promise.withResolvers<never>();
  const changed = changeServices(system, [
    { from: first, to: handlers() },
    { from: second, to: handlers(), convert: () => gate.promise },
  ]);
  while (system.find("one")!.service!.handlers === first) await Promise.resolve();
  assert.equal(await system.ask("one", { type: "add" }), 1);
  gate.reject(new Error("not that one"));
  await assert.rejects(changed, /the service two@here keeps its earlier handlers: not that one/);
  assert.equal(system.find("one")!.service!.handlers, first);
  assert.equal(await system.ask("one", { type: "add" }), 2);
  system.close();
});

Deno.test("a version without a service leaves the services as they are", async () => {
  await using counters = await startCounters("one");
  await counters.load("second", "export const version = 2;");
  assert.equal(await counters.add(), 1);
});

Deno.test("services go back even if the install of the earlier version throws", async () => {
  await using counters = await startCounters("one");
  const { load, back, add } = counters;
  await load("throwing", `${FIRST} export function install() { throw new Error("no"); }`);
  await load("second", SECOND);
  assert.equal(await add(), 10);
  const [outcome] = await back("second") ?? [];
  assert.deepEqual([outcome?.way, /install\(\) failed: Error: no/.test(outcome?.failure ?? "")], [
    "restored",
    true,
  ]);
  assert.equal(await add(), 11);
});

Deno.test("services that start later with earlier handlers get the newer ones, and their state is upgraded", async () => {
  await using counters = await startCounters("one");
  const { server, load, back, add } = counters;
  const first = serviceOf(server);
  const top = server.supervise("top", {
    children: [
      { name: "stopped", serve: first, state: 3 },
      {
        name: "nested",
        supervise: {
          intensity: { restarts: 0, within: 1000 },
          children: [{ name: "two", serve: first, state: 1 }],
        },
      },
    ],
  });
  assert.equal(await add("stopped"), 4);
  await top.stop("stopped");
  await load("second", SECOND);
  assert.equal(await add("two"), 11);

  await top.restart("stopped");
  assert.equal(await add("stopped"), 14);
  await top.restart("nested");
  assert.equal(await add("two"), 11);
  server.serve("later", first, { state: 0 });
  assert.equal(await add("later"), 10);

  const third = SECOND.replace("10", "100").replace(/export const (up|down)grade.*/g, "");
  await load("third", third);
  assert.deepEqual([await add("later"), await add("stopped"), await add("two")], [110, 114, 111]);
  server.serve("latest", first, { state: 0 });
  assert.equal(await add("latest"), 100);
  await back("third");
  await back("second");
  assert.deepEqual([await add("later"), await add("latest")], [111, 101]);
  await top.restart("nested");
  assert.equal(await add("two"), 2);
});

Deno.test("a service that starts later keeps its handlers if its state cannot be upgraded", async () => {
  await using counters = await startCounters();
  const { server, load, add } = counters;
  const first = serviceOf(server);
  await load(
    "second",
    `export const service = { add: () => "new" };
     export const upgrade = () => { throw new Error("not that one"); };`,
  );
  server.serve("later", first, { state: 0 });
  assert.equal(await add("later"), 1);
});
