import assert from "node:assert/strict";
import { type EnsembleServer, type GroupReply, on } from "@gxensemble/ensemble";
import { type TestEnsemble, withEnsemble } from "@gxensemble/ensemble/testing";
import { ActorRef } from "../../../runtime/actor/references.ts";
import { registryClient } from "../../../runtime/server/registry_protocol.ts";
import { AdministeredEnsemble, elevated } from "../server/administered_ensemble.ts";
import { eventually } from "../server/captured_logs.ts";

/** Starts a service that tells its name and keeps what it is told, and has it join a group. */
function member(
  server: EnsembleServer,
  name: string,
  { group = "g", notes = [] as string[] } = {},
) {
  const actor = server.serve(name, {
    who: () => `${name}@${server.id}`,
    note: ({ text }: { text: string }) => void notes.push(`${name}@${server.id} ${text}`),
  });
  server.join(group, actor);
  return actor;
}

/** The members of a group, as a server sees them. */
async function membersOf(server: EnsembleServer, group = "g"): Promise<string[]> {
  return (await server.members(group)).map((each) => `${each}`);
}

/** Waits until a server sees these members. */
async function untilMembers(server: EnsembleServer, ...members: string[]): Promise<void> {
  const wanted = members.join(" ");
  await eventually(async () => (await membersOf(server)).join(" ") === wanted, wanted);
}

async function startServers(ensemble: TestEnsemble, ...ids: string[]): Promise<EnsembleServer[]> {
  return await Promise.all(ids.map((id) => ensemble.startServer(id)));
}

Deno.test(
  "join makes an actor a member for all servers, until it leaves, ends, or its server stops",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const client = await ensemble.startServer();
    assert.deepEqual(await membersOf(client), []);
    const x = member(a, "x");
    const y = member(a, "y");
    member(b, "z");
    const anonymous = b.spawn(undefined, (self) => self.loop([]));
    b.join("g", anonymous);
    const fourth = `${anonymous.ref}`;
    for (const server of [a, b, client]) await untilMembers(server, "x@a", "y@a", "z@b", fourth);
    a.leave("g", x);
    a.leave("g", x);
    await untilMembers(client, "y@a", "z@b", fourth);
    await client.exit(y);
    await untilMembers(client, "z@b", fourth);
    await b.stop();
    await untilMembers(client);
    await untilMembers(a);
  }),
);

Deno.test(
  "join refuses what no other server could find, and says why",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const client = await ensemble.startServer();
    const x = member(a, "x");
    assert.throws(() => b.join("g", x), {
      code: "INVALID_INPUT",
      message: "x@a cannot join g here: it is an actor of a, not of b",
    });
    assert.throws(() => b.join("g", "x@a"), { code: "INVALID_INPUT" });
    assert.throws(() => b.join("", "server"), { code: "INVALID_INPUT" });
    assert.throws(() => b.join("g", "nothing"), { code: "UNKNOWN_ACTOR" });
    assert.throws(() => b.join("g", "server"), { code: "PART_OF_SERVER" });
    assert.throws(() => b.join("g", "loader"), { code: "PART_OF_SERVER" });
    const own = client.spawn("own", (self) => self.loop([]));
    assert.throws(
      () => client.join("g", own),
      /is not registered, so that no server would find it$/,
    );
    x.exit();
    await x.ended;
    await eventually(() => a.actors.find("x") === undefined, "its end");
    member(a, "x", { group: "h" });
    assert.throws(() => a.join("g", x), { code: "UNKNOWN_ACTOR" }, "another actor has its name");
  }),
);

Deno.test(
  "publish sends one message to each server, which each member there gets in order",
  withEnsemble(async (ensemble) => {
    const servers = await startServers(ensemble, "a", "b", "c");
    const notes: string[] = [];
    for (const server of servers.slice(0, 2)) {
      for (let n = 0; n < 20; n++) member(server, `x${n}`, { notes });
    }
    const [a, b, c] = servers as [EnsembleServer, EnsembleServer, EnsembleServer];
    await eventually(async () => (await a.members("g")).length === 40, "all members");
    const sent = () => a.connections().find(({ peer }) => peer === "b")!.sent.messages;
    const before = sent();
    for (let n = 0; n < 10; n++) {
      assert.equal(await a.publish("g", { type: "note", text: `${n}` }), 2);
    }
    await eventually(() => notes.length === 400, "400 deliveries");
    await eventually(() => sent() > before, "a count");
    assert.equal(sent() - before, 10);
    for (const server of [a, b]) {
      for (let at = 0; at < 20; at++) {
        const start = `x${at}@${server.id} `;
        const own = notes.filter((note) => note.startsWith(start));
        assert.deepEqual(own, Array.from({ length: 10 }, (_, n) => `${start}${n}`));
      }
    }
    assert.equal(await c.publish("none", { type: "note" }), 0);
    await assert.rejects(c.publish("g", () => 1), { code: "PROTOCOL_ERROR" });
  }),
);

Deno.test(
  "what is published at once, before a group is known, arrives in order",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const notes: string[] = [];
    member(a, "x", { notes });
    await eventually(async () => (await b.lookup({ id: "a" }))!.groups.g === 1, "the membership");
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(numbers.map((n) => b.publish("g", { type: "note", text: `${n}` })));
    await eventually(() => notes.length === 100, "100 messages");
    assert.deepEqual(notes, numbers.map((n) => `x@a ${n}`));
  }),
);

Deno.test(
  "a published message is from the server that published it",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const sources: string[] = [];
    const actor = a.spawn(
      "x",
      (self) =>
        self.loop([
          on("note", (_message, { source, dest }) => void sources.push(`${source} ${dest}`)),
        ]),
    );
    a.join("g", actor);
    await untilMembers(b, "x@a");
    await b.publish("g", { type: "note" });
    await a.publish("g", { type: "note" });
    await eventually(() => sources.length === 2, "both");
    assert.deepEqual(sources.sort(), ["server@a x", "server@b x"]);
  }),
);

Deno.test(
  "askAny asks the members in turn, according to how many a server has",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const client = await ensemble.startServer();
    await assert.rejects(client.askAny("g", { type: "who" }), {
      code: "NO_MEMBER",
      message: "no server that is up has a member of g",
    });
    for (const name of ["x", "y", "z"]) member(a, name);
    member(b, "x");
    await untilMembers(client, "x@a", "y@a", "z@a", "x@b");
    for (const strategy of ["round-robin", "random", "least-pending"] as const) {
      const counts = new Map<string, number>();
      for (let n = 0; n < 40; n++) {
        const name = await client.askAny<string>("g", { type: "who" }, { strategy });
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      if (strategy === "random") continue;
      assert.deepEqual([...counts].sort(), [["x@a", 10], ["x@b", 10], ["y@a", 10], ["z@a", 10]]);
    }
    await assert.rejects(client.askAny("g", {}, { strategy: "best" as never }), {
      code: "INVALID_INPUT",
      message: 'not a strategy: "best": use round-robin, random, least-pending',
    });
  }),
);

Deno.test(
  "askAny least-pending leaves out a server that does not answer",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const stop = Promise.withResolvers<void>();
    a.join("g", a.serve("slow", { who: () => stop.promise.then(() => "slow@a") }));
    member(b, "fast");
    await untilMembers(b, "slow@a", "fast@b");
    const ask = () => b.askAny<string>("g", { type: "who" }, { strategy: "least-pending" });
    const first = [ask(), ask()];
    for (let n = 0; n < 20; n++) assert.equal(await ask(), "fast@b");
    stop.resolve();
    assert.deepEqual((await Promise.all(first)).sort(), ["fast@b", "slow@a"]);
  }),
);

Deno.test(
  "askAny asks another server where the first has no member left, and never twice otherwise",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const client = await ensemble.startServer();
    const x = member(a, "x");
    const asked: string[] = [];
    b.join(
      "g",
      b.serve("y", {
        who: () => "y@b",
        fail() {
          asked.push("fail");
          throw new Error("because");
        },
        // As a handler that has asked another group, and failed.
        pass: () => b.askAny("nothing", {}),
      }),
    );
    await untilMembers(client, "x@a", "y@b");
    // The registry has not told it yet.
    a.leave("g", x);
    for (let n = 0; n < 4; n++) assert.equal(await client.askAny("g", { type: "who" }), "y@b");
    await assert.rejects(client.askAny("g", { type: "fail" }), { message: "because" });
    assert.deepEqual(asked, ["fail"]);
    await untilMembers(client, "y@b");
    await assert.rejects(client.askAny("g", { type: "pass" }), {
      message: "no server that is up has a member of nothing",
    });
  }),
);

Deno.test(
  "askAll gives the answer or the failure of each member, as they come",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const client = await ensemble.startServer();
    const stop = Promise.withResolvers<void>();
    member(a, "x");
    a.join("g", a.serve("slow", { who: () => stop.promise.then(() => "slow@a") }));
    b.join(
      "g",
      b.serve("broken", {
        who() {
          throw new Error("because");
        },
      }),
    );
    b.join("g", b.spawn("silent", (self) => self.loop([on("other", () => {})])));
    await eventually(async () => (await client.members("g")).length === 4, "all members");
    const replies: GroupReply<string>[] = [];
    for await (const reply of client.askAll<string>("g", { type: "who" }, { timeout: 2_000 })) {
      replies.push(reply);
      if (replies.length === 2) stop.resolve();
    }
    const shown = replies.map(({ member, reply, error }) =>
      `${member} ${reply ?? (error as { code?: string }).code}`
    );
    assert.deepEqual(shown.slice(0, 2).sort(), ["broken@b FAILED", "x@a x@a"]);
    assert.deepEqual(shown.slice(2), ["slow@a slow@a", "silent@b TIMEOUT"]);
    for await (const _ of client.askAll("none", {})) assert.fail("there is no member");
    const signal = AbortSignal.timeout(50);
    await assert.rejects(async () => {
      for await (const { error } of client.askAll("g", { type: "other" }, { signal })) void error;
    }, { name: "TimeoutError" });
  }),
);

Deno.test(
  "lookup and watch give the servers of a group, with the numbers of members",
  withEnsemble(async (ensemble) => {
    const [a, b] = await startServers(ensemble, "a", "b") as [EnsembleServer, EnsembleServer];
    const seen: string[] = [];
    const end = new AbortController();
    const watching = (async () => {
      for await (const change of b.watch({ group: "g", signal: end.signal })) {
        seen.push(`${change.change} ${change.id} ${JSON.stringify(change.server?.groups)}`);
      }
    })();
    const others: string[] = [];
    void (async () => {
      for await (const { change, id } of b.watch({ id: "a", signal: end.signal })) {
        others.push(`${change} ${id}`);
      }
    })();
    const x = member(a, "x");
    await eventually(() => seen.length === 1, "the first member");
    member(a, "y");
    await eventually(() => seen.length === 2, "the second");
    assert.deepEqual((await b.lookup({ group: "g" })).map(({ id, groups }) => [id, groups]), [
      ["a", { g: 2 }],
    ]);
    assert.deepEqual(await b.lookup({ group: "h" }), []);
    assert.deepEqual((await b.lookup({ id: "b" }))!.groups, {});
    a.leave("g", x);
    a.leave("g", "y");
    await eventually(() => seen.length === 3, "the last one left");
    end.abort();
    await watching;
    assert.deepEqual(others, ["present a"], "members are news only to those that watch the group");
    assert.deepEqual(seen, ['changed a {"g":1}', 'changed a {"g":2}', "changed a {}"]);
    await assert.rejects(b.lookup({ group: "" }), { code: "INVALID_INPUT" });
  }),
);

Deno.test("a shutdown that is published takes the capability in each server", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const [a, b] = [await ensemble.start("a"), await ensemble.start("b")];
  const members = ["x", "y"].map((name) => b.actors.serve(name, { who: () => name }));
  for (const member of members) b.actors.groups.join("g", member);
  const group = ActorRef.unchecked("b", "@g");
  a.actors.tell(group, { type: "shutdown" });
  await assert.rejects(a.actors.ask(group, { type: "shutdown" }), { code: "NOT_AUTHORIZED" });
  assert.equal(await a.actors.ask(group, { type: "who" }), "x");
  assert.equal(b.actors.groups.count("g"), 2);
  // Nor can another server change what the registry has of these members.
  const { lookup, register } = registryClient(a.actors);
  const { revision: _, leaseLeft: __, ...entry } = (await lookup({ id: "b" })).entry!;
  const forged = { ...entry, state: "up" as const, groups: { g: 100 } };
  await assert.rejects(register({ entry: forged }), { code: "NOT_AUTHORIZED" });
  await elevated(a, b, "shutdown");
  a.actors.tell(group, { type: "shutdown" });
  await eventually(() => b.actors.groups.count("g") === 0, "both end");
});
