import assert from "node:assert/strict";
import type { LogRecord } from "npm:@logtape/logtape@^2.4.2";
import { LogBuffer } from "../../../runtime/observation/log_buffer.ts";
import { type LogFilter, MAX_RECORDS } from "../../../runtime/observation/log_protocol.ts";
import { eventually } from "../server/captured_logs.ts";

function record(fields: Partial<LogRecord> = {}): LogRecord {
  return {
    category: ["gxensemble", "server"],
    level: "info",
    message: ["started"],
    rawMessage: "started",
    timestamp: Date.now(),
    properties: {},
    ...fields,
  };
}

function numbered(first: number, last: number): LogRecord[] {
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const number = first + index;
    return record({ message: ["line ", number, ""], rawMessage: "line {number}" });
  });
}

function bufferOf(...records: LogRecord[]): LogBuffer {
  const buffer = new LogBuffer();
  for (const each of records) buffer.add(each);
  return buffer;
}

const messagesOf = ({ records }: ReturnType<LogBuffer["read"]>) =>
  records.map(({ message }) => message);

Deno.test("LogBuffer keeps what a record shows, as text", () => {
  const properties = { peer: "httpd1", why: "a b", error: new Error("no"), big: 10n };
  const message = ["connected to ", "httpd1", ""];
  const rawMessage = "connected to {peer}";
  const buffer = bufferOf(record({ message, rawMessage, properties, timestamp: 5 }));
  const [logged] = buffer.read({ limit: 1 }).records;
  const { errors, properties: json, ...rest } = logged!;
  assert.deepEqual(rest, {
    sequence: 1,
    at: 5,
    level: "info",
    category: "gxensemble.server",
    message: "connected to httpd1",
    fields: ' why="a b" big=10n',
  });
  assert.match(errors, /^ {4}Error: no\n {4} {4}at /);
  const { error, ...others } = JSON.parse(json);
  assert.deepEqual(others, { peer: "httpd1", why: "a b", big: "10n" });
  assert.equal(error.message, "no");
});

Deno.test("LogBuffer.read gives the newest records, and then those after a position", () => {
  const buffer = bufferOf(...numbered(1, 5));
  const newest = buffer.read({ limit: 2 });
  assert.deepEqual(messagesOf(newest), ["line 4", "line 5"]);
  assert.deepEqual(messagesOf(buffer.read({ after: newest.position, limit: 9 })), []);
  for (const each of numbered(6, 8)) buffer.add(each);
  const next = buffer.read({ after: newest.position, limit: 2 });
  assert.deepEqual(messagesOf(next), ["line 6", "line 7"]);
  const last = buffer.read({ after: next.position, limit: 2 });
  assert.deepEqual([messagesOf(last), last.lost], [["line 8"], 0]);
});

Deno.test("LogBuffer.read gives all records to a reader of the process's predecessor", () => {
  const buffer = bufferOf(...numbered(1, 3));
  const after = { log: "another", sequence: 1_000 };
  const page = buffer.read({ after, limit: 9 });
  assert.deepEqual([messagesOf(page), page.lost], [["line 1", "line 2", "line 3"], 0]);
});

Deno.test("LogBuffer drops the oldest records, and read tells how many were lost", () => {
  const buffer = bufferOf(...numbered(1, 10));
  const { position } = buffer.read({ limit: 1 });
  for (const each of numbered(11, MAX_RECORDS + 30)) buffer.add(each);
  const { records, lost } = buffer.read({ after: position, limit: MAX_RECORDS });
  assert.equal(lost, 20);
  assert.deepEqual([records.length, records[0]!.sequence], [MAX_RECORDS, 31]);
  assert.equal(buffer.read({ limit: MAX_RECORDS }).records.length, MAX_RECORDS);
});

Deno.test("LogBuffer drops the oldest records when all are too large, and shortens each", () => {
  const buffer = bufferOf(...numbered(1, 10));
  const long = "x".repeat(100_000);
  const large = record({ message: [long], rawMessage: long, properties: { long } });
  for (let count = 0; count < 500; count++) buffer.add(large);
  const { records } = buffer.read({ limit: MAX_RECORDS });
  assert.ok(records.length < 200, `${records.length}`);
  const size = records.reduce((sum, each) => sum + JSON.stringify(each).length, 0);
  assert.ok(size < 1.1 * 1024 * 1024, `${size}`);
  assert.match(records[0]!.message, /^x{3900,}\.\.\. \d+ more characters$/);
});

Deno.test("LogBuffer.read filters by level, category, text and age", () => {
  const now = Date.now();
  const buffer = bufferOf(
    record({ level: "debug", message: ["one"] }),
    record({ level: "error", message: ["Two"], category: ["gxensemble", "serverless"] }),
    record({ level: "warning", message: ["three"], category: ["gxensemble", "server", "x"] }),
    record({ message: ["four"], category: ["app"], properties: { peer: "Two" } }),
    record({ message: ["old"], timestamp: now - 60_000, category: ["old"] }),
  );
  const cases: [LogFilter, string[]][] = [
    [{ level: "warning" }, ["Two", "three"]],
    [{ category: "gxensemble.server" }, ["one", "three"]],
    [{ category: "server" }, ["one", "three"]],
    [{ category: "gxensemble" }, ["one", "Two", "three"]],
    [{ text: "two" }, ["Two", "four"]],
    [{ text: "T" }, ["Two", "four"]],
    [{ text: "THREE" }, []],
    [{ age: 30_000 }, ["one", "Two", "three", "four"]],
    [{ level: "error", text: "four" }, []],
  ];
  for (const [filter, expected] of cases) {
    const page = buffer.read({ ...filter, limit: 9 });
    assert.deepEqual(messagesOf(page), expected, JSON.stringify(filter));
  }
});

Deno.test("LogBuffer.wait ends when a record matches, with those that follow at once", async () => {
  const buffer = new LogBuffer();
  const filter = { level: "warning" } as const;
  const signals = [new AbortController().signal];
  let isOver = false;
  const waiting = buffer.wait(filter, { timeout: 60_000, signals }).then(() => isOver = true);
  buffer.add(record());
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(!isOver);
  buffer.add(record({ level: "warning" }));
  buffer.add(record({ level: "error" }));
  await waiting;
  assert.equal(buffer.read({ ...filter, limit: 9 }).records.length, 2);
});

Deno.test("LogBuffer.wait ends after its time, and with its signal", async () => {
  const buffer = new LogBuffer();
  await buffer.wait({}, { timeout: 1, signals: [new AbortController().signal] });
  const abort = new AbortController();
  const waiting = buffer.wait({}, { timeout: 60_000, signals: [abort.signal] });
  abort.abort();
  await waiting;
  await buffer.wait({}, { timeout: 60_000, signals: [abort.signal] });
});

Deno.test("LogBuffer.wait refuses more than 100 readers at once", async () => {
  const buffer = new LogBuffer();
  const abort = new AbortController();
  const options = { timeout: 60_000, signals: [abort.signal] };
  const waiting = Array.from({ length: 100 }, () => buffer.wait({}, options));
  await assert.rejects(() => buffer.wait({}, options), /100 readers wait for records of this log/);
  abort.abort();
  await Promise.all(waiting);
  buffer.add(record());
  await eventually(() => buffer.read({ limit: 1 }).records.length === 1);
});
