import assert from "node:assert/strict";
import { configureSync, getLogger, resetSync } from "npm:@logtape/logtape@^2.4.2";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { observerClient } from "../../../runtime/observation/observer_protocol.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { CapturedLogs, eventually } from "../server/captured_logs.ts";

const logger = getLogger(["observed"]);
const FILTER = { category: "observed", limit: 10 };

Deno.test("readLog waits for records, gives those of other servers of the process, and ends with its server", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  await ensemble.startServer("b");
  const client = await ensemble.startServer();
  const { position } = await observerClient(client, "a").readLog(FILTER);
  const waiting = observerClient(client, "a")
    .readLog({ ...FILTER, after: position, wait: 30_000 }, { timeout: 60_000 });
  await observerClient(client, "a").logLevels({}); // It comes after that request.
  logger.info("one {number}", { number: 1 });
  const { records } = await waiting;
  assert.deepEqual(records.map(({ message, properties }) => [message, properties]), [
    ["one 1", '{"number":1}'],
  ]);
  const ofB = await observerClient(client, "b").readLog({ ...FILTER, after: position });
  assert.equal(ofB.position.log, position.log);
  assert.deepEqual(ofB.records, records);
  const last = observerClient(client, "a")
    .readLog({ ...FILTER, after: ofB.position, wait: 30_000 }, { timeout: 60_000 });
  const outcome = last.then(() => "answered", () => "failed");
  await observerClient(client, "a").logLevels({});
  await a.stop();
  await outcome;
});

Deno.test("readLog gives what is logged where the program has configured LogTape, before or later", async () => {
  for (const when of ["before", "later"]) {
    const own: string[] = [];
    const configured = () =>
      configureSync({
        reset: true,
        sinks: { own: ({ rawMessage }) => void own.push(String(rawMessage)) },
        loggers: [
          { category: "observed", lowestLevel: "warning", sinks: ["own"] },
          { category: ["logtape", "meta"], lowestLevel: "error", sinks: [] },
        ],
      });
    try {
      await using ensemble = await testEnsemble();
      if (when === "before") configured();
      await ensemble.startServer("a");
      const client = await ensemble.startServer();
      if (when === "later") configured();
      const read = async () => (await observerClient(client, "a").readLog(FILTER)).records;
      // A configuration is noticed within a second.
      await eventually(async () => {
        logger.info("info");
        logger.warn("warning");
        return (await read()).some(({ level }) => level === "warning");
      });
      assert.ok((await read()).every(({ level }) => level === "warning"), when);
      assert.ok(own.length > 0 && !own.includes("info"), when);
    } finally {
      resetSync();
    }
  }
});

Deno.test("setLogLevel refuses levels, times and categories that are none", async () => {
  await using ensemble = await testEnsemble();
  await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const set = (change: object) => client.ask("observer@a", { type: "setLogLevel", ...change });
  const right = { category: "observed", level: "debug", by: "me@host" };
  for (const wrong of [{ level: "loud" }, { duration: -1 }, { category: "x".repeat(201) }]) {
    await assert.rejects(set({ ...right, ...wrong }), { code: "INVALID_INPUT" });
  }
  assert.deepEqual(await set({ ...right, level: undefined }), {
    category: "observed",
    exists: true,
    levels: await observerClient(client, "a").logLevels({}).then(({ levels }) => levels),
  });
});

Deno.test("where an administrator is set up, reading a log takes observer and is audited once, and a level takes admin", async () => {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { publicKey } = pair as CryptoKeyPair;
  const adminKey = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey));
  const logs = await CapturedLogs.start();
  using _logs = logs;
  const capabilities = { seer: ["observer"], chief: ["admin"] };
  await using ensemble = await testEnsemble({ adminKey, log: false });
  await ensemble.startServer("a", { capabilities });
  const [seer, chief, other] = await Promise.all(
    ["seer", "chief", "other"].map((id) => ensemble.startServer(id)),
  );
  const refused = { code: "NOT_AUTHORIZED" };
  await assert.rejects(observerClient(other!, "a").readLog(FILTER), refused);
  for (let count = 0; count < 3; count++) await observerClient(seer!, "a").readLog(FILTER);
  const change = { category: "observed", level: "debug", by: "me@host", duration: 60_000 } as const;
  await assert.rejects(observerClient(seer!, "a").setLogLevel(change), refused);
  await observerClient(chief!, "a").setLogLevel(change);
  for (const level of ["error", undefined] as const) {
    await observerClient(chief!, "a").setLogLevel({ category: "", level, by: "me@host" });
  }
  const audited = logs.matching(/ audit: log/).map((line) =>
    line.replace(/ who=.* client=/, " ").replace(" transport=unix", "")
  );
  assert.deepEqual(audited, [
    "WARN audit: logs refused other",
    "INFO audit: logs allowed seer",
    "WARN audit: log-level refused seer category=observed level=debug seconds=60",
    "INFO audit: log-level allowed chief category=observed level=debug seconds=60",
    'INFO audit: log-level allowed chief category="all categories" level=error',
    'INFO audit: log-level allowed chief category="all categories" level=default',
  ]);
});
