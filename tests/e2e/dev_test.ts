import assert from "node:assert/strict";
import { freePort } from "../free_port.ts";
import { CTRL_C, Terminal } from "../terminal.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

const COUNTER = `
  import { currentServer } from "@gxensemble/ensemble";
  import { step } from "./step.js";
  export const service = {
    add({ amount }, { state }) { return state.total += amount * step(); },
  };
  export async function main(word = "nothing") {
    console.log("main got " + word + " in process " + Deno.pid);
    currentServer().serve("counter", service, { state: { total: 0 } });
    await currentServer().stopped;
  }
`;
const STEP = "export function step() { return 1; }\n";

/** A project in which programs are developed. */
class Project implements AsyncDisposable {
  readonly ensemble = new RunningEnsemble();

  static async make(files: Record<string, string>): Promise<Project> {
    const project = new Project();
    await project.write({ "deno.json": "{}", ...files });
    return project;
  }

  async write(files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) await this.ensemble.write(path, text);
  }

  path(path: string): string {
    return this.ensemble.path(path);
  }

  /** `GERBIL_PATH` of the ensemble under development. */
  get state(): string {
    return this.path(".gxensemble");
  }

  develop(...args: string[]): RunningProcess {
    return this.ensemble.spawn("dev", ...args);
  }

  /** The answer of an actor. */
  async call(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.ensemble.run("call", "-G", this.state, ...args);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ensemble[Symbol.asyncDispose]();
  }
}

/** Waits until a line of the output matches. */
async function shown(process: RunningProcess, pattern: RegExp): Promise<RegExpExecArray> {
  let found: RegExpExecArray | null = null;
  await process.until(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    for (const line of process.output) found ??= pattern.exec(line);
    return found !== null;
  }, `showed ${pattern}`);
  return found!;
}

function isAlive(pid: number): boolean {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/\) Z /.test(text);
  } catch {
    return false;
  }
}

async function gone(pid: number): Promise<void> {
  const late = performance.now() + 20_000;
  while (isAlive(pid)) {
    assert.ok(performance.now() < late, `process ${pid} has not ended`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

Deno.test("dev loads a change of a service's handlers, which keep their state", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const dev = project.develop(project.path("counter.js"), "a word");
  await shown(dev, /^counter {2}\| main got a word/);
  await shown(dev, /^dev {6}\| counter is up \(/);
  assert.equal(await project.call("counter@counter", "add", "amount=2"), "2");
  await project.write({ "step.js": STEP.replace("1", "10") });
  await shown(dev, /^dev {6}\| loaded \S*step\.js into counter in [\d.]+ m?s$/);
  assert.equal(await project.call("counter@counter", "add", "amount=2"), "22");
  dev.signal("SIGINT");
  assert.equal(await dev.exit(), 0);
});

Deno.test("dev restarts a server when main changes, and tells why", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const dev = project.develop(project.path("counter.js"));
  const [, before] = await shown(dev, /main got nothing in process (\d+)/);
  await shown(dev, /counter is up/);
  await project.write({ "counter.js": COUNTER.replace("main got", "main has got") });
  await shown(dev, /counter\.js changed: restarting counter: main of counter\.js has changed$/);
  const [, after] = await shown(dev, /main has got nothing in process (\d+)/);
  assert.notEqual(after, before);
  await shown(dev, /counter is up again/);
  dev.signal("SIGTERM");
  assert.equal(await dev.exit(), 0);
});

Deno.test("dev shows a syntax error with its lines, and goes on when it is gone", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": "export = 1;\n" });
  const dev = project.develop(project.path("counter.js"));
  await shown(dev, /dev {6}\| \S+step\.js:1:\d+: /);
  await shown(dev, /dev {6}\| > 1 \| export = 1;$/);
  await shown(dev, /counter\.js starts when a file has changed$/);
  await project.write({ "step.js": STEP });
  await shown(dev, /counter is up/);
  await project.write({ "step.js": "export function step() { return 1 +; }\n" });
  await shown(dev, /counter keeps running the earlier version$/);
  assert.equal(await project.call("counter@counter", "add", "amount=2"), "2");
  await project.write({ "step.js": STEP.replace("1", "3") });
  await shown(dev, /loaded \S*step\.js into counter/);
  assert.equal(await project.call("counter@counter", "add", "amount=2"), "8");
});

Deno.test("dev finds a module that was missing, and one in another directory", async () => {
  await using project = await Project.make({
    "app/main.js": `
      import { word } from "../lib/word.js";
      export async function main() { console.log("the word is " + word()); await new Promise(() => {}); }
    `,
  });
  const dev = project.develop(project.path("app/main.js"));
  await shown(dev, /there is no module \S+lib\/word\.js/);
  await project.write({ "lib/word.js": "export function word() { return 'one'; }" });
  await shown(dev, /the word is one/);
  await shown(dev, /main is up/);
  await project.write({ "lib/word.js": "export function word() { return 'two'; }" });
  await shown(dev, /the word is two/);
});

Deno.test("dev follows imported data, and the import map", async () => {
  await using project = await Project.make({
    "deno.json": JSON.stringify({ imports: { "word": "./one.js" } }),
    "main.js": `
      import { word } from "word";
      import data from "./data.json" with { type: "json" };
      export async function main() { console.log(word + " " + data.count); await new Promise(() => {}); }
    `,
    "one.js": "export const word = 'one';",
    "two.js": "export const word = 'two';",
    "data.json": '{"count": 1}',
  });
  const dev = project.develop(project.path("main.js"));
  await shown(dev, /\| one 1/);
  await shown(dev, /main is up/);
  await project.write({ "data.json": '{"count": 2}' });
  await shown(dev, /\| one 2/);
  await project.write({ "deno.json": JSON.stringify({ imports: { "word": "./two.js" } }) });
  await shown(dev, /\| two 2/);
});

Deno.test("dev waits for a change when a program has ended, and does not restart it by itself", async () => {
  await using project = await Project.make({
    "main.js": "export function main() { throw new Error('no port'); }",
  });
  const dev = project.develop(project.path("main.js"));
  await shown(dev, /main of \S+ failed: no port, at /);
  await shown(dev, /dev {6}\| > 1 \| export function main\(\)/);
  await shown(dev, /main has ended: exit code 1; it starts again when a file has changed$/);
  await project.write({ "main.js": "export function main() { console.log('done'); }" });
  await shown(dev, /main {5}\| done/);
  await shown(dev, /main has ended: its program is done \(exit code 0\)/);
  assert.equal(dev.output.filter((line) => line.includes("main has ended")).length, 2);
});

Deno.test("dev restarts when a load fails", async () => {
  const counter = COUNTER.replace(
    "export const service",
    "export const upgrade = (state) => state;\nexport const service",
  );
  await using project = await Project.make({ "counter.js": counter, "step.js": STEP });
  const dev = project.develop(project.path("counter.js"));
  await shown(dev, /counter is up/);
  await project.write({
    "counter.js": counter.replace("(state) => state", "() => { throw new Error('no way'); }"),
  });
  await shown(dev, /no way/);
  await shown(dev, /restarting counter, since the load failed$/);
  await shown(dev, /counter is up again/);
});

Deno.test("dev handles many changed files as one change", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `part${index}`);
  const part = (value: number) => `export function value() { return ${value}; }`;
  const files = (value: number) =>
    Object.fromEntries(names.map((name) => [`${name}.js`, part(value)]));
  await using project = await Project.make({
    "main.js": `
      ${names.map((name) => `import { value as ${name} } from "./${name}.js";`).join("\n")}
      export async function main() {
        console.log("sum " + [${names}].reduce((sum, each) => sum + each(), 0));
        await new Promise(() => {});
      }
    `,
    ...files(1),
  });
  const dev = project.develop(project.path("main.js"));
  await shown(dev, /sum 100/);
  await shown(dev, /main is up/);
  await project.write(files(2));
  await shown(dev, /and \d+ more files changed: restarting main/);
  await shown(dev, /sum 200/);
});

Deno.test("dev divides long lines, and makes control characters visible", async () => {
  await using project = await Project.make({
    "main.js": `
      export async function main() {
        await Deno.stdout.write(new TextEncoder().encode("x".repeat(100_000) + "\\n"));
        await Deno.stdout.write(new TextEncoder().encode("\\x1b[2J\\x1b[31mred\\x1b[0m\\x07\\n"));
        await Deno.stdout.write(new Uint8Array([0xff, 0xfe, 10]));
        await Deno.stdout.write(new TextEncoder().encode("no end"));
      }
    `,
  });
  const dev = project.develop(project.path("main.js"));
  await shown(dev, /main {5}\| no end$/);
  assert.ok(dev.output.includes(`main     | ${"x".repeat(100_000 - 65_536)}`));
  assert.ok(dev.output.includes("main     | \\u001b[2Jred\\u0007"));
  assert.ok(dev.output.includes("main     | \ufffd\ufffd"));
});

Deno.test("dev leaves no process and no socket behind when it is killed", async () => {
  await using project = await Project.make({
    "main.js": `
      export async function main() {
        const child = new Deno.Command("sleep", { args: ["1000"] }).spawn();
        console.log("pids " + Deno.pid + " " + child.pid);
        await new Promise(() => {});
      }
    `,
  });
  const dev = project.develop(project.path("main.js"));
  const [, own, child] = await shown(dev, /pids (\d+) (\d+)/);
  const [, sockets] = await shown(dev, /listens at unix:(\/tmp\/gxdev-\w+)\//);
  await shown(dev, /main is up/);
  await dev.kill();
  await gone(Number(own));
  await gone(Number(child));
  const late = performance.now() + 20_000;
  while (true) {
    const isThere = await Deno.stat(sockets!).then(() => true, () => false);
    if (!isThere) break;
    assert.ok(performance.now() < late, `${sockets} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("dev refuses the state of another dev, and of an ensemble that it has not made", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const dev = project.develop(project.path("counter.js"));
  await shown(dev, /counter is up/);
  assert.match(
    await project.ensemble.failure("dev", project.path("counter.js")),
    /^gxensemble dev already runs with the state in \S+ \(process \d+\): stop it first, or name another directory with -G$/,
  );
  assert.equal((await project.ensemble.run("cookie")).code, 0);
  const { gerbilPath } = project.ensemble.places;
  assert.match(
    await project.ensemble.failure("dev", "-G", gerbilPath, project.path("counter.js")),
    /has the state of an ensemble that gxensemble dev has not made/,
  );
});

Deno.test("dev takes keys on a terminal, with colored names, and ends all on Ctrl-C", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const { places } = project.ensemble;
  const file = project.path("counter.js");
  await using terminal = new Terminal(places, [...places.program, "dev", file]);
  await terminal.shows("keys: r restarts all, s shows the servers, q quits, ? shows this");
  await terminal.shows("counter is up");
  const pid = Number(
    /process (\d+)/.exec(await terminal.find(/main got nothing in process \d+/))![1],
  );
  terminal.type("s");
  await terminal.shows(`counter: up, process ${pid}`);
  terminal.type("r");
  await terminal.shows("restarting counter");
  await terminal.shows("counter is up again");
  await gone(pid);
  terminal.type(CTRL_C);
  const { code, raw } = await terminal.end();
  assert.equal(code, 0);
  assert.ok(raw.includes("\x1b[33mcounter  | \x1b[39m"), raw);
});

Deno.test("dev ends all when its terminal is closed", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const { places } = project.ensemble;
  const file = project.path("counter.js");
  await using terminal = new Terminal(places, [...places.program, "dev", file]);
  await terminal.shows("counter is up");
  const pid = Number(
    /process (\d+)/.exec(await terminal.find(/main got nothing in process \d+/))![1],
  );
  await terminal.close();
  await gone(pid);
});

const WORKER = `
  import { currentServer } from "@gxensemble/ensemble";
  import { step } from "./step.js";
  export const service = { value() { return step(); } };
  export async function main(word = "none") {
    const { id } = currentServer();
    console.log(id + " has " + word + " " + (Deno.env.get("WORD") ?? "unset") + " " + Deno.cwd());
    currentServer().serve("counter", service);
    await currentServer().stopped;
  }
`;

function configuration(word: string, servers: object = {}): string {
  return JSON.stringify({
    registry: { listen: ["tcp://10.255.255.1:1"] },
    roles: {
      worker: { module: "worker.js", env: { WORD: word } },
      plain: { executable: "/bin/sleep", plain: true, args: ["1000"] },
    },
    servers: {
      last: {
        role: "worker",
        after: ["worker-0", "worker-1"],
        args: ["an argument"],
        host: "elsewhere",
      },
      off: { role: "worker", enabled: false },
      ...servers,
    },
    workers: [{ role: "worker", prefix: "worker", count: 2 }],
  });
}

Deno.test("dev runs all servers of a configuration, and follows its changes", async () => {
  await using project = await Project.make({
    "ensemble.jsonc": configuration("first"),
    "worker.js": WORKER,
    "step.js": STEP,
  });
  const dev = project.develop(project.path("ensemble.jsonc"));
  await shown(dev, /^last {5}\| last has an argument first \S+$/);
  await shown(dev, /last is up/);
  const at = (pattern: RegExp) => dev.output.findIndex((line) => pattern.test(line));
  for (const id of ["worker-0", "worker-1"]) {
    const up = at(new RegExp(`dev .* ${id} is up`));
    assert.ok(up >= 0 && up < at(/last has/), id);
  }
  assert.equal(at(/^off /), -1);
  await project.write({ "step.js": STEP.replace("1", "2") });
  await shown(dev, /loaded \S*step\.js into last, worker-0, worker-1 in [\d.]+ m?s$/);
  assert.equal(await project.call("counter@worker-1", "value"), "2");
  await project.write({ "ensemble.jsonc": configuration("second", { more: { role: "worker" } }) });
  await shown(dev, /starting more, which is new/);
  await shown(dev, /restarting worker-0: its description has changed/);
  await shown(dev, /more has none second/);
  await shown(dev, /worker-1 has none second/);
  await project.write({ "ensemble.jsonc": '{"roles": {}, "servers": {"a": {"role": "b"}}}' });
  await shown(dev, /ensemble\.jsonc:1:\d+: servers\.a\.role: /);
  await shown(dev, /the servers run as before/);
  dev.signal("SIGINT");
  assert.equal(await dev.exit(), 0);
});

Deno.test("dev waits until a configuration is valid that was wrong when it began", async () => {
  await using project = await Project.make({
    "ensemble.jsonc": configuration("first").replace('"role":"worker"', '"role":"wroker"'),
  });
  const dev = project.develop(project.path("ensemble.jsonc"));
  await shown(dev, /no role is called "wroker"; did you mean worker\?$/);
  await shown(dev, /the servers start when that has changed$/);
  // A module that is missing is an error of the configuration, too.
  await project.write({ "ensemble.jsonc": configuration("first") });
  await shown(dev, /roles\.worker\.module: there is no file \S+worker\.js$/);
  await project.write({ "worker.js": WORKER, "step.js": STEP });
  await shown(dev, /last is up/);
  // A server of another host runs here, too.
  const far = { role: "worker", host: "elsewhere", args: ["${NOT_SET_HERE}"] };
  await project.write({ "ensemble.jsonc": configuration("first", { far }) });
  await shown(dev, /servers\.far\.args\[0\]: the environment variable NOT_SET_HERE is not set/);
  dev.signal("SIGINT");
  assert.equal(await dev.exit(), 0);
});

Deno.test("dev waits only for files that it uses, wherever they are", async () => {
  const text = (http: number) =>
    configuration("first", {
      one: { role: "worker", http, httpToken: "secrets/token", host: "host1" },
      two: { role: "worker", http, httpToken: "secrets/token", host: "host2" },
    }).replace('"registry":{', '"registry":{"http":0,"httpToken":"none",')
      .replace('"roles":', '"supervisor":{"http":0,"httpToken":"none"},"roles":');
  const port = freePort();
  await using project = await Project.make({
    "state/ensemble.jsonc": text(port),
    "state/worker.js": WORKER,
    "state/step.js": STEP,
    "state/secrets/other": "",
  });
  const dev = project.develop(project.path("state"));
  await shown(dev, /3 errors in \S+ensemble\.jsonc:$/);
  await shown(
    dev,
    new RegExp(`one and two would both listen at 127\\.0\\.0\\.1:${port} on this host`),
  );
  await project.write({ "state/ensemble.jsonc": text(0) });
  await shown(dev, /2 errors in \S+ensemble\.jsonc:$/);
  await shown(dev, /servers\.two\.httpToken: there is no file \S+secrets\/token$/);
  await project.ensemble.write(
    "state/secrets/token",
    "0123456789abcdef0123456789abcdef\n",
    { mode: 0o600 },
  );
  await shown(dev, /two is up/);
  await shown(dev, /one is up/);
  dev.signal("SIGINT");
  assert.equal(await dev.exit(), 0);
});

Deno.test("dev runs the servers of a configuration that are named", async () => {
  await using project = await Project.make({
    "ensemble.jsonc": configuration("first", { tool: { role: "plain" } }),
    "worker.js": WORKER,
    "step.js": STEP,
  });
  const dev = project.develop(project.path("."), "worker-1", "tool");
  await shown(dev, /worker-1 is up/);
  dev.signal("SIGINT");
  assert.equal(await dev.exit(), 0);
  assert.deepEqual(dev.output.filter((line) => /^(?:last|worker-0) /.test(line)), []);
  assert.match(
    await project.ensemble.failure("dev", project.path("ensemble.jsonc"), "worker-7"),
    /ensemble\.jsonc has no server worker-7; it has last, off, tool, worker-0, worker-1$/,
  );
  const wrong = await project.ensemble.run("dev", "--id", "a", project.path("ensemble.jsonc"));
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /--id is for a module: a configuration has it for each server/);
});

Deno.test("dev says so when a server does not stop and is killed", async () => {
  await using project = await Project.make({
    "main.js": `
      export function main() {
        setTimeout(() => { console.log("loops"); while (true); });
        return new Promise(() => {});
      }
    `,
  });
  const dev = project.develop("-G", project.path("state"), project.path("main.js"));
  await shown(dev, /loops/);
  const log = project.path("state/ensemble/server/main");
  assert.ok((await Deno.stat(log)).isDirectory);
  dev.signal("SIGTERM");
  assert.equal(await dev.exit(), 0);
  assert.ok(
    dev.output.includes("dev      | main has not stopped within 3 s, and was killed"),
    dev.output.join("\n"),
  );
});

Deno.test("dev names what to do when there is nothing to run", async () => {
  await using project = await Project.make({});
  assert.match(
    await project.ensemble.failure("dev", project.path(".")),
    /^there is no \S+ensemble\.jsonc: name a module to run, or make a configuration with gxensemble config init$/,
  );
  assert.match(
    await project.ensemble.failure("dev", project.path("main.ts")),
    /main\.ts: there is no such module$/,
  );
});

Deno.test("dev restarts a server that is not up yet when its files change", async () => {
  const text = `
    import { currentServer } from "@gxensemble/ensemble";
    export async function main() {
      const server = currentServer();
      server.holdReady();
      console.log("holds one");
      await server.stopped;
    }
  `;
  await using project = await Project.make({ "main.js": text });
  const dev = project.develop(project.path("main.js"));
  await shown(dev, /holds one/);
  await project.write({ "main.js": text.replace("one", "two") });
  await shown(dev, /main\.js changed: restarting main: it was not up yet$/);
  await shown(dev, /holds two/);
});

Deno.test("dev --restart restarts where a load would do", async () => {
  await using project = await Project.make({ "counter.js": COUNTER, "step.js": STEP });
  const dev = project.develop("--restart", "--id", "c1", project.path("counter.js"));
  await shown(dev, /c1 is up/);
  await project.write({ "step.js": STEP.replace("1", "10") });
  await shown(dev, /step\.js changed: restarting c1$/);
  await shown(dev, /c1 is up again/);
});
