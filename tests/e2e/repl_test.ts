import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { installAdministrator } from "./administrator.ts";
import { CTRL_C, CTRL_D, TAB, UP } from "../terminal.ts";
import { pipeLines, type Step, typeInTerminal } from "./repl_process.ts";
import { RunningEnsemble, type RunningProcess } from "./running_ensemble.ts";

const HTTPD = fileURLToPath(new URL("../../examples/httpd/", import.meta.url));

/**
 * An ensemble with a server `httpd1`, for the tests that do not change it. Others start their own
 * server in it.
 */
let shared: RunningEnsemble;

Deno.test.beforeAll(async () => {
  shared = await RunningEnsemble.start();
  await startHttpd("httpd1");
});

Deno.test.afterAll(async () => await shared[Symbol.asyncDispose]());

async function startHttpd(id: string): Promise<RunningProcess> {
  const server = shared.spawn("run", id, `${HTTPD}httpd_svc.ts`, "0");
  await server.logged(/is in the registry$/);
  return server;
}

/**
 * The tutorial's ensemble: `httpd1` is started by `gxensemble run`, and `httpd3` by its own
 * program.
 */
async function startTutorial(id: "httpd1" | "httpd3" = "httpd1") {
  const ensemble = await RunningEnsemble.start();
  const server = id === "httpd1"
    ? ensemble.spawn("run", "--roles", "(httpd)", id, `${HTTPD}httpd_svc.ts`, "0")
    : ensemble.spawnDeno("run", "-A", `${HTTPD}httpd_exe.ts`, id, "0");
  await ready(ensemble, server, id);
  return { ensemble, server };
}

async function ready(ensemble: RunningEnsemble, server: RunningProcess, id: string) {
  if (id === "httpd1") return await server.logged(/is in the registry$/);
  await server.until(() => ensemble.answers(id), "reached");
}

const GREETING = "hello, i am httpd1\\n";

/** The first transcript of the tutorial; then the port, and what it serves. */
const TRANSCRIPT_1 = [
  ",(import examples/httpd/handler.ts)",
  ",(import examples/httpd/httpd.ts)",
  `setGreeting("${GREETING}")`,
  'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
];

/** The second transcript. */
const TRANSCRIPT_3 = [
  ",(load examples/httpd/handler.ts) ; load the code in the remote server",
  ",(import examples/httpd/handler.ts) ; import for local expansion",
  'setGreeting("hello, i am httpd3 and i am a binary executable\\n")',
  ",(import examples/httpd/httpd.ts) ; import for local expansion",
  'registerHandler(currentHttpServer(), "/greeting", writeSimpleHandler)',
];

const FETCH = "await (await fetch(`http://127.0.0.1:${currentHttpServer().port}/greeting`)).text()";

Deno.test("the tutorial's REPL transcripts match on a pipe", async () => {
  for (const id of ["httpd1", "httpd3"] as const) {
    const { ensemble } = await startTutorial(id);
    await using _ensemble = ensemble;
    const handler = `${HTTPD}handler.ts`;
    if (id === "httpd1") await ensemble.lines("load", "-f", id, handler);
    const transcript = id === "httpd1" ? TRANSCRIPT_1 : TRANSCRIPT_3;
    const { code, stdout, stderr } = await pipeLines(ensemble.places, [id], [
      ...transcript,
      FETCH,
      ",q",
      "not.reached",
    ]);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const lines = stdout.split("\n");
    if (id === "httpd3") {
      assert.equal(lines.shift(), "... loading library module examples/httpd/httpd.ts");
      assert.equal(lines.shift(), `... loading code object file ${handler}`);
      assert.match(lines.shift()!, /^[0-9a-f]{64}$/);
      assert.deepEqual(lines, [
        '"hello, i am httpd3 and i am a binary executable\\n"',
        "",
      ]);
    } else {
      assert.deepEqual(lines, [`"${GREETING}"`, ""]);
    }
  }
});

Deno.test("the tutorial's REPL transcripts match on a terminal", async () => {
  for (const id of ["httpd1", "httpd3"] as const) {
    const { ensemble } = await startTutorial(id);
    await using _ensemble = ensemble;
    if (id === "httpd1") await ensemble.lines("load", "-f", id, `${HTTPD}handler.ts`);
    const transcript = id === "httpd1" ? TRANSCRIPT_1 : TRANSCRIPT_3;
    const prompt = `${id}> `;
    const { code, screen } = await typeInTerminal(ensemble.places, [id], [
      ["", prompt],
      ...transcript.map((line): Step => [`${line}\r`, `\n\x1b[1G\x1b[0J${prompt}`]),
      [`${FETCH}\r`, `"hello, i am ${id}`],
      [",q\r", ""],
    ]);
    assert.equal(code, 0, screen);
    const history = await Deno.readTextFile(`${ensemble.places.gerbilPath}/ensemble/repl_history`);
    assert.deepEqual(history.split("\n").slice(0, transcript.length), transcript);
  }
});

Deno.test("the REPL evaluates TypeScript, and an input cannot harm the server", async () => {
  const cases: [line: string, stdout: string, stderr?: string][] = [
    ["const pairs: Map<string, number> = new Map([['a', 1]])", ""],
    ["function both<A, B>(a: A, b: B): [A, B] {", ""],
    ["  return [a, b]", ""],
    ["}", ""],
    ["both<number, string>(pairs.get('a')!, 'x')", '[ 1, "x" ]'],
    ["import { currentHttpServer } from 'examples/httpd/httpd.ts'", ""],
    ["(await fetch(`http://127.0.0.1:${currentHttpServer().port}/nosuch`)).status", "404"],
    ["const pairs = 'redeclared'", ""],
    ["pairs", '"redeclared"'],
    ["class Counter { #n = 0; next() { return ++this.#n } }", ""],
    ["const counter = new Counter(); counter.next(); counter.next()", "2"],
    [
      "throw new Error('outer', { cause: new TypeError('inner') })",
      "",
      "Uncaught Error: outer\n    at repl:10:1:7\nCaused by: TypeError: inner\n    at repl:10:1:35",
    ],
    ["_error.cause.message", '"inner"'],
    ["(function* () { while (true) yield 1 })()", "Object [Generator] {}"],
    ["new Proxy({}, { get() { throw new Error('trap') }, ownKeys() { throw 1 } })", "{}"],
    ["Promise.reject(new Error('nobody cares')); 1", "1"],
    [
      "setTimeout(() => { throw new Error('later') }, 0); await new Promise((r) => setTimeout(r, 1))",
      "",
    ],
    ["'x'.repeat(1e8).length", "100000000"],
    [
      "const a = ;",
      "",
      "Uncaught SyntaxError: Expression expected (1:11)\n  const a = ;\n            ^",
    ],
    [",(nosuch)", "", "gxensemble: error: no control command ,nosuch: see ,help"],
    [
      ",(load)",
      "",
      "gxensemble: error: wrong arguments for ,load: write ,(load module-id) or " +
      ",(load -f module-id) or ,(load -l module-id) or ,(load -r module-id)",
    ],
    [
      ",(import ./nosuch.ts)",
      "",
      "gxensemble: error: the server has not loaded ./nosuch.ts: load it " +
      "with ,(load ./nosuch.ts)",
    ],
    [",(defined? counter)", "true"],
    [",(defined? nosuch)", "false"],
    ["'still here'", '"still here"'],
    [
      ",(doc currentHttpServer)",
      "function currentHttpServer()\n" +
      "  The server started last in this process, with which loaded code registers its handlers.\n" +
      "\n  @throws {Error} if none was started.",
    ],
    ["'b a'.split(' ')", ""],
    ["  .sort()", '[ "a", "b" ]'],
    [
      "[3.5e",
      "",
      "Uncaught SyntaxError: Expected +, - or decimal digit after e (1:6)\n  [3.5e\n       ^",
    ],
  ];
  const { code, stdout, stderr } = await pipeLines(
    shared.places,
    ["httpd1"],
    cases.map(([line]) => line),
  );
  assert.equal(code, 1);
  assert.deepEqual(stdout.split("\n"), [
    ...cases.flatMap(([, text]) => text ? text.split("\n") : []),
    "",
  ]);
  const errors = cases.flatMap(([, , error]) => error ?? []);
  assert.equal(
    stderr,
    [...errors, `gxensemble: error: ${errors.length} inputs failed`, ""].join("\n"),
  );
  assert.deepEqual(await shared.lines("ping", "httpd1"), ["OK"]);
});

Deno.test(
  "Ctrl-C interrupts, Tab completes, the up arrow goes back, Ctrl-D leaves",
  async () => {
    const { code, screen } = await typeInTerminal(shared.places, ["httpd1"], [
      ["", "httpd1> "],
      ["const kept = 6\r", "httpd1> "],
      ["console.log('pen' + 'ding'); await new Promise(() => {})\r", "pending"],
      [CTRL_C, "interrupted: httpd1 may still be busy with it"],
      ["", "httpd1> "],
      ["kept * 7\r", "42"],
      ["", "httpd1> "], // Before that Ctrl-C is still for the evaluation.
      ["abandoned(", "abandoned("],
      [CTRL_C, "httpd1> "],
      ["function twice(n: number) {\r", "... "],
      ["return n * 2 }\r", "httpd1> "],
      [`twi${TAB}(4)\r`, "8"],
      [`Math.hyp${TAB}`, "hypot"],
      ["(3, 4)\r", "5"],
      [`,(de${TAB}`, "(defined? "],
      ["twice)\r", "true"],
      ["console.log('to the terminal')\r", "to the terminal\r\n"],
      ["'again'\r", '"again"'],
      [`${UP}\r`, '"again"'],
      ["\x1b[200~const pasted = [3, 1]\r\t.sort()\rpasted\x1b[201~", "... pasted"],
      ["\r", "[ 1, 3 ]"],
      ["", "httpd1> "],
      ["\x12sort", ".sort()"],
      ["\r", "[ 1, 3 ]"],
      ["", "httpd1> "],
      ["[\r", "... "],
      [CTRL_C, "httpd1> "],
      [CTRL_C, "to leave, press Ctrl-D"],
      [CTRL_D, ""],
    ]);
    assert.equal(code, 0, screen);
    const history = await Deno.readTextFile(`${shared.places.gerbilPath}/ensemble/repl_history`);
    assert.equal(history.split("\n").at(-2), "const pasted = [3, 1]\r\t.sort()\rpasted");
  },
);

Deno.test("the REPL reports a lost server, even while nothing is typed", async () => {
  const server = await startHttpd("lost1");
  const pid = `${server.pid}`;
  const { code } = await typeInTerminal(shared.places, ["lost1"], [
    ["", "lost1> "],
    [`Deno.kill(${pid}, "SIGKILL")\r`, "gxensemble: error: lost lost1: "],
  ]);
  assert.equal(code, 1);
});

Deno.test("a script ends when its server is lost during an evaluation", async () => {
  await startHttpd("lost2");
  const { code, stdout, stderr } = await pipeLines(shared.places, ["lost2"], [
    "1",
    'Deno.kill(Deno.pid, "SIGKILL"); await new Promise(() => {})',
    "2",
  ]);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "1\n" });
  assert.match(stderr, /lost lost2: /);
});

Deno.test("REPL sessions have their own names, and end with their clients", async () => {
  const first = await pipeLines(shared.places, ["httpd1"], ["const mine = 1", "mine"]);
  assert.equal(first.stdout, "1\n");
  const sessions = "ensemble.actors.actors().filter(({ group }) => group.name === 'repl').length";
  const second = await pipeLines(shared.places, ["httpd1"], [
    "typeof mine",
    `while (${sessions} > 1) await new Promise((r) => setTimeout(r, 1))`,
    sessions,
  ]);
  assert.equal(second.stdout, '"undefined"\n1\n');
});

Deno.test(",(shutdown) shuts the server down and leaves the REPL", async () => {
  const server = await startHttpd("ended");
  const { code, stdout, stderr } = await pipeLines(shared.places, ["ended"], [
    ",(shutdown)",
    "'not reached'",
  ]);
  assert.deepEqual({ code, stdout, stderr }, {
    code: 0,
    stdout: "... shutting down ended\n",
    stderr: "",
  });
  assert.equal(await server.exit(), 0);
});

Deno.test("a REPL session needs the capability loader when there is an administrator", async () => {
  const ensemble = await RunningEnsemble.start();
  await using _ensemble = ensemble;
  const { right } = await installAdministrator(ensemble);
  const server = ensemble.spawn("run", "httpd1", `${HTTPD}httpd_svc.ts`, "0");
  await server.logged(/is in the registry$/);
  const refused = await pipeLines(ensemble.places, ["httpd1"], ["1"]);
  assert.deepEqual({ code: refused.code, stdout: refused.stdout }, { code: 1, stdout: "" });
  const allowed = await pipeLines(ensemble.places, [...right, "httpd1"], ["1"]);
  assert.deepEqual(allowed, { code: 0, stdout: "1\n", stderr: "" });
});

Deno.test("thread-state and thread-backtrace show what actors do and where they wait", async () => {
  const module = await shared.write(
    "worker.ts",
    [
      'import { currentServer, on } from "@gxensemble/ensemble";',
      "",
      "const server = currentServer();",
      'server.actors.spawnGroup("workers", async (self) => {',
      '  self.spawn("worker", async function work(self) {',
      '    await self.receive([on<{ n: number }, void>("job", () => {})]);',
      "  });",
      "  await self.receive([]);",
      "});",
      "",
    ].join("\n"),
  );
  await shared.lines("load", "httpd1", module);
  const state = await pipeLines(shared.places, ["httpd1"], [
    ",(thread-state)",
    ",(thread-state -g)",
  ]);
  assert.equal(state.code, 0, state.stderr);
  assert.match(state.stdout, /^group 1 root\n +sn +actor +state +mailbox +handled +age\n/);
  assert.match(state.stdout, /\n +group \d+ root\/workers: 2 actors\n/);
  const [, worker] = /\n +(\d+) +worker +receiving +0 +0 +\d/.exec(state.stdout)!;
  const one = await pipeLines(shared.places, ["httpd1"], [
    `,(thread-state ${worker})`,
    `,(thread-backtrace ${worker})`,
    ",(thread-backtrace nobody)",
    ",(thread-state 4711)",
  ]);
  assert.equal(one.code, 1);
  assert.match(one.stdout, /^group root\/workers\n/);
  assert.match(one.stdout, /\n +receives job\nwaiting in a receive\n/);
  assert.match(one.stdout, /\n +at async work \(file:\S+\/worker\.ts:6:\d+\)\n/);
  assert.match(one.stderr, /wrong arguments for ,thread-backtrace: write ,\(thread-backtrace sn\)/);
  assert.match(one.stderr, /no actor or group has the serial number 4711/);
});
