import assert from "node:assert/strict";
import { CTRL_C, Terminal } from "../terminal.ts";
import { eventually } from "../runtime/server/captured_logs.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

/** A program that logs what it is told by `eval`. */
const LOGGING = `
  import { currentServer } from "@gxensemble/ensemble";
  import { getLogger } from "npm:@logtape/logtape@^2.4.2";
  globalThis.log = (level, text, category = "app") =>
    void getLogger(category.split("."))[level](text);
  export const main = () => currentServer().stopped;
`;

const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /;

/** The lines without times, from the one on that says that the server is in the registry. */
function withoutTimes(lines: readonly string[]): string[] {
  const first = lines.findLastIndex((line) => line.includes("is in the registry"));
  return lines.slice(first + 1).map((line) => line.replace(TIME, ""));
}

/** Starts a server that logs to a file, and waits until it can be told what to log. */
async function startLogging(
  ensemble: RunningEnsemble,
  id: string,
  ...options: string[]
): Promise<RunningProcess> {
  const file = await ensemble.write(`${id}/main.js`, LOGGING);
  const server = ensemble.spawn(
    "run",
    "--log-file",
    ensemble.path(`${id}.log`),
    ...options,
    id,
    file,
  );
  const isReady = async () => (await ensemble.run("eval", id, "log('debug', '')")).code === 0;
  await server.until(isReady, `${id} ready`);
  return server;
}

/** Has a server log. */
async function log(ensemble: RunningEnsemble, server: string, ...args: string[]): Promise<void> {
  const list = args.map((arg) => JSON.stringify(arg)).join(", ");
  await ensemble.lines("eval", server, `log(${list})`);
}

/** Has a server log until a command that follows it prints something. */
async function follows(logs: RunningProcess, work: () => Promise<void>): Promise<void> {
  await logs.until(async () => {
    await work();
    return logs.output.length > 0;
  }, "following");
}

/** Waits until a command prints a matching line. */
async function prints({ output }: RunningProcess, pattern: RegExp): Promise<void> {
  await eventually(() => output.some((line) => pattern.test(line)), `${pattern}`);
}

Deno.test("logs prints the last lines of a server's log, as its file has them, and filters them", async () => {
  await using ensemble = await RunningEnsemble.start();
  await startLogging(ensemble, "a");
  await log(ensemble, "a", "info", "one");
  await log(ensemble, "a", "error", "two", "app.db");
  await log(ensemble, "a", "warn", "Three\n\x1b[2J");
  const file = Deno.readTextFileSync(ensemble.path("a.log")).trimEnd().split("\n");
  const lines = await ensemble.lines("logs", "a");
  assert.deepEqual(lines, file);
  assert.deepEqual(withoutTimes(lines), [
    "INFO app: one",
    "ERROR app.db: two",
    String.raw`WARN app: Three\n\u001b[2J`,
  ]);
  const filtered = async (...options: string[]) =>
    withoutTimes(await ensemble.lines("logs", ...options, "a"))
      .map((line) => /: (\w+)/.exec(line)![1]);
  assert.deepEqual(await filtered("-n", "2"), ["two", "Three"]);
  assert.deepEqual(await filtered("-n", "0"), []);
  assert.deepEqual(await filtered("--level", "WARN"), ["two", "Three"]);
  assert.deepEqual(await filtered("--category", "app.db", "--since", "1d"), ["two"]);
  const wrong = await ensemble.run("logs", "--since", "tomorrow", "a");
  assert.equal(wrong.code, 2);
  assert.match(
    wrong.stderr,
    /not a time in the past, such as 10m or 2026-01-02T03:04:05Z: "tomorrow"/,
  );
  assert.deepEqual(await filtered("--grep", "three"), ["Three"]);
  assert.deepEqual(await filtered("--grep", "/^t[wh]/i", "-n", "1"), ["Three"]);
  const [json] = await ensemble.lines("logs", "--json", "--grep", "two", "a");
  const { time, sequence, ...record } = JSON.parse(json!);
  assert.match(`${time} `, TIME);
  assert.equal(sequence, lines.length - 1);
  assert.deepEqual(record, {
    server: "a",
    level: "ERROR",
    category: "app.db",
    message: "two",
    properties: {},
  });
});

Deno.test("logs -f goes on through a restart of the server, and prints what it has logged since", async () => {
  await using ensemble = await RunningEnsemble.start();
  const first = await startLogging(ensemble, "a");
  const logs = ensemble.spawn("logs", "-f", "-n", "0", "a");
  await follows(logs, () => log(ensemble, "a", "info", "one"));
  first.signal("SIGKILL");
  await logs.logged(/^a was lost; waiting for it: /);
  await startLogging(ensemble, "a");
  await logs.logged(/^a has started again$/);
  await log(ensemble, "a", "info", "two");
  await prints(logs, /app: two$/);
  assert.equal(logs.output.filter((line) => line.endsWith("a is in the registry")).length, 1);
  logs.signal("SIGINT");
  await logs.exit();
});

Deno.test("logs -f of a role labels lines, in color on a terminal, and follows servers that join", async () => {
  await using ensemble = await RunningEnsemble.start();
  await startLogging(ensemble, "a", "--roles", "web");
  const { program } = ensemble.places;
  await using terminal = new Terminal(ensemble.places, [...program, "logs", "-f", "--role", "web"]);
  await terminal.shows("a: ");
  await terminal.shows("a is in the registry");
  const b = await startLogging(ensemble, "b", "--roles", "web");
  await terminal.shows("b has joined");
  await terminal.shows("b is in the registry");
  await log(ensemble, "a", "warn", "one");
  await terminal.shows("app: one");
  await log(ensemble, "b", "info", "two");
  await terminal.shows("app: two");
  await ensemble.lines("shutdown", "b");
  await b.exit();
  await terminal.shows("b is stopping");
  await terminal.shows("b has left");
  terminal.type(CTRL_C);
  const { code, raw } = await terminal.end();
  assert.equal(code, 130);
  // deno-lint-ignore no-control-regex -- control sequences are what has to be found
  assert.match(raw, /\x1b\[36ma: \x1b\[39m\S+Z \x1b\[33mWARN\x1b\[39m app: one/);
  // deno-lint-ignore no-control-regex -- the same
  assert.match(raw, /\x1b\[32mb: \x1b\[39m\S+Z INFO app: two/);
});

Deno.test("logs -f tells how many records were dropped", async () => {
  await using ensemble = await RunningEnsemble.start();
  await startLogging(ensemble, "a");
  const logs = ensemble.spawn("logs", "-f", "-n", "0", "--grep", "line", "a");
  await follows(logs, () => log(ensemble, "a", "info", "line"));
  const flood = "Array.from({ length: 5000 }, (_, i) => log('info', `line ${i + 1}`)).length";
  assert.deepEqual(await ensemble.lines("eval", "a", flood), ["5000"]);
  await logs.logged(/^\.\.\. \d+ records of a were dropped before they were read$/);
  const [, dropped] = /(\d+) records/.exec(logs.log.join())!;
  await prints(logs, /line 5000$/);
  const numbered = logs.output.filter((line) => /line \d+$/.test(line));
  assert.equal(numbered.length, 2000);
  // One of them may be that of the eval.
  assert.ok(Math.abs(Number(dropped) - 3000) < 10, dropped);
});

Deno.test("logs -f ends quietly when its reader ends", async () => {
  await using ensemble = await RunningEnsemble.start();
  await startLogging(ensemble, "a");
  const script = '"$@" logs -f a | head -n 1';
  const logs = ensemble.spawnProgram("sh", "-c", script, "sh", ...ensemble.places.program);
  await logs.printed("");
  await log(ensemble, "a", "info", "one");
  assert.equal(await logs.exit(), 0);
  assert.deepEqual([logs.output.length, logs.log], [1, []]);
});

Deno.test("log-level changes what a server logs, also of one category, and goes back", async () => {
  await using ensemble = await RunningEnsemble.start();
  await startLogging(ensemble, "a");
  const file = () =>
    withoutTimes(Deno.readTextFileSync(ensemble.path("a.log")).trimEnd().split("\n"));
  assert.deepEqual(await ensemble.lines("log-level", "a"), ["all\tINFO\t-\t-"]);
  const [, row] = await ensemble.lines("log-level", "--for", "1h", "a", "debug", "app.db");
  assert.match(row!, /^app\.db\tDEBUG\tINFO\t\d{4}-/);
  await log(ensemble, "a", "debug", "one", "app.db");
  await log(ensemble, "a", "debug", "two");
  assert.deepEqual(await ensemble.lines("log-level", "a", "default", "app.db"), [
    "all\tINFO\t-\t-",
  ]);
  await log(ensemble, "a", "debug", "three", "app.db");
  const [all] = JSON.parse((await ensemble.lines("log-level", "--json", "a", "error")).join(""));
  assert.deepEqual(all, { category: "", level: "ERROR", before: "INFO", until: null });
  await log(ensemble, "a", "info", "four");
  await log(ensemble, "a", "error", "five");
  await ensemble.lines("log-level", "a", "default");
  const lines = file().filter((line) => !line.includes("evaluate"));
  const by = /, by \S+@\S+/;
  assert.deepEqual(lines.map((line) => line.replace(by, "")), [
    "INFO log: the level of app.db is DEBUG seconds=3600",
    "DEBUG app.db: one",
    "INFO log: the level of app.db is as before",
    "INFO log: the level of all categories is ERROR",
    "ERROR app: five",
    "INFO log: the level of all categories is as before",
  ]);
  const unknown = await ensemble.run("log-level", "a", "default", "no.such");
  assert.deepEqual([unknown.code, unknown.stderr], [0, ""]);
  const other = await ensemble.run("log-level", "a", "warn", "no.such");
  assert.match(other.stderr, /^a has no logger of the category no\.such so far; /);
});
