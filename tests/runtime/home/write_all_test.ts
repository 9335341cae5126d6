import assert from "node:assert/strict";
import { writeAll } from "../../../runtime/home/write_all.ts";
import { LINUX, testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

const SOURCES = new URL("../../../", import.meta.url).href;

Deno.test("writeAll goes on where a write took only a part", () => {
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

Deno.test("writeAll throws what a write throws", () => {
  const writer = {
    writeSync(): number {
      throw new Deno.errors.BrokenPipe("gone");
    },
  };
  assert.throws(() => writeAll(writer, new Uint8Array(1)), Deno.errors.BrokenPipe);
});

/**
 * Runs statements in a process whose standard output, or standard error, is a non-blocking pipe. The pipe is
 * read when it has been full once, of which the other of the two tells.
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

/** Passes so many bytes on, and then says that it is the end. */
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
  name: "writeAll writes nothing twice when a pipe takes a line and not the beginning of the next",
  async fn() {
    // The 16 pages of a pipe: 15 full ones, then 100 bytes, a line that fits behind them, and more.
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
