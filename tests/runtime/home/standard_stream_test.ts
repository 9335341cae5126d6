import assert from "node:assert/strict";
import {
  StandardStream,
  writeAll,
  writeErrors,
  writeOutput,
} from "../../../runtime/home/standard_stream.ts";
import { LINUX, testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { eventually } from "../server/captured_logs.ts";

/** A reader that accepts a number of bytes, and then no more until told to. */
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

Deno.test("StandardStream writes what is accepted at once, and the rest in order when the reader continues", async () => {
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

Deno.test("StandardStream reports lost output when a write fails, and continues afterwards", () => {
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

Deno.test("StandardStream drops output beyond its buffer for a stopped reader, until the buffer is written", () => {
  const reader = new Reader();
  const stream = new StandardStream(reader);
  const line = `${"x".repeat(999_999)}\n`;
  let kept = 0;
  while (stream.write(line) === undefined) kept++;
  assert.equal(kept, 16);
  reader.room = 5 * line.length;
  stream.flush();
  assert.equal(stream.write("lost as well\n")?.message, "the reader does not read");
  reader.room = Infinity;
  stream.flush();
  assert.equal(stream.write("the end\n"), undefined);
  assert.equal(reader.text, `${line.repeat(16)}the end\n`);
});

Deno.test("StandardStream keeps bytes in order, in portions of any length", () => {
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

Deno.test("StandardStream waits for a slow reader, and loses nothing", () => {
  const reader = new Reader();
  const stream = new StandardStream({
    writeSync(bytes) {
      // It reads a megabyte at each wait.
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

Deno.test("StandardStream waits for a slow reader when disposed, and never writes again", () => {
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

/** Makes every write of a stream fail during an action. */
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

Deno.test("writeOutput throws when the output cannot be written, but not when its reader has stopped", () => {
  whileFailing(Deno.stdout, new Error("disk full"), () => {
    assert.throws(() => writeOutput("text"), /cannot write the output: disk full/);
  });
  whileFailing(Deno.stdout, new Deno.errors.BrokenPipe("gone"), () => writeOutput("text"));
});

Deno.test("writeErrors does not throw, and says why a text is lost", () => {
  const error = new Error("the terminal has closed");
  whileFailing(Deno.stderr, error, () => assert.equal(writeErrors("text"), error));
});

const SOURCES = new URL("../../../", import.meta.url).href;

Deno.test("writeAll continues after a partial write", () => {
  const written: number[] = [];
  const bytes = Uint8Array.from({ length: 10 }, (_, index) => index);
  const writer = {
    writeSync(part: Uint8Array): number {
      assert.ok(written.length < bytes.length, "it goes on for ever");
      written.push(...part.subarray(0, 3));
      return Math.min(part.length, 3);
    },
  };
  writeAll(writer, bytes);
  assert.deepEqual(written, [...bytes]);
});

Deno.test("writeAll throws the error of a write", () => {
  const writer = {
    writeSync(): number {
      throw new Deno.errors.BrokenPipe("gone");
    },
  };
  assert.throws(() => writeAll(writer, new Uint8Array(1)), Deno.errors.BrokenPipe);
});

/**
 * Runs statements in a process whose standard output, or standard error, is a non-blocking pipe.
 * The pipe is read once it has been full, which the other of the two streams reports.
 */
async function throughNonBlockingPipe(
  name: "stdout" | "stderr",
  statements: string,
): Promise<string> {
  using ensemble = new TemporaryEnsemble();
  const [descriptor, other] = name === "stdout" ? [1, "stderr"] as const : [2, "stdout"] as const;
  const child = ensemble.command(
    "eval",
    `
      const { symbols: { fcntl } } = Deno.dlopen("libc.so.6", {
        fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
      });
      const [F_SETFL, O_WRONLY, O_NONBLOCK] = [4, 1, 0o4000];
      if (fcntl(${descriptor}, F_SETFL, O_WRONLY | O_NONBLOCK) !== 0) throw new Error("fcntl");
      const { writeSync } = Deno.${name};
      let wasFull = false;
      Deno.${name}.writeSync = (bytes) => {
        try {
          return writeSync.call(Deno.${name}, bytes);
        } catch (error) {
          if (!wasFull) Deno.${other}.writeSync(new TextEncoder().encode("full"));
          wasFull = true;
          throw error;
        }
      };
      ${statements}
    `,
  ).spawn();
  const signal = await new Response(child[other].pipeThrough(firstBytes(4))).text();
  assert.equal(signal, "full");
  const text = await new Response(child[name]).text();
  assert.equal((await child.status).code, 0);
  return text;
}

/** Passes a number of bytes on, and then reports the end. */
function firstBytes(count: number): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk.subarray(0, count));
      count -= chunk.length;
      if (count <= 0) controller.terminate();
    },
  });
}

const LINES = Array.from({ length: 30_000 }, (_, number) => `line ${number}`);

testWith([LINUX], {
  name: "printLine and printText write everything to a non-blocking pipe",
  async fn() {
    const text = await throughNonBlockingPipe(
      "stdout",
      `
        const { printLine, printText } = await import("${SOURCES}cli/kit/output.ts");
        printLine("x".repeat(300_000));
        printText(Array.from({ length: 30_000 }, (_, number) => "line " + number + "\\n").join(""));
        for (let number = 0; number < 30_000; number++) printLine("line " + number);
      `,
    );
    assert.deepEqual(text.split("\n"), ["x".repeat(300_000), ...LINES, ...LINES, ""]);
  },
});

testWith([LINUX], {
  name: "writeAll repeats nothing when a pipe takes a line but not the start of the next",
  async fn() {
    // The 16 pages of a pipe: 15 full ones, then 100 bytes, a line that fits after them, and more.
    const text = await throughNonBlockingPipe(
      "stdout",
      `
        const { printText } = await import("${SOURCES}cli/kit/output.ts");
        printText(("x".repeat(4095) + "\\n").repeat(15));
        printText("a".repeat(99) + "\\n");
        printText("b".repeat(3989) + "\\n" + "c".repeat(5000) + "\\n");
      `,
    );
    const lengths = text.split("\n").map((line) => `${line[0] ?? ""}${line.length}`);
    assert.deepEqual(lengths, [...Array(15).fill("x4095"), "a99", "b3989", "c5000", "0"]);
  },
});

testWith([LINUX], {
  name: "printNotice and the log write everything to a non-blocking pipe",
  async fn() {
    const text = await throughNonBlockingPipe(
      "stderr",
      `
        const { printNotice } = await import("${SOURCES}cli/kit/output.ts");
        const { startLogging } = await import("${SOURCES}runtime/home/logging.ts");
        const { getLogger } = await import("npm:@logtape/logtape@^2.4.2");
        startLogging();
        for (let number = 0; number < 30_000; number++) {
          if (number % 2 === 0) printNotice("line " + number);
          else getLogger("test").info("line " + number);
        }
      `,
    );
    const lines = text.split("\n").map((line) => line.replace(/^\S+ INFO test: /, ""));
    assert.deepEqual(lines, [...LINES, ""]);
  },
});
