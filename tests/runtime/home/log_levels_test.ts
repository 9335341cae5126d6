import assert from "node:assert/strict";
import { configureSync, getLogger, resetSync } from "npm:@logtape/logtape@^2.4.2";
import {
  changeLogLevel,
  findCategory,
  logLevels,
  restoreLogLevel,
  restoreLogLevels,
} from "../../../runtime/home/log_levels.ts";
import { attachSink, detachSink } from "../../../runtime/home/root_logger.ts";
import { eventually } from "../server/captured_logs.ts";

/** Records that reach the root logger, as `category level`. */
class Reached implements Disposable {
  readonly #lines: string[] = [];
  readonly #sink = ({ category, level }: { category: readonly string[]; level: string }) =>
    void this.#lines.push(`${category.join(".")} ${level}`);

  constructor() {
    attachSink(this.#sink, { level: "info" });
  }

  /** Those of one record of each level and category. */
  of(...categories: string[]): string[] {
    this.#lines.length = 0;
    for (const category of categories) {
      const logger = getLogger(category.split(".") as [string]);
      logger.debug("text");
      logger.info("text");
      logger.error("text");
    }
    return [...this.#lines];
  }

  [Symbol.dispose](): void {
    restoreLogLevels();
    detachSink(this.#sink);
    resetSync();
  }
}

Deno.test("changeLogLevel changes a category and those below it, and no other", () => {
  using reached = new Reached();
  changeLogLevel("levels.db", { level: "debug" });
  assert.deepEqual(reached.of("levels", "levels.db.pool"), [
    "levels info",
    "levels error",
    "levels.db.pool debug",
    "levels.db.pool info",
    "levels.db.pool error",
  ]);
  changeLogLevel("levels.db.pool", { level: "error" });
  assert.deepEqual(reached.of("levels.db.pool"), ["levels.db.pool error"]);
  restoreLogLevel("levels.db");
  assert.deepEqual(reached.of("levels.db"), ["levels.db info", "levels.db error"]);
  restoreLogLevel("levels.db.pool");
  assert.deepEqual(reached.of("levels.db.pool"), ["levels.db.pool info", "levels.db.pool error"]);
});

Deno.test("changeLogLevel without a category changes all that have no level of their own", () => {
  using reached = new Reached();
  changeLogLevel("levels.quiet", { level: "error" });
  changeLogLevel("", { level: "debug" });
  assert.deepEqual(reached.of("levels.quiet", "levels"), [
    "levels.quiet error",
    "levels debug",
    "levels info",
    "levels error",
  ]);
  restoreLogLevel("");
  assert.deepEqual(reached.of("levels"), ["levels info", "levels error"]);
});

Deno.test("changeLogLevel ends after its time, and goes back to what was before all changes", async () => {
  using reached = new Reached();
  let ended = 0;
  changeLogLevel("levels", { level: "error", duration: 60_000 });
  changeLogLevel("levels", { level: "debug", duration: 1, onEnd: () => ended++ });
  const [change] = logLevels().filter(({ category }) => category === "levels");
  assert.equal(change?.level, "debug");
  assert.equal(change.before, "info");
  assert.ok(change.until! <= Date.now() + 1);
  await eventually(() => ended === 1);
  assert.deepEqual(reached.of("levels"), ["levels info", "levels error"]);
  assert.ok(!logLevels().some(({ category }) => category === "levels"));
});

Deno.test("changeLogLevel works where the program has configured LogTape, whose later call wins", () => {
  using reached = new Reached();
  const configured = (lowestLevel: "info" | "error") =>
    configureSync({
      reset: true,
      sinks: {},
      loggers: [
        { category: "levels", lowestLevel },
        { category: ["logtape", "meta"], lowestLevel: "error" },
      ],
    });
  configured("info");
  changeLogLevel("levels", { level: "debug" });
  assert.equal(logLevels().find(({ category }) => category === "levels")?.before, "info");
  configured("error");
  assert.equal(restoreLogLevel("levels"), false);
  assert.deepEqual(logLevels().filter(({ category }) => category === "levels"), [
    { category: "levels", level: "error" },
  ]);
  assert.deepEqual(reached.of("levels"), []);
});

Deno.test("changeLogLevel refuses more than 100 categories", () => {
  using _reached = new Reached();
  for (let count = 0; count < 100; count++) {
    changeLogLevel(`levels.many.${count}`, { level: "debug" });
  }
  assert.throws(
    () => changeLogLevel("levels.many.100", { level: "debug" }),
    /the levels of 100 categories are changed/,
  );
  changeLogLevel("levels.many.99", { level: "info" });
});

Deno.test("findCategory finds the runtime's own categories without their first part", () => {
  const loggers = [getLogger(["gxensemble", "levels-own"]), getLogger(["levels-app"])];
  assert.deepEqual(findCategory("levels-own"), {
    category: "gxensemble.levels-own",
    exists: true,
  });
  assert.deepEqual(findCategory("levels-app"), { category: "levels-app", exists: true });
  assert.deepEqual(findCategory("levels-no"), { category: "levels-no", exists: false });
  assert.deepEqual(findCategory(""), { category: "", exists: true });
  assert.equal(loggers.length, 2);
});
