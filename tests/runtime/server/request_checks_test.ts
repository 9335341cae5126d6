import assert from "node:assert/strict";
import type { RequestChecks } from "../../../runtime/actor/service.ts";
import { loaderHandlers } from "../../../runtime/ensemble/loader.ts";
import { loaderChecks } from "../../../runtime/ensemble/loader_protocol.ts";
import { replChecks } from "../../../runtime/repl/repl_protocol.ts";
import { InvalidInputError } from "../../../runtime/errors.ts";
import { controlChecks, controlHandlers } from "../../../runtime/server/control.ts";
import { registryChecks, registryClient } from "../../../runtime/server/registry_protocol.ts";
import {
  bytes,
  listOf,
  nothing,
  optional,
  parts,
  requestChecks,
  text,
  textByText,
  wholeNumber,
} from "../../../runtime/server/request_checks.ts";
import { type Asker, controlClient, loaderClient } from "../../../runtime/ensemble/remote.ts";
import { RoguePeer } from "../../rogue_peer.ts";
import { eventually } from "./captured_logs.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

const HASH = "0".repeat(64);
const ADDRESS = { kind: "tcp", host: "127.0.0.1", port: 1 };
const INSTANCE = new Uint8Array(32);
const ENTRY = {
  id: "a",
  instance: INSTANCE,
  addresses: [
    ADDRESS,
    { kind: "unix", host: "h", path: "/s", file: { device: 1, inode: 2 ** 63 } },
  ],
  roles: ["r"],
  groups: { g: 1 },
  pid: 1,
  host: "a",
  kernel: { boot: "b", processes: "pid:[1]" },
  version: "1.0.0",
  startedAt: 1,
  state: "up",
};
const UNIT = {
  module: "a.ts",
  path: "/a.ts",
  hash: HASH,
  text: "1",
  links: [{ start: 0, end: 1, target: "unit:x", keyword: 0 }],
  cycle: { members: [HASH], index: 0 },
  metaProperties: [[0, 1]],
  pauses: false,
  mappings: "AAAA",
};
const TARGET = { kind: "library", specifier: "a", attributes: { type: "json" } };

/** Requests of every type that are taken, with all of their parts. */
const GOOD: Record<string, Record<string, Record<string, unknown>>> = {
  control: {
    listActors: {},
    listConnections: {},
    describeActors: { actor: "a" },
    listMembers: { group: "g" },
    challenge: { capabilities: ["admin"] },
    elevate: { signature: new Uint8Array(64) },
    authorize: { server: "a", capabilities: ["admin"] },
    retract: { server: "a" },
    delegations: {},
    secrets: {},
    rereadSecrets: {},
    connect: { server: "a", addresses: [{ kind: "unix", host: "h", path: "/s" }] },
    drain: {},
    undrain: {},
    drained: { wait: 1 },
    shutdown: {},
    kill: { actor: "a" },
    threadState: { serial: 1 },
    threadBacktrace: { serial: 1 },
    monitor: { monitor: 1, actor: "a" },
    demonitor: { monitor: 1 },
    down: { monitor: 1, reason: "because" },
  },
  registry: {
    register: { entry: ENTRY },
    renew: { id: "a", instance: INSTANCE, revision: 1 },
    forget: { id: "a", force: true },
    remove: { id: "a", instance: INSTANCE },
    lookup: { id: "a" },
    list: { role: "r", group: "g", states: ["up"], after: "a", limit: 1 },
    changes: { after: "e:1", ids: ["a"], roles: ["r"], groups: ["g"], all: true, wait: 1 },
    registries: {},
    lock: { name: "roll-out:web", key: "k", by: "me@here", renews: true },
    unlock: { name: "roll-out:web", key: "k" },
    lockHolder: { name: "roll-out:web" },
    presence: { id: "a", instance: INSTANCE },
  },
  loader: {
    missing: { hashes: [HASH] },
    running: { modules: ["a.ts"] },
    libraries: {},
    ship: { units: [UNIT] },
    load: {
      entry: HASH,
      modules: [{ module: "a.ts", path: "/a.ts", hash: HASH }],
      libraries: [{ specifier: "a", importer: { path: "/a.ts", line: 1, column: 1 } }],
      by: "me@here",
      rerun: true,
      rerunRestored: true,
      id: "1",
    },
    prepare: {
      entry: HASH,
      modules: [{ module: "a.ts", path: "/a.ts", hash: HASH }],
      libraries: [{ specifier: "a", importer: { path: "/a.ts", line: 1, column: 1 } }],
      hashes: [HASH],
      bytes: 1,
    },
    keep: {
      entry: HASH,
      modules: [{ module: "a.ts", path: "/a.ts", hash: HASH }],
      libraries: [],
      by: "me@here",
      id: "1",
    },
    goBack: { id: "1", by: "me@here" },
    health: { module: "a.ts", expression: "1" },
    loads: {},
    history: {},
    loaded: {},
    library: { specifier: "a" },
    evaluate: { expression: "1", json: true },
    openSession: {},
  },
  repl: {
    evaluate: {
      input: 1,
      expansion: {
        text: "1",
        declarations: [{ name: "a", kind: "let" }],
        imports: [{ target: TARGET, bindings: [{ name: "a", imported: "*" }] }],
      },
      preview: { oneLine: false },
    },
    interrupt: { input: 1 },
    importAll: { target: { kind: "module", specifier: "./a.ts", ids: ["a.ts"] } },
    isDefined: { name: "a" },
    describe: { path: ["a"] },
    complete: { path: ["a"], prefix: "b" },
    down: {},
  },
};

const CHECKS: Record<string, RequestChecks> = {
  control: controlChecks,
  registry: registryChecks,
  loader: loaderChecks,
  repl: replChecks,
};

/** What no part of any request is. */
function* wrongValues(): Generator<unknown> {
  let doubled: unknown[] = [];
  for (let i = 0; i < 60; i++) doubled = [doubled, doubled];
  yield doubled;
  yield new Map([[doubled, doubled]]);
  yield { toString: () => assert.fail("was put into a text") };
  yield NaN;
  yield -1;
  yield 0.5;
  yield null;
  yield () => 1;
  yield BigInt(`0x${"f".repeat(200_000)}`);
}

/** Each place in a value, and a copy with something else there. */
function* replaced(value: unknown, other: unknown): Generator<unknown> {
  yield other;
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) {
      for (const copy of replaced(item, other)) yield value.with(i, copy);
    }
  } else if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value)) {
    for (const [key, part] of Object.entries(value)) {
      for (const copy of replaced(part, other)) yield { ...value, [key]: copy };
    }
  }
}

function holds(value: unknown, part: unknown): boolean {
  if (Object.is(value, part)) return true;
  return typeof value === "object" && value !== null &&
    Object.values(value).some((inner) => holds(inner, part));
}

for (const [service, requests] of Object.entries(GOOD)) {
  Deno.test(`the checks of ${service} return the declared parts, and nothing else`, () => {
    assert.deepEqual(Object.keys(CHECKS[service]!).sort(), Object.keys(requests).sort());
    for (const [type, request] of Object.entries(requests)) {
      const given = CHECKS[service]![type]!({ type, ...request, more: 1 });
      assert.deepEqual(given, request, type);
    }
  });

  Deno.test(`the checks of ${service} refuse a wrong part, with a short message`, () => {
    for (const [type, request] of Object.entries(requests)) {
      for (const other of wrongValues()) {
        for (const wrong of replaced(request, other)) {
          try {
            // Any object may stand where all parts may be missing, and nothing of it goes further.
            assert.ok(!holds(CHECKS[service]![type]!(wrong), other), type);
          } catch (error) {
            assert.ok(error instanceof InvalidInputError, String(error));
            assert.ok(error.message.length < 600, type);
          }
        }
      }
    }
  });
}

Deno.test("each request of control and the loader has a check", () => {
  const control = controlHandlers({ actors: undefined, capabilities: undefined } as never);
  assert.deepEqual(Object.keys(controlChecks).sort(), Object.keys(control).sort());
  const loader = loaderHandlers(undefined as never, undefined as never);
  assert.deepEqual(Object.keys(loaderChecks).sort(), Object.keys(loader).sort());
});

Deno.test("a check says what part is wrong, what it is, and what it should be", () => {
  const check = requestChecks<{ put(request: { list: { name: string }[] }): void }>({
    put: parts({ list: listOf(parts({ name: text(3) }), 2) }),
  }).put;
  const says = (request: unknown, message: string) =>
    assert.throws(() => check(request), { message });
  says(7, "not a request put: it is 7, not an object");
  says({}, "not a request put: list is missing: a list of up to 2");
  says(
    { list: [{ name: "abc" }, { name: "abcd" }] },
    'not a request put: list.1.name is "abcd", not a text of up to 3 characters',
  );
  says({ list: [1, 2, 3] }, "not a request put: list is an array of 3, not a list of up to 2");
});

Deno.test("a list with holes is refused before its items are looked at", () => {
  const check = listOf(wholeNumber, 1000);
  assert.throws(() => check(new Array(1e8)));
  assert.throws(() => check(new Array(3)));
});

Deno.test("bytes are a copy, as what came may be a view of a frame", () => {
  const frame = new Uint8Array(100);
  const copy = bytes(10)(frame.subarray(1, 4));
  assert.equal(copy.buffer.byteLength, 3);
});

Deno.test("keys are bounded as texts are", () => {
  const check = textByText(3, 2);
  assert.deepEqual(check({ a: "b" }), { a: "b" });
  assert.throws(() => check({ abcd: "b" }));
  assert.throws(() => check({ a: "1", b: "2", c: "3" }));
  assert.throws(() => optional(nothing)(7));
});

Deno.test("a value of few bytes and a huge text stops no server", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("target");
  const control = refTo("target", "server");
  const { actors } = await ensemble.startConsole("rogue");
  let doubled: unknown[] = [];
  for (let i = 0; i < 120; i++) doubled = [doubled, doubled];
  for (const [type, request] of Object.entries(GOOD.control!)) {
    const [key] = Object.keys(request);
    if (key === undefined) continue;
    await assert.rejects(actors.ask(control, { ...request, type, [key]: doubled }), {
      remoteName: "InvalidInputError",
    });
  }
  await assert.rejects(actors.ask(control, { type: doubled }), /unexpected message: object/);
  await assert.rejects(actors.ask(control, doubled), /unexpected message: object/);
  await assert.rejects(actors.ask(refTo("registry", "registry"), { type: "lookup", id: doubled }));
  assert.equal(await actors.ask(control, { type: "ping" }), "OK");
});

Deno.test("a request that lacks its parts is refused, and costs the connection nothing", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  await ensemble.start("target");
  using rogue = await RoguePeer.join(ensemble.socket("target"), { cookie: ensemble.cookie });
  for (const [type, request] of Object.entries(GOOD.control!)) {
    const isOptional = ["threadState", "describeActors"].includes(type);
    const required = Object.keys(request).length > 0 && !isOptional;
    if (type === "shutdown") continue;
    const { failed, message } = await rogue.ask("server", { type });
    assert.equal(failed, required, type);
    if (!failed) continue;
    assert.equal((message as { name: string }).name, "InvalidInputError", type);
  }
  assert.equal((await rogue.ask("server", { type: "ping" })).message, "OK");
});

Deno.test("what the registry answers is checked before it is used, in time and in full", async () => {
  await using ensemble = new LocalEnsemble();
  let doubled: unknown[] = [];
  for (let i = 0; i < 120; i++) doubled = [doubled, doubled];
  let answer: unknown = { cursor: "e:1" };
  const rogue = await ensemble.start("registry", { register: false });
  rogue.actors.serve("registry", {
    lookup: () => answer,
    list: () => answer,
    register: () => ({ revision: 1, lease: 15_000 }),
  });
  const server = await ensemble.start("server1");
  const registry = registryClient(server.actors);
  const entry = { ...ENTRY, revision: 1 };
  answer = { entry, cursor: "e:1" };
  assert.deepEqual(await registry.lookup({ id: "a" }), answer);
  const unix = { kind: "unix", host: doubled, path: doubled };
  for (const wrong of [doubled, 7, { ...entry, id: doubled }, { ...entry, addresses: [unix] }]) {
    answer = { entry: wrong, cursor: "e:1" };
    await assert.rejects(registry.lookup({ id: "a" }), (error: Error) => {
      assert.match(error.message, /^not an answer to lookup: /);
      assert.ok(error.message.length < 400);
      return true;
    });
    await assert.rejects(server.connect("a"), /not an answer to lookup/);
    await assert.rejects(
      controlClient(server.actors, server.id).authorize({
        server: "a",
        capabilities: ["admin"],
      }),
      /not an answer to lookup/,
    );
    await assert.rejects(registry.list({}), /not an answer to list/);
  }
  answer = { cursor: "e:1" };
  assert.deepEqual(await registry.lookup({ id: "a" }), answer);
});

Deno.test("what another server answers is checked before it is used", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [own, rogue] = await Promise.all([ensemble.start("own"), ensemble.start("rogue")]);
  const honest = controlClient(own.actors, own.id);
  const { serial } = own.actors.find("registration")!;
  assert.equal((await honest.threadState({})).serial, 1);
  assert.equal((await honest.threadState({ serial })).serial, serial);
  assert.ok((await honest.threadBacktrace({ serial })).started.length >= 0);
  assert.deepEqual(await honest.listActors(), ["registration", "server"]);

  let group: object = { serial: 1, name: "root", actors: [], groups: [] };
  for (let i = 0; i < 14; i++) group = { ...group, groups: [group, group] };
  const doubled = Array.from({ length: 2 }, () => group);
  rogue.actors.find("server")!.exit();
  await eventually(() => !rogue.actors.find("server"), "its control has ended");
  const types = ["listActors", "listConnections", "challenge", "authorize", "retract"];
  types.push("delegations", "shutdown", "threadBacktrace");
  const answers = Object.fromEntries(types.map((type) => [type, () => doubled]));
  rogue.actors.serve("server", { ...answers, threadState: () => group });
  const control = controlClient(own.actors, rogue.id) as unknown as Record<
    string,
    (request: object) => Promise<unknown>
  >;
  for (const type of types) {
    await assert.rejects(
      control[type]!({}),
      (error: Error) => /^not an answer to /.test(error.message) && error.message.length < 400,
      type,
    );
  }
  await assert.rejects(control.threadState!({}), /more than 10000 groups of actors/);
});

Deno.test("a loader's malformed answers are refused", async () => {
  const name = { module: "m", path: "p", hash: HASH };
  const outcome = { ...name, loaded: true, restored: false, installed: false, rerun: false };
  const load = { ...name, time: 0, by: "me@here", current: true };
  const request = { hashes: [], modules: [], entry: HASH, libraries: [], by: "", expression: "" };
  const cases: Record<string, { good: unknown[]; bad: unknown[] }> = {
    missing: { good: [[], [HASH]], bad: [[1], ["\x1b"], HASH] },
    running: { good: [new Map([["m", HASH]])], bad: [{}, new Map([["m", 1]]), new Set(["m"])] },
    libraries: { good: [["x"]], bad: [[{}], "x"] },
    load: {
      good: [[], [outcome]],
      bad: [{}, [name], [{ ...outcome, rerun: 1 }], 5],
    },
    history: { good: [[load]], bad: [[{ ...load, time: 9e15 }], [{ ...load, by: 1 }], [null]] },
    loaded: {
      good: [[], [{ module: "a.ts", hash: HASH, bytes: 1 }]],
      bad: [[{ module: "a.ts", hash: HASH, bytes: -1 }], [{}], "x"],
    },
    evaluate: { good: ["1", undefined], bad: [1, {}] },
    openSession: { good: [5], bad: ["5", -1, NaN, undefined] },
  };
  for (const [type, { good, bad }] of Object.entries(cases)) {
    const answered = (answer: unknown) => {
      const asker = { ask: () => Promise.resolve(answer) } as unknown as Asker;
      const loader = loaderClient(asker, "rogue");
      return (loader[type as "load"] as (request: object) => Promise<unknown>)(request);
    };
    for (const answer of good) assert.deepEqual(await answered(answer), answer);
    for (const answer of [...bad, null]) {
      await assert.rejects(answered(answer), {
        name: "InvalidInputError",
        message: new RegExp(`^not an answer to ${type}: `),
      });
    }
  }
});
