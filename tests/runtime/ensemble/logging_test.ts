import assert from "node:assert/strict";
import { configure, getLogger, resetSync } from "npm:@logtape/logtape@^2.4.2";
import { startLogging, stopLogging } from "../../../runtime/ensemble/logging.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";

/** Where the default log goes, in a test: a file that is removed, and no log afterwards. */
class LogFile implements Disposable {
  readonly #directory = Deno.makeTempDirSync({ prefix: "gx-" });
  readonly path = `${this.#directory}/my.log`;

  /** The lines, without their times. */
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

Deno.test("startLogging logs from its level on, info where none is given", () => {
  const all = ["DEBUG test: 1", "INFO test: 2", "WARN test: 3", "ERROR test: 4"];
  for (const [index, level] of (["debug", undefined, "warning", "error"] as const).entries()) {
    using file = new LogFile();
    startLogging({ file: file.path, ...level && { level } });
    logAtEveryLevel();
    assert.deepEqual(file.lines, all.slice(index));
  }
});

Deno.test("startLogging appends to its file, and a second call takes the place of the first", () => {
  using file = new LogFile();
  startLogging({ file: file.path, level: "error" });
  logAtEveryLevel();
  startLogging({ file: file.path, level: "warning" });
  logAtEveryLevel();
  stopLogging();
  logAtEveryLevel();
  assert.deepEqual(file.lines, ["ERROR test: 4", "WARN test: 3", "ERROR test: 4"]);
});

Deno.test("startLogging logs what a program logs in categories of its own", () => {
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

Deno.test("startLogging leaves a program alone that configures LogTape, before or later", async () => {
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
    // Neither a server that follows nor the end of the log changes what the program has configured.
    startLogging();
    stopLogging();
    logAtEveryLevel();
    assert.deepEqual(own, ["4", "4"], when);
  }
});

Deno.test("startLogging leaves alone what another copy of LogTape has configured", () => {
  using file = new LogFile();
  // What all copies of LogTape in a process share.
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

Deno.test("startLogging refuses options that mean nothing, and files that cannot be written", () => {
  using file = new LogFile();
  const nowhere = `${file.path}/no/such.log`;
  assert.throws(() => startLogging({ file: nowhere }), /cannot write the log file .*such\.log: /);
  assert.throws(() => startLogging({ level: "loud" as "info" }), /not a log level: "loud"/);
  assert.throws(() => startLogging({ format: "xml" as "json" }), /not a log format: "xml"/);
});

Deno.test("startLogging writes each record at once, to standard error or the server's own file", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stderr } = await ensemble.evaluate(`
    import { getLogger } from "npm:@logtape/logtape@^2.4.2";
    import { startLogging } from "${new URL(
    "../../../runtime/ensemble/logging.ts",
    import.meta.url,
  )}";
    startLogging();
    getLogger("a").info("1");
    startLogging({ file: "-" }, "httpd1");
    getLogger("a").info("2");
    Deno.kill(Deno.pid, "SIGKILL");
  `);
  assert.match(stderr, /^\S+Z INFO a: 1\n$/);
  const log = await Deno.readTextFile(`${ensemble.gerbilPath}/ensemble/server/httpd1/log`);
  assert.match(log, /^\S+Z INFO a: 2\n$/);
});
