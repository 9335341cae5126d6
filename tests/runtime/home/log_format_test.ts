import assert from "node:assert/strict";
import type { LogRecord } from "npm:@logtape/logtape@^2.4.2";
import { hasControls } from "../../../runtime/safe_text.ts";
import { formatRecord } from "../../../runtime/home/log_format.ts";
import { provideLogTrace } from "../../../runtime/home/log_trace.ts";

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A record as text or JSON, without its final newline. */
const formatAsText = (record: LogRecord) => formatRecord(record, "text").slice(0, -1);
const formatAsJson = (record: LogRecord) => formatRecord(record, "json").slice(0, -1);

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

Deno.test("formatRecord as text writes one line: time, level, category, message, properties", () => {
  assert.equal(
    formatAsText(record({ properties: { id: "httpd1", why: "a b", count: 2 } })),
    '2026-01-02T03:04:05.678Z INFO server: started id=httpd1 why="a b" count=2',
  );
  assert.equal(
    formatAsText(record({ level: "warning", category: ["my", "app"] })),
    "2026-01-02T03:04:05.678Z WARN my.app: started",
  );
});

Deno.test("formatRecord as text does not repeat what the message shows", () => {
  assert.equal(
    formatAsText(record({
      message: ["connected to ", "httpd2", ""],
      rawMessage: "connected to {peer}",
      properties: { peer: "httpd2", attempt: 1 },
    })),
    "2026-01-02T03:04:05.678Z INFO server: connected to httpd2 attempt=1",
  );
});

Deno.test("formatRecord as text writes a peer's line breaks and control characters as escapes", () => {
  const id = "a\nb\x1b[2J\x9b\u202e\u2066";
  assert.equal(
    formatAsText(record({
      message: ["bad id ", id, ""],
      rawMessage: "bad id {id}",
      properties: { id, peer: id },
    })),
    String.raw`2026-01-02T03:04:05.678Z INFO server: bad id a\nb\u001b[2J\u009b\u202e\u2066 ` +
      String.raw`peer="a\nb\u001b[2J\u009b\u202e\u2066"`,
  );
});

Deno.test("formatRecord as text quotes values in which something looks like another field", () => {
  const values = ["a b=c", "a\u00a0b", "a\u2800who\ua78aadmin", "", 'a"b', "a@b:c,d.e/f"];
  assert.deepEqual(
    values.map((claimed) => formatAsText(record({ properties: { claimed } })).split("started ")[1]),
    [
      'claimed="a b=c"',
      'claimed="a\u00a0b"',
      'claimed="a\u2800who\ua78aadmin"',
      'claimed=""',
      String.raw`claimed="a\"b"`,
      "claimed=a@b:c,d.e/f",
    ],
  );
});

Deno.test("formatRecord keeps a line short for any values", () => {
  let doubled: unknown[] = [];
  for (let i = 0; i < 60; i++) doubled = [doubled, doubled];
  const numbers = Array.from({ length: 10_000 }, (_, number) => number);
  const wide = Object.fromEntries(numbers.map((number) => [`key${number}`, number]));
  const long = ["x".repeat(20_000_000), 1n << 30_000_000n];
  for (const value of [...long, doubled, { doubled }, numbers, wide, { numbers, wide }]) {
    const shown = record({ message: ["odd ", value, ""], rawMessage: "odd {value}" });
    assert.ok(formatAsText(shown).length < 11_000);
    assert.ok(formatAsText(record({ properties: { value } })).length < 11_000);
    assert.ok(formatAsJson(shown).length < 11_000);
    assert.ok(formatAsJson(record({ properties: { value } })).length < 11_000);
  }
});

/** An error with a stack of one frame. */
function errorAt(message: string, options?: ErrorOptions): Error {
  const error = new RangeError(message, options);
  error.stack = `RangeError: ${message}\n    at sell (file:///shop.ts:3:9)`;
  return error;
}

Deno.test("formatRecord as text writes the stacks of errors and of their causes on lines of their own", () => {
  const error = errorAt("sold out", { cause: errorAt("no stock") });
  const failed = record({
    level: "error",
    message: ["", "shop@s1", " failed: ", "sold out", ""],
    rawMessage: "{actor} failed: {reason}",
    properties: { actor: "shop@s1", reason: "sold out", error, count: 2 },
  });
  assert.deepEqual(formatAsText(failed).split("\n"), [
    "2026-01-02T03:04:05.678Z ERROR server: shop@s1 failed: sold out count=2",
    "    RangeError: sold out",
    "        at sell (file:///shop.ts:3:9)",
    "    Caused by: RangeError: no stock",
    "        at sell (file:///shop.ts:3:9)",
  ]);
});

Deno.test("formatRecord as text keeps an error from imitating a record or controlling a terminal", () => {
  const forged = "2026-01-02T03:04:05.678Z INFO audit: shutdown allowed";
  const error = errorAt(`x\n${forged}\r\u2028\x1b[2J${"y".repeat(1e6)}`);
  const [first, ...others] = formatAsText(record({ properties: { error } })).split("\n");
  assert.equal(first, "2026-01-02T03:04:05.678Z INFO server: started");
  for (const line of others) {
    assert.ok(line.startsWith("    ") && !hasControls(line), line);
  }
  assert.equal(others[1]!.slice(0, forged.length + 4), `    ${forged}`);
  assert.ok(others.join().length < 11_000);
});

Deno.test("formatRecord as text shows errors that cannot be inspected", () => {
  const refuse = () => {
    throw new Error("not to be looked at");
  };
  const hostile = [
    new Proxy(new Error("a"), { get: refuse, getPrototypeOf: refuse }),
    new Proxy(new Error("b"), { get: refuse }),
    Object.defineProperty(new Error("c"), "stack", { get: refuse }),
    Object.assign(new Error("d"), { name: Symbol("e"), stack: undefined }),
  ];
  for (const error of hostile) {
    const shown = record({
      message: ["odd ", error, ""],
      rawMessage: "{error}",
      properties: { error },
    });
    assert.match(formatAsText(shown), / INFO server: odd /);
    assert.equal(JSON.parse(formatAsJson(shown)).level, "INFO");
  }
});

Deno.test("formatRecord writes a line for any record", () => {
  const refuse = () => {
    throw revoked();
  };
  const odd = [
    revoked(),
    { [Symbol.for("Deno.customInspect")]: refuse },
    Object.assign(["word"], { join: refuse }),
    new Proxy(["word"], { get: refuse }),
  ];
  const records = [
    ...odd.map((value) =>
      record({ message: ["", value, ""], properties: { value, all: [value] } })
    ),
    record({ timestamp: NaN }),
    record({ category: ["mine", Symbol() as unknown as string] }),
    record({ properties: Object.defineProperty({}, "a", { enumerable: true, get: refuse }) }),
  ];
  for (const each of records) {
    assert.match(formatRecord(each, "text"), /^\d{4}-.* INFO (?:server: |log: a record of ).*\n$/);
    assert.equal(JSON.parse(formatRecord(each, "json")).level, "INFO");
  }
});

/** A proxy that throws on every operation. */
function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

Deno.test("formatRecord ends with errors that contain each other", () => {
  const error = new AggregateError([]);
  error.errors = Array.from({ length: 30 }, () => error);
  error.cause = error;
  const shown = record({ properties: { error } });
  assert.ok(formatAsText(shown).length < 11_000);
  assert.ok(formatAsJson(shown).length < 70_000);
});

Deno.test("formatRecord as JSON writes one object with the properties as values", () => {
  const json = formatAsJson(record({
    level: "warning",
    category: ["gxensemble", "audit"],
    message: ["", "shutdown", " refused\n"],
    rawMessage: "{what} refused\n",
    properties: {
      what: "shutdown",
      count: 2,
      ratio: NaN,
      capabilities: ["admin", "app:x"],
      bytes: new Uint8Array(2),
      nothing: undefined,
      error: new AggregateError([errorAt("one")], "both", { cause: { code: 5 } }),
    },
  }));
  assert.ok(!json.includes("\n"));
  const { properties: { error, ...properties }, ...fields } = JSON.parse(json);
  assert.deepEqual(fields, {
    time: "2026-01-02T03:04:05.678Z",
    level: "WARN",
    category: "gxensemble.audit",
    message: "shutdown refused\n",
  });
  assert.deepEqual(properties, {
    what: "shutdown",
    count: 2,
    ratio: "NaN",
    capabilities: ["admin", "app:x"],
    bytes: "Uint8Array(2) [ 0, 0 ]",
  });
  const { stack, ...rest } = error;
  assert.match(stack, /^AggregateError: both\n {4}at /);
  const { stack: inner } = errorAt("one");
  assert.deepEqual(rest, {
    name: "AggregateError",
    message: "both",
    cause: { code: 5 },
    errors: [{ name: "RangeError", message: "one", stack: inner }],
  });
});

Deno.test("formatRecord as JSON escapes control characters as JSON does", () => {
  const text = "a\n\x1b[2J\u202e\u{e0041}";
  const json = formatAsJson(record({ properties: { [text]: text } }));
  assert.ok(json.includes(String.raw`a\n\u001b[2J\u202e\udb40\udc41`));
  assert.deepEqual(JSON.parse(json).properties, { [text]: text });
});

Deno.test("formatRecord writes the trace that a record belongs to", () => {
  const trace = { trace_id: "0af7651916cd43dd", span_id: "b7ad6b71", trace_flags: "01" };
  provideLogTrace(() => trace);
  try {
    const made = record({ properties: { id: "httpd1" } });
    assert.match(
      formatAsText(made),
      /: started id=httpd1 trace_id=0af7651916cd43dd span_id=b7ad6b71$/,
    );
    const { trace_id, span_id, trace_flags, properties } = JSON.parse(formatAsJson(made));
    assert.deepEqual({ trace_id, span_id, trace_flags }, trace);
    assert.deepEqual(properties, { id: "httpd1" });
  } finally {
    provideLogTrace(undefined);
  }
  assert.doesNotMatch(formatAsJson(record({})), /trace/);
});
