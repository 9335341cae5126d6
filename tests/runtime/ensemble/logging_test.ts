import assert from "node:assert/strict";
import type { LogRecord } from "npm:@logtape/logtape@^2.4.2";
import { formatLogRecord } from "../../../runtime/ensemble/logging.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const LOGGING = new URL("../../../runtime/ensemble/logging.ts", import.meta.url).href;
const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

function record(fields: Partial<LogRecord>): LogRecord {
  return {
    category: ["gxensemble", "server"],
    level: "info",
    message: ["started"],
    rawMessage: "started",
    timestamp: TIME,
    properties: {},
    ...fields,
  };
}

Deno.test("a record is one line: time, level, category, message, properties", () => {
  assert.equal(
    formatLogRecord(record({ properties: { id: "httpd1", why: "a b", count: 2 } })),
    '2026-01-02T03:04:05.678Z INFO server: started id=httpd1 why="a b" count=2',
  );
  assert.equal(
    formatLogRecord(record({ level: "warning", category: ["my", "app"] })),
    "2026-01-02T03:04:05.678Z WARN my.app: started",
  );
});

Deno.test("what the message shows is not said twice", () => {
  assert.equal(
    formatLogRecord(record({
      message: ["connected to ", "httpd2", ""],
      rawMessage: "connected to {peer}",
      properties: { peer: "httpd2", attempt: 1 },
    })),
    "2026-01-02T03:04:05.678Z INFO server: connected to httpd2 attempt=1",
  );
});

Deno.test("a peer's text neither breaks the line nor reaches the terminal as control codes", () => {
  const id = "a\nb\x1b[2J\x9b\u202e\u2066";
  assert.equal(
    formatLogRecord(record({
      message: ["bad id ", id, ""],
      rawMessage: "bad id {id}",
      properties: { id, peer: id },
    })),
    String.raw`2026-01-02T03:04:05.678Z INFO server: bad id a\nb\u001b[2J\u009b\u202e\u2066 ` +
      String.raw`peer="a\nb\u001b[2J\u009b\u202e\u2066"`,
  );
});

Deno.test("formatLogRecord keeps a line short, whatever values are in it", () => {
  let doubled: unknown[] = [];
  for (let i = 0; i < 60; i++) doubled = [doubled, doubled];
  for (const value of ["x".repeat(20_000_000), doubled, { doubled }, 1n << 30_000_000n]) {
    const shown = record({ message: ["odd ", value, ""], rawMessage: "odd {value}" });
    assert.ok(formatLogRecord(shown).length < 11_000);
    assert.ok(formatLogRecord(record({ properties: { value } })).length < 11_000);
  }
});

/** Runs a program that logs at every level and is killed, and returns its standard error. */
async function logAtEveryLevel(ensemble: TemporaryEnsemble, options: object): Promise<string> {
  const { stderr } = await ensemble.evaluate(`
    import { getLogger } from "npm:@logtape/logtape@^2.4.2";
    import { startLogging } from ${JSON.stringify(LOGGING)};
    await startLogging(${JSON.stringify(options)}, "httpd1");
    const logger = getLogger(["gxensemble", "test"]);
    logger.debug("1"); logger.info("2"); logger.warn("3"); logger.error("4");
    Deno.kill(Deno.pid, "SIGKILL");
  `);
  return stderr;
}

function messages(text: string): string[] {
  return text.split("\n").slice(0, -1).map((line) => line.split(" ").slice(1).join(" "));
}

Deno.test("the level decides what is logged, to standard error", async () => {
  using ensemble = new TemporaryEnsemble();
  const all = ["DEBUG test: 1", "INFO test: 2", "WARN test: 3", "ERROR test: 4"];
  for (const [index, log] of ["debug", "info", "warning", "error"].entries()) {
    const stderr = await logAtEveryLevel(ensemble, { log });
    assert.deepEqual(messages(stderr), all.slice(index));
  }
});

Deno.test("a log file is appended to, and has its last line also after kill -9", async () => {
  using ensemble = new TemporaryEnsemble();
  const logFile = `${ensemble.directory}/my.log`;
  const options = { log: "error", logFile };
  assert.equal(await logAtEveryLevel(ensemble, options), "");
  assert.equal(await logAtEveryLevel(ensemble, options), "");
  assert.deepEqual(messages(await Deno.readTextFile(logFile)), ["ERROR test: 4", "ERROR test: 4"]);
});

Deno.test("the log file - is the log in the server's directory", async () => {
  using ensemble = new TemporaryEnsemble();
  await logAtEveryLevel(ensemble, { log: "error", logFile: "-" });
  const path = `${ensemble.directory}/gerbil/ensemble/server/httpd1/log`;
  assert.deepEqual(messages(await Deno.readTextFile(path)), ["ERROR test: 4"]);
});

Deno.test("a log file that cannot be written is named", async () => {
  using ensemble = new TemporaryEnsemble();
  const logFile = `${ensemble.directory}/no/such/directory.log`;
  const stderr = await logAtEveryLevel(ensemble, { log: "info", logFile });
  assert.match(stderr, /cannot write the log file .*directory\.log: /);
});
