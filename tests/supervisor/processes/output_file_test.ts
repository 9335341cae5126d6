import assert from "node:assert/strict";
import { OutputFile, type OutputPosition } from "../../../supervisor/processes/output_file.ts";
import { LINUX, ROOT, testWith } from "../../requirements.ts";
import { CapturedLogs } from "../../runtime/server/captured_logs.ts";

/** Output in a directory of its own. */
class TestOutput implements Disposable {
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });
  readonly file = new OutputFile(this.directory);

  /** Appends text, as a process does. */
  write(text: string): void {
    Deno.writeTextFileSync(this.file.prepare(), text, { append: true });
  }

  /** The names of the files. */
  get names(): string[] {
    return [...Deno.readDirSync(this.directory)].map(({ name }) => name).sort();
  }

  /** Reads text. */
  async read(query: Parameters<OutputFile["read"]>[0] = {}): Promise<Read> {
    const { bytes, position, lost } = await this.file.read(query);
    return { text: new TextDecoder().decode(bytes), position, lost };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

interface Read {
  text: string;
  position: OutputPosition;
  lost: boolean;
}

const KEEP_TWO = { size: 10, keep: 2 };

Deno.test("OutputFile reads the last lines", async () => {
  using output = new TestOutput();
  assert.equal((await output.read()).text, "");
  output.write("one\ntwo\nthree\n");
  assert.equal((await output.read({ lines: 2 })).text, "two\nthree\n");
  assert.equal((await output.read({ lines: 9 })).text, "one\ntwo\nthree\n");
  assert.equal((await output.read({ lines: 0 })).text, "");
  output.write("unfinished");
  assert.equal((await output.read({ lines: 2 })).text, "three\nunfinished");
  assert.equal((await output.read({ lines: 9, limit: 4 })).text, "shed");
});

Deno.test("OutputFile rotates when it has reached its size, and keeps some older files", async () => {
  using output = new TestOutput();
  output.write("short\n");
  await output.file.rotate(KEEP_TWO);
  assert.deepEqual(output.names, ["output.log"]);
  for (const word of ["first", "second", "third"]) {
    output.write(`${word}, long enough\n`);
    await output.file.rotate(KEEP_TWO);
  }
  assert.deepEqual(output.names, ["output.log", "output.log.2", "output.log.3"]);
  output.write("now\n");
  assert.equal(
    (await output.read({ lines: 3 })).text,
    "second, long enough\n",
  );
});

Deno.test("OutputFile goes on after a position across rotations", async () => {
  using output = new TestOutput();
  output.write("first part\n");
  let { position } = await output.read();
  let text = "";
  const readOn = async () => {
    const part = await output.read({ after: position });
    assert.equal(part.lost, false);
    text += part.text;
    position = part.position;
  };
  output.write("a, ");
  await output.file.rotate(KEEP_TWO);
  output.write("b, which is longer, ");
  await output.file.rotate(KEEP_TWO);
  output.write("c");
  for (let count = 0; count < 4; count++) await readOn();
  assert.equal(text, "a, b, which is longer, c");
  output.write(", d");
  await readOn();
  assert.equal(text, "a, b, which is longer, c, d");
});

Deno.test("OutputFile says when output was dropped before it was read", async () => {
  using output = new TestOutput();
  output.write("first, long enough\n");
  const { position } = await output.read();
  for (const word of ["second", "third", "fourth"]) {
    await output.file.rotate(KEEP_TWO);
    output.write(`${word}, long enough\n`);
  }
  await output.file.rotate(KEEP_TWO);
  const part = await output.read({ after: position });
  assert.deepEqual([part.text, part.lost], ["third, long enough\n", true]);
  const next = await output.read({ after: part.position });
  assert.deepEqual([next.text, next.lost], ["fourth, long enough\n", false]);
});

Deno.test("OutputFile says when something else has emptied the file", async () => {
  using output = new TestOutput();
  output.write("first line\n");
  const { position } = await output.read();
  Deno.truncateSync(output.file.path);
  output.write("new\n");
  const { text, lost } = await output.read({ after: position });
  assert.deepEqual([text, lost], ["new\n", true]);
});

Deno.test("OutputFile keeps no older output when none is asked for", async () => {
  using output = new TestOutput();
  output.write("first, long enough\n");
  const { position } = await output.read({ lines: 0 });
  await output.file.rotate({ size: 10, keep: 0 });
  output.write("second, long enough\n");
  await output.file.rotate({ size: 10, keep: 0 });
  output.write("third\n");
  assert.equal((await output.read()).text, "third\n");
  const { text, lost } = await output.read({ after: position });
  assert.deepEqual([text, lost], ["third\n", true]);
});

Deno.test("OutputFile keeps the last part of output that grows faster than it can be copied", async () => {
  using output = new TestOutput();
  output.write("first\n");
  const { position } = await output.read();
  Deno.truncateSync(output.file.path, 80 << 20);
  output.write("\nlast\n");
  await output.file.rotate(KEEP_TWO);
  const [, older] = output.names;
  assert.equal(Deno.statSync(`${output.directory}/${older}`).size, 64 << 20);
  assert.equal((await output.read({ lines: 1 })).text, "last\n");
  assert.equal((await output.read({ after: position })).lost, true);
});

Deno.test("OutputFile waits for output", async () => {
  using output = new TestOutput();
  output.write("first\n");
  const { position } = await output.read();
  const waiting = output.read({ after: position, wait: 60_000 });
  output.write("second\n");
  assert.equal((await waiting).text, "second\n");
  const end = new AbortController();
  const ended = output.read({ wait: 60_000, lines: 0, signal: end.signal });
  end.abort();
  assert.equal((await ended).text, "");
});

testWith([LINUX, ROOT, "mount"], {
  name: "OutputFile reports once that the disk is full, and that it has space again",
  async fn() {
    using output = new TestOutput();
    const mounted = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=128k", "tmpfs", output.directory],
    }).output();
    assert.ok(mounted.success, new TextDecoder().decode(mounted.stderr));
    try {
      using logs = await CapturedLogs.start();
      const limit = { size: 1 << 20, keep: 5 };
      const other = `${output.directory}/other`;
      output.write("first\n");
      await output.file.rotate(limit);
      Deno.writeFileSync(other, new Uint8Array(124 * 1024));
      for (let look = 0; look < 3; look++) await output.file.rotate(limit);
      Deno.removeSync(other);
      await output.file.rotate(limit);
      assert.deepEqual(logs.lines, [
        `ERROR supervisor: output of a server is lost: the disk of ${output.file.path} is full; make space there`,
        `INFO supervisor: the disk of ${output.file.path} has space again`,
      ]);
    } finally {
      await new Deno.Command("umount", { args: [output.directory] }).output();
    }
  },
});

testWith([LINUX, ROOT, "mount"], {
  name: "OutputFile removes older output when the disk is full, and drops the rest at last",
  async fn() {
    using output = new TestOutput();
    const mounted = await new Deno.Command("mount", {
      args: ["-t", "tmpfs", "-o", "size=128k", "tmpfs", output.directory],
    }).output();
    assert.ok(mounted.success, new TextDecoder().decode(mounted.stderr));
    try {
      const size = 36 * 1024;
      const limit = { size, keep: 5 };
      output.write("x".repeat(size));
      await output.file.rotate(limit);
      output.write("y".repeat(size));
      await output.file.rotate(limit);
      assert.deepEqual(output.names, ["output.log", "output.log.1", "output.log.2"]);
      // There is space for one more, and not for its copy.
      output.write("z".repeat(size));
      await output.file.rotate(limit);
      assert.deepEqual(output.names, ["output.log", "output.log.2", "output.log.3"]);
      // Now nothing older would make enough space.
      await output.file.rotate({ size: 0, keep: 2 });
      Deno.writeFileSync(`${output.directory}/other`, new Uint8Array(44 * 1024));
      output.write("w".repeat(size));
      await output.file.rotate({ size, keep: 2 });
      assert.equal(Deno.statSync(output.file.path).size, 0);
      output.write("\ngoes on\n");
      assert.equal((await output.read({ lines: 1 })).text, "goes on\n");
    } finally {
      await new Deno.Command("umount", { args: [output.directory] }).output();
    }
  },
});
