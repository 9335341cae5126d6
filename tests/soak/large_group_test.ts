import assert from "node:assert/strict";
import { type EnsembleServer, startServer } from "@gxensemble/ensemble";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";
import { eventually } from "../runtime/server/captured_logs.ts";

const SERVERS = Array.from({ length: 10 }, (_, n) => `s${n}`);
const MEMBERS = 1_000;
const ALL = SERVERS.length * MEMBERS;

/** How many messages are published for the figure. */
const MESSAGES = 100;

/** A server with many members of the group `all`, one of the group `one`, and a count of what they got. */
const PROGRAM = `
  import { currentServer } from "@gxensemble/ensemble";
  const server = currentServer();
  let count = 0;
  export function main() {
    const handlers = { note: () => void count++, who: () => server.id };
    for (let n = 0; n < ${MEMBERS}; n++) server.join("all", server.serve("m" + n, handlers));
    server.join("one", "m0");
    server.serve("counter", { count: () => count });
    return server.stopped;
  }
`;

/** The deliveries in all servers. */
async function deliveries(client: EnsembleServer): Promise<number> {
  const counts = SERVERS.map((id) =>
    client.ask<number>(`counter@${id}`, { type: "count" }, { timeout: 60_000 })
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** The messages that a server has sent to the others. */
function sent(client: EnsembleServer): number {
  return client.connections().filter(({ peer }) => SERVERS.includes(peer))
    .reduce((sum, connection) => sum + connection.sent.messages, 0);
}

Deno.test("10,000 members on 10 servers cost 10 messages, and one that is suspended no answers", async () => {
  await using ensemble = await RunningEnsemble.start();
  const servers = await Promise.all(SERVERS.map((id) => ensemble.startServer(id, [], PROGRAM)));
  const { gerbilPath, socketDirectory } = ensemble.places;
  await using client = await startServer({
    directory: `${gerbilPath}/ensemble`,
    socketDirectory,
    registry: [],
    log: false,
  });
  await eventually(async () => (await client.members("all")).length === ALL, "all members");

  await deliveries(client);
  const before = sent(client);
  assert.equal(await client.publish("all", { type: "note" }), SERVERS.length);
  await eventually(() => sent(client) > before, "a count");
  assert.equal(sent(client) - before, SERVERS.length);
  await eventually(async () => await deliveries(client) === ALL, "all deliveries");

  let start = performance.now();
  for (let n = 0; n < MESSAGES; n++) await client.publish("all", { type: "note", n });
  const wanted = ALL * (MESSAGES + 1);
  await eventually(async () => await deliveries(client) === wanted, "all deliveries", 60_000);
  const rate = ALL * MESSAGES / (performance.now() - start) * 1000;
  console.log(`publish: ${Math.round(rate)} deliveries a second`);

  start = performance.now();
  let replies = 0;
  for await (const { error } of client.askAll("all", { type: "who" }, { timeout: 30_000 })) {
    if (!error) replies++;
  }
  assert.equal(replies, ALL);
  console.log(`askAll: ${ALL} answers in ${Math.round(performance.now() - start)} ms`);

  servers[3]!.signal("SIGSTOP");
  const answers: string[] = [];
  const failures: string[] = [];
  start = performance.now();
  for await (const answer of client.askAll<string>("one", { type: "who" }, { timeout: 1_000 })) {
    if (answer.error) failures.push(answer.server);
    else answers.push(answer.reply);
    if (answers.length === 9 && failures.length === 0) {
      console.log(`askAll: nine answers after ${Math.round(performance.now() - start)} ms`);
    }
  }
  console.log(`askAll: the end after ${Math.round(performance.now() - start)} ms`);
  servers[3]!.signal("SIGCONT");
  assert.deepEqual(answers.sort(), SERVERS.filter((id) => id !== "s3"));
  assert.deepEqual(failures, ["s3"]);
});
