import assert from "node:assert/strict";
import { existsSync, statSync } from "node:fs";
import { configure, getLogger, resetSync } from "npm:@logtape/logtape@^2.4.2";
import { reopenLog, startLogging, stopLogging } from "../../../runtime/home/logging.ts";
import { LINUX, MOUNTS, testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { eventually } from "../server/captured_logs.ts";

const LOGGING = new URL("../../../runtime/home/logging.ts", import.meta.url).href;
const PATHS = new URL("../../../runtime/home/paths.ts", import.meta.url).href;

/** A destination for the log of a test: a file that is removed, and no log afterwards. */
class LogFile implements Disposable {
  readonly #directory = Deno.makeTempDirSync({ prefix: "gx-" });
  readonly path = `${this.#directory}/my.log`;

  /** The lines without their times. */
  get lines(): string[] {
    const text = Deno.readTextFileSync(this.path);
    return text.split("\n").slice(0, -1).map((line) => line.replace(/^\S+Z /, ""));
  }

  [Symbol.dispose](): void {
    stopLogging();
    resetSync();
    Deno.removeSync(this.#directory, { recursive: true });
  }
}

function logAtEveryLevel(): void {
  const logger = getLogger(["gxensemble", "test"]);
  logger.debug("1");
  logger.info("2");
  logger.warn("3");
  logger.error("4");
}

Deno.test("startLogging logs from its level on, by default info", () => {
  const all = ["DEBUG test: 1", "INFO test: 2", "WARN test: 3", "ERROR test: 4"];
  for (const [index, level] of (["debug", undefined, "warning", "error"] as const).entries()) {
    using file = new LogFile();
    startLogging({ file: file.path, ...level && { level } });
    logAtEveryLevel();
    assert.deepEqual(file.lines, all.slice(index));
  }
});

Deno.test("startLogging appends to its file, and a second call replaces the first", () => {
  using file = new LogFile();
  startLogging({ file: file.path, level: "error" });
  logAtEveryLevel();
  startLogging({ file: file.path, level: "warning" });
  logAtEveryLevel();
  stopLogging();
  logAtEveryLevel();
  assert.deepEqual(file.lines, ["ERROR test: 4", "WARN test: 3", "ERROR test: 4"]);
});

Deno.test("startLogging logs a program's own categories", () => {
  using file = new LogFile();
  startLogging({ file: file.path, format: "json" });
  getLogger(["my", "app"]).info("sold {count}", { count: 2 });
  const { time: _, ...fields } = JSON.parse(file.lines[0]!);
  assert.deepEqual(fields, {
    level: "INFO",
    category: "my.app",
    message: "sold 2",
    properties: { count: 2 },
  });
});

Deno.test("startLogging does not interfere with a program that configures LogTape, before or later", async () => {
  for (const when of ["before", "later"]) {
    using file = new LogFile();
    const own: string[] = [];
    const configured = () =>
      configure({
        sinks: { own: ({ rawMessage }) => void own.push(String(rawMessage)) },
        loggers: [
          { category: [], lowestLevel: "error", sinks: ["own"] },
          { category: ["logtape", "meta"], sinks: [] },
        ],
      });
    if (when === "before") await configured();
    startLogging({ file: file.path });
    if (when === "later") {
      logAtEveryLevel();
      assert.equal(file.lines.length, 3);
      await configured();
    }
    logAtEveryLevel();
    assert.deepEqual(own, ["4"], when);
    // Neither a later server nor the end of the log changes the program's configuration.
    startLogging();
    stopLogging();
    logAtEveryLevel();
    assert.deepEqual(own, ["4", "4"], when);
  }
});

Deno.test("startLogging does not interfere with a configuration from another copy of LogTape", () => {
  using file = new LogFile();
  // The state that all copies of LogTape in a process share.
  const state = (globalThis as Record<symbol, unknown>)[Symbol.for("logtape.inspectionState")] as {
    configured: boolean;
  };
  state.configured = true;
  try {
    startLogging({ file: file.path });
    assert.throws(() => Deno.statSync(file.path), Deno.errors.NotFound);
  } finally {
    state.configured = false;
  }
});

Deno.test("startLogging refuses options without meaning, and files that cannot be written", () => {
  using file = new LogFile();
  const nowhere = `${file.path}/no/such.log`;
  assert.throws(() => startLogging({ file: nowhere }), /cannot write the log file .*such\.log: /);
  assert.throws(() => startLogging({ level: "loud" as "info" }), /not a log level: "loud"/);
  assert.throws(() => startLogging({ format: "xml" as "json" }), /not a log format: "xml"/);
});

Deno.test("startLogging writes each record at once, to standard error or the server's own file", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stdout, stderr } = await ensemble.evaluate(`
    import { getLogger } from "npm:@logtape/logtape@^2.4.2";
    import { findPlaces } from "${PATHS}";
    import { startLogging } from "${LOGGING}";
    startLogging();
    getLogger("a").info("1");
    startLogging({ file: "-" }, findPlaces().server("httpd1"));
    getLogger("a").info("2");
    Deno.env.set("GERBIL_PATH", "/dev/null");
    try {
      startLogging({ file: "-" }, findPlaces().server("httpd1"));
    } catch ({ name, message }) {
      console.log(name, message);
    }
    Deno.kill(Deno.pid, "SIGKILL");
  `);
  assert.match(stderr, /^\S+Z INFO a: 1\n$/);
  assert.match(stdout, /^EnsembleError cannot write the log file \/dev\/null\/ensemble\/.*\/log: /);
  const log = await Deno.readTextFile(`${ensemble.gerbilPath}/ensemble/server/httpd1/log`);
  assert.match(log, /^\S+Z INFO a: 2\n$/);
});

Deno.test("reopenLog continues in a new file of the same mode after the log was renamed", () => {
  using file = new LogFile();
  const logger = getLogger("a");
  startLogging({ file: file.path });
  logger.info("1");
  Deno.renameSync(file.path, `${file.path}.1`);
  logger.info("2");
  reopenLog();
  logger.info("3");
  assert.deepEqual(file.lines, ["INFO a: 3"]);
  assert.equal(Deno.statSync(file.path).mode! & 0o777, 0o600);
  assert.match(Deno.readTextFileSync(`${file.path}.1`), / INFO a: 1\n\S+Z INFO a: 2\n$/);
});

Deno.test("reopenLog keeps the old log when it fails", () => {
  using file = new LogFile();
  const logger = getLogger("a");
  startLogging({ file: file.path });
  Deno.renameSync(file.path, `${file.path}.1`);
  Deno.mkdirSync(file.path);
  assert.throws(() => reopenLog(), /cannot write the log file .*my\.log: Is a directory/);
  logger.info("1");
  assert.match(Deno.readTextFileSync(`${file.path}.1`), / INFO a: 1\n$/);
  Deno.removeSync(file.path);
});

for (const format of ["text", "json"] as const) {
  testWith([LINUX], {
    name: `a log in ${format} reports how many lines it lost, once it can write again`,
    fn() {
      using file = new LogFile();
      const logger = getLogger("a");
      Deno.symlinkSync("/dev/full", file.path);
      startLogging({ file: file.path, format });
      logger.info("1");
      logger.info("2");
      logger.error("3", { error: Object.assign(new Error("bad"), { stack: "Error: bad" }) });
      Deno.removeSync(file.path);
      reopenLog();
      logger.info("4");
      logger.info("5");
      const lines = file.lines.map((line) => line.replace(/since \S+:/, "since then:"));
      const reason = "No space left on device (os error 28)";
      if (format === "text") {
        const loss = `WARN log: 4 lines were lost since then: ${reason}`;
        assert.deepEqual(lines, [loss, "INFO a: 4", "INFO a: 5"]);
      } else {
        const [loss, ...rest] = lines.map((line) => JSON.parse(line));
        assert.equal(loss.message, `3 lines were lost since then: ${reason}`);
        assert.equal(loss.properties.lines, 3);
        assert.deepEqual(rest.map(({ message }) => message), ["4", "5"]);
      }
    },
  });
}

testWith([MOUNTS], {
  name: "a log continues on a new line after the disk was full",
  async fn() {
    using ensemble = new TemporaryEnsemble();
    const disk = `${ensemble.directory}/disk`;
    Deno.mkdirSync(disk);
    const program = `
      import { getLogger } from "npm:@logtape/logtape@^2.4.2";
      import { startLogging } from "${LOGGING}";
      startLogging({ file: "${disk}/log" });
      Deno.writeFileSync("${disk}/other", new Uint8Array(12_000));
      for (let number = 0; number < 100; number++) getLogger("a").info("{number}" + "x".repeat(100), { number });
      Deno.removeSync("${disk}/other");
      getLogger("a").info("the end");
      console.log(Deno.readTextFileSync("${disk}/log"));
    `;
    const mounted = 'mount -t tmpfs -o size=16k none "$0" && exec "$@"';
    const { stdout } = await ensemble
      .external("unshare", "--mount", "sh", "-c", mounted, disk, Deno.execPath(), "eval", program)
      .output();
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    const [torn, loss, end] = lines.splice(-3);
    assert.ok(lines.length > 0);
    for (const [number, line] of lines.entries()) {
      assert.ok(line.endsWith(` INFO a: ${number}${"x".repeat(100)}`), line);
    }
    assert.doesNotMatch(torn!, /x{100}$/);
    const lost = 100 - lines.length;
    assert.match(loss!, new RegExp(` WARN log: ${lost} lines were lost since \\S+: No space left`));
    assert.match(end!, / INFO a: the end$/);
  },
});

testWith([LINUX, "mkfifo"], {
  name: "a log on a pipe needs a reader, does not wait for it, and loses nothing",
  async fn() {
    using file = new LogFile();
    await new Deno.Command("mkfifo", { args: [file.path] }).output();
    const start = () => startLogging({ file: file.path });
    assert.throws(start, /cannot write the log file .*my\.log: it is a pipe without a reader/);
    // Both ends, since one cannot be opened without the other.
    using reader = Deno.openSync(file.path, { read: true, write: true });
    start();
    const count = 2_000;
    for (let number = 0; number < count; number++) {
      getLogger("a").info("{number}", { number, text: "x".repeat(100) });
    }
    const decoder = new TextDecoder();
    const bytes = new Uint8Array(65_536);
    let text = "";
    while (text.split("\n").length <= count) {
      const length = await reader.read(bytes);
      text += decoder.decode(bytes.subarray(0, length!));
    }
    const lines = text.trimEnd().split("\n").map((line) => line.replace(/^\S+Z /, ""));
    const expected = Array.from(
      { length: count },
      (_, number) => `INFO a: ${number} text=${"x".repeat(100)}`,
    );
    assert.deepEqual(lines, expected);
  },
});

testWith([LINUX, "mkfifo"], {
  name: "a log on a pipe is read to its end when another replaces it",
  async fn() {
    using file = new LogFile();
    await new Deno.Command("mkfifo", { args: [file.path] }).output();
    // Both ends, so that the log finds a reader before `cat` starts.
    const both = Deno.openSync(file.path, { read: true, write: true });
    startLogging({ file: file.path });
    const copy = `${file.path}.copy`;
    const reader = new Deno.Command("sh", {
      args: ["-c", 'cat "$1" >"$2"', "sh", file.path, copy],
    }).spawn();
    getLogger("a").info("first");
    const isRead = () => existsSync(copy) && statSync(copy).size > 0;
    await eventually(isRead, "the pipe is read");
    const [text, count] = ["x".repeat(999_999), 2];
    for (let number = 0; number < count; number++) getLogger("a").info(text);
    reopenLog();
    stopLogging();
    both.close();
    await reader.status;
    assert.equal(Deno.readTextFileSync(copy).split(`${text}\n`).length - 1, count);
  },
});
