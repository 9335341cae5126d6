import assert from "node:assert/strict";
import { StandardStream, writeErrors, writeOutput } from "../../../runtime/home/standard_stream.ts";
import { eventually } from "../server/captured_logs.ts";

/** A reader that takes so many bytes, and then no more until it is told to. */
class Reader {
  text = "";
  room = 0;
  error: Error | undefined;

  writeSync(bytes: Uint8Array): number {
    if (this.error) throw this.error;
    const taken = bytes.subarray(0, this.room);
    if (taken.length === 0) throw new Deno.errors.WouldBlock();
    this.room -= taken.length;
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }
}

Deno.test("StandardStream writes at once what is taken, and the rest in order when the reader goes on", async () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  reader.room = 8;
  assert.equal(stream.write("one\n"), undefined);
  assert.equal(stream.write("two\nthree\n"), undefined);
  assert.equal(reader.text, "one\ntwo\n");
  reader.room = 3;
  assert.equal(stream.write(new TextEncoder().encode("four\n")), undefined);
  await eventually(() => reader.text === "one\ntwo\nthr", "it goes on");
  assert.ok(stream.isWaiting);
  reader.room = Infinity;
  await eventually(() => !stream.isWaiting, "all is written");
  assert.equal(reader.text, "one\ntwo\nthree\nfour\n");
});

Deno.test("StandardStream says what is lost when a write fails, and goes on when it no longer does", () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  reader.error = new Deno.errors.BrokenPipe("gone");
  assert.equal(stream.write("lost\n"), reader.error);
  reader.error = undefined;
  reader.room = Infinity;
  assert.equal(stream.write("kept\n"), undefined);
  assert.equal(reader.text, "kept\n");
});

Deno.test("StandardStream drops what fails while it waits", () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  stream.write("lost\n");
  reader.error = new Deno.errors.BrokenPipe("gone");
  assert.equal(stream.flush(), true);
  assert.equal(stream.isWaiting, false);
});

Deno.test("StandardStream loses what is too much for a reader that has stopped, until all else is written", () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  const line = `${"x".repeat(999_999)}\n`;
  let kept = 0;
  while (stream.write(line) === undefined) kept++;
  assert.equal(kept, 16);
  reader.room = 5 * line.length;
  stream.flush();
  assert.equal(stream.write("lost as well\n")?.message, "nobody reads it");
  reader.room = Infinity;
  stream.flush();
  assert.equal(stream.write("the end\n"), undefined);
  assert.equal(reader.text, `${line.repeat(16)}the end\n`);
});

Deno.test("StandardStream keeps bytes as they were written, in portions, whatever their lengths", () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  let expected = "";
  for (let number = 0; number < 3_000; number++) {
    const text = `${number}${"x".repeat(number % 100)}\n`;
    const bytes = new TextEncoder().encode(text);
    stream.write(bytes);
    bytes.fill(0);
    expected += text;
  }
  stream.write(`${"y".repeat(100_000)}\n`);
  stream.write("z\n");
  for (; stream.isWaiting; stream.flush()) reader.room = 1_234;
  assert.equal(reader.text, `${expected}${"y".repeat(100_000)}\nz\n`);
});

Deno.test("StandardStream waits for a reader that is only slow, and loses nothing", () => {
  const reader = new Reader();
  const stream = new StandardStream({
    writeSync(bytes) {
      // It reads a megabyte each time that it is waited for.
      if (reader.room === 0) {
        reader.room = 1_000_000;
        throw new Deno.errors.WouldBlock();
      }
      return reader.writeSync(bytes);
    },
  });
  const line = `${"x".repeat(999_999)}\n`;
  for (let number = 0; number < 25; number++) assert.equal(stream.write(line), undefined);
  while (stream.isWaiting) stream.flush();
  assert.equal(reader.text.length, 25 * line.length);
});

Deno.test("StandardStream that is disposed of waits for a slow reader, and never writes again", () => {
  const reader = new Reader();
  const stream = new StandardStream({
    writeSync(bytes) {
      if (reader.room > 0 || reader.text === "one\ntwo\n") return reader.writeSync(bytes);
      reader.room = 2;
      throw new Deno.errors.WouldBlock();
    },
  });
  stream.write("one\ntwo\nlost\n");
  stream[Symbol.dispose]();
  assert.equal(reader.text, "one\ntwo\n");
  reader.room = Infinity;
  stream.flush();
  assert.equal(reader.text, "one\ntwo\n");
});

/** Lets a stream fail in each write, while something is done. */
function whileFailing(
  stream: { writeSync(bytes: Uint8Array): number },
  error: Error,
  act: () => void,
): void {
  const { writeSync } = stream;
  stream.writeSync = () => {
    throw error;
  };
  try {
    act();
  } finally {
    stream.writeSync = writeSync;
  }
}

Deno.test("writeOutput throws when the output cannot be written, and not when its reader has gone", () => {
  whileFailing(Deno.stdout, new Error("disk full"), () => {
    assert.throws(() => writeOutput("text"), /the output cannot be written: disk full/);
  });
  whileFailing(Deno.stdout, new Deno.errors.BrokenPipe("gone"), () => writeOutput("text"));
});

Deno.test("writeErrors throws nothing, and says why a text is lost", () => {
  const error = new Error("the terminal has closed");
  whileFailing(Deno.stderr, error, () => assert.equal(writeErrors("text"), error));
});
