import assert from "node:assert/strict";
import { type EnsembleServer, type GroupReply, startServer } from "@gxensemble/ensemble";
import { RunningEnsemble } from "./running_ensemble.ts";

/** A server with two members of the group `counters`, which count what is published. */
const COUNTERS = `
  import { currentServer } from "@gxensemble/ensemble";
  const server = currentServer();
  export function main() {
    for (const name of ["one", "two"]) {
      let count = 0;
      const counter = server.serve(name, { add: ({ amount }) => count += amount, get: () => count });
      server.join("counters", counter);
    }
    return server.stopped;
  }
`;

/** How long a condition of the ensemble may take, in ms: a registry that is back takes some seconds. */
const DEADLINE = 20_000;

/** Starts a client of an ensemble in this process. */
async function startClient({ places }: RunningEnsemble): Promise<EnsembleServer> {
  return await startServer({
    directory: `${places.gerbilPath}/ensemble`,
    socketDirectory: places.socketDirectory,
    registry: [],
    log: false,
  });
}

/** Waits until these servers have members by what a client knows of the registry. */
async function untilServers(client: EnsembleServer, ...ids: string[]): Promise<void> {
  const late = performance.now() + DEADLINE;
  while (true) {
    const seen = (await client.lookup({ group: "counters" })).map(({ id }) => id);
    if (seen.join() === ids.join()) return;
    assert.ok(performance.now() < late, `${seen} have members, not ${ids}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until a client sees both members of these servers. */
async function untilMembers(client: EnsembleServer, ...ids: string[]): Promise<void> {
  const wanted = ids.flatMap((id) => [`one@${id}`, `two@${id}`]);
  const late = performance.now() + DEADLINE;
  for (let seen: string[] = [];;) {
    const members = await client.members("counters").catch(() => []);
    seen = members.map((member) => `${member}`);
    if (seen.join() === wanted.join()) return;
    assert.ok(performance.now() < late, `${seen} are members, not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const store of ["sqlite:", "memory:"]) {
  Deno.test(`members of a group end with their server, and outlive the registry with ${store}`, async () => {
    await using ensemble = new RunningEnsemble();
    await ensemble.lines("cookie");
    const registry = await ensemble.startRegistry("--store", store);
    const [, b] = await Promise.all(
      ["a", "b", "c"].map((id) => ensemble.startServer(id, [], COUNTERS)),
    );
    await using client = await startClient(ensemble);
    await untilMembers(client, "a", "b", "c");
    assert.equal(await client.publish("counters", { type: "add", amount: 3 }), 3);
    const counts: (number | undefined)[] = [];
    for await (const { reply } of client.askAll<number>("counters", { type: "get" })) {
      counts.push(reply);
    }
    assert.deepEqual(counts, [3, 3, 3, 3, 3, 3]);
    await b!.kill();
    await untilMembers(client, "a", "c");
    await untilServers(client, "a", "c");
    assert.equal(await client.publish("counters", { type: "add", amount: 1 }), 2);
    await registry.kill();
    // Without it, what was last known is used.
    assert.equal(await client.publish("counters", { type: "add", amount: 1 }), 2);
    assert.equal(await client.askAny("counters", { type: "get" }), 5);
    await ensemble.startRegistry("--store", store);
    await ensemble.startServer("d", [], COUNTERS);
    await untilMembers(client, "a", "c", "d");
  });
}

Deno.test("list-groups and publish work in all servers that have members of a group", async () => {
  await using ensemble = await RunningEnsemble.start();
  const [, b] = await Promise.all(
    ["a", "b", "c"].map((id) => ensemble.startServer(id, [], id === "c" ? undefined : COUNTERS)),
  );
  {
    await using client = await startClient(ensemble);
    await untilMembers(client, "a", "b");
  }
  assert.deepEqual(await ensemble.lines("list-groups"), ["(counters (a 2) (b 2))"]);
  assert.deepEqual(await ensemble.lines("list-groups", "counters"), [
    ...["one@a", "two@a", "one@b", "two@b"],
  ]);
  const json = async (...args: string[]) => (await ensemble.lines(...args, "--json")).join("");
  assert.deepEqual(JSON.parse(await json("list-groups")), [{
    group: "counters",
    servers: ["a", "b"].map((server) => ({ server, state: "up", members: 2 })),
  }]);
  assert.equal(
    await json("list-groups", "counters"),
    '{"server":"a","result":["one","two"]}{"server":"b","result":["one","two"]}',
  );
  const servers = JSON.parse(await json("list-servers", "--group", "counters"));
  assert.deepEqual(servers.map((each: { server: string }) => each.server), ["a", "b"]);
  assert.deepEqual(servers[0].groups, { counters: 2 });
  assert.match((await ensemble.lines("list-servers", "--long"))[0]!, /\tcounters:2\t/);

  assert.deepEqual(await ensemble.lines("publish", "counters", "add", "amount=3"), []);
  assert.equal(
    await json("publish", "counters", "add", "amount=4"),
    '{"server":"a","result":"sent"}{"server":"b","result":"sent"}',
  );
  assert.deepEqual(await ensemble.lines("call", "two@b", "get"), ["7"]);
  assert.equal(
    await ensemble.failure("publish", "counter", "add"),
    "no server that is up has a member of counter; did you mean counters?",
  );
  assert.equal(
    await ensemble.failure("list-groups", "nothing"),
    "no server that is up has a member of nothing",
  );
  await ensemble.lines("drain", "a,b");
  assert.deepEqual(await ensemble.lines("list-groups"), []);
  assert.deepEqual((await ensemble.lines("list-groups", "--long"))[0]!.split("\t"), [
    ...["counters", "a", "draining", "2"],
  ]);
  assert.equal(
    await ensemble.failure("publish", "counters", "add"),
    "no server that is up has a member of counters: a is draining, b is draining",
  );
  assert.deepEqual(await ensemble.lines("undrain", "b"), ["... b takes work again"]);
  assert.deepEqual(await ensemble.lines("list-groups"), ["(counters (b 2))"]);
  b!.signal("SIGSTOP");
  const { code, stderr } = await ensemble.run("list-groups", "--timeout", "0.5", "counters");
  b!.signal("SIGCONT");
  assert.equal(code, 1);
  assert.match(stderr, /b: no answer from server@b to listMembers within 500 ms/);
});

Deno.test("askAll ends in time, without the answers of a server that is suspended", async () => {
  await using ensemble = await RunningEnsemble.start();
  const ids = ["a", "b", "c", "d"];
  const servers = await Promise.all(ids.map((id) => ensemble.startServer(id, [], COUNTERS)));
  await using client = await startClient(ensemble);
  await untilMembers(client, ...ids);
  servers[1]!.signal("SIGSTOP");
  const replies: GroupReply<number>[] = [];
  for await (const reply of client.askAll<number>("counters", { type: "get" }, { timeout: 500 })) {
    replies.push(reply);
  }
  servers[1]!.signal("SIGCONT");
  const answered = replies.slice(0, -1).map(({ member }) => `${member}`).sort();
  assert.deepEqual(answered, ["one@a", "one@c", "one@d", "two@a", "two@c", "two@d"]);
  const { server, member, error } = replies.at(-1)!;
  assert.deepEqual([server, member, error?.name], ["b", undefined, "TimeoutError"]);
});
