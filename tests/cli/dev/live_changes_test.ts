import assert from "node:assert/strict";
import { type ChangePlan, planChange } from "../../../cli/dev/live_changes.ts";
import {
  type ProgramVersion,
  replacedModules,
  WatchedProgram,
} from "../../../cli/dev/watched_program.ts";
import { TemporaryProject } from "../modules/temporary_project.ts";

type Files = Record<string, string>;

async function versionOf(program: WatchedProgram): Promise<ProgramVersion> {
  const { version, error } = await program.read();
  assert.ok(version, error?.message);
  return version;
}

/** Decides about the changes of files in a program that starts with `main.ts`. */
async function planFor(files: Files, changed: Files): Promise<ChangePlan> {
  await using project = await TemporaryProject.make({ "deno.json": "{}", ...files });
  const program = new WatchedProgram(project.path("main.ts"), { isCached: false });
  const before = await versionOf(program);
  for (const [path, text] of Object.entries(changed)) await project.write(path, text);
  const after = await versionOf(program);
  return planChange(before.names, after.names, {
    replaced: replacedModules(before, after),
    isProgram: after.isProgram,
  });
}

function loads(...modules: string[]): ChangePlan {
  return { kind: "load", modules };
}

function restarts(reason: string): ChangePlan {
  return { kind: "restart", reason };
}

const COUNTER = `
  import { step } from "./step.ts";
  export const service = { add({ amount }: { amount: number }) { return amount * step(); } };
`;
const MAIN = `
  import { currentServer } from "@gxensemble/ensemble";
  import { service } from "./counter.ts";
  export async function main() {
    currentServer().serve("counter", service);
    await currentServer().stopped;
  }
`;
const STEP = "export function step() { return 1; }";

Deno.test("planChange loads the module of a service when its handlers change", async () => {
  const files = { "main.ts": MAIN, "counter.ts": COUNTER, "step.ts": STEP };
  const changed = { "counter.ts": COUNTER.replace("amount *", "2 * amount *") };
  assert.deepEqual(await planFor(files, changed), loads("counter.ts"));
});

Deno.test("planChange loads the module of a service when what its handlers use changes", async () => {
  const files = { "main.ts": MAIN, "counter.ts": COUNTER, "step.ts": STEP };
  assert.deepEqual(
    await planFor(files, { "step.ts": "export function step() { return 2; }" }),
    loads("counter.ts"),
  );
});

Deno.test("planChange loads a module that has service and main when its handlers change", async () => {
  const text = `${COUNTER}${MAIN.replace(/import \{ service.*/, "")}`;
  const files = { "main.ts": text, "step.ts": STEP };
  assert.deepEqual(
    await planFor(files, { "main.ts": text.replace("amount *", "3 * amount *") }),
    loads("main.ts"),
  );
});

Deno.test("planChange restarts when main changes, or what it uses", async () => {
  const files = {
    "main.ts": `${
      MAIN.replace("export async", `import { greet } from "./greet.ts"; export async`)
        .replace("await", "greet(); await")
    }`,
    "counter.ts": COUNTER,
    "step.ts": STEP,
    "greet.ts": "export function greet() { console.log('hello'); }",
  };
  assert.deepEqual(
    await planFor(files, { "greet.ts": "export function greet() { console.log('hi'); }" }),
    restarts("main of main.ts uses what has changed"),
  );
  assert.deepEqual(
    await planFor(files, { "main.ts": files["main.ts"].replace("greet();", "greet(); greet();") }),
    restarts("main of main.ts has changed"),
  );
});

Deno.test("planChange restarts when main and a service would have different state", async () => {
  const counter = `
    import { step } from "./step.ts";
    export const totals = new Map<string, number>();
    export const service = { add() { totals.set("a", step()); } };
  `;
  const files = {
    "main.ts": MAIN.replace("{ service }", "{ service, totals }")
      .replace("await", "totals.clear(); await"),
    "counter.ts": counter,
    "step.ts": STEP,
  };
  assert.deepEqual(
    await planFor(files, { "step.ts": "export function step() { return 2; }" }),
    restarts("main would keep the earlier totals of counter.ts"),
  );
});

Deno.test("planChange restarts rather than run a top level a second time", async () => {
  const files = {
    "main.ts": MAIN,
    "counter.ts": `${COUNTER} setInterval(() => console.log("tick"), 1000);`,
    "step.ts": STEP,
  };
  assert.deepEqual(
    await planFor(files, { "step.ts": "export function step() { return 2; }" }),
    restarts("a load would run the top level of counter.ts again"),
  );
});

Deno.test("planChange loads a module whose top level calls its install", async () => {
  const handler = `
    import { register } from "./register.ts";
    function handle() { return "one"; }
    export function install() { register(handle); }
    install();
  `;
  const files = {
    "main.ts": `
      import { run } from "./register.ts";
      import "./handler.ts";
      export function main() { return run(); }
    `,
    "register.ts": `
      let current: () => string;
      export function register(handler: () => string) { current = handler; }
      export async function run() { console.log(current()); await Promise.resolve(); }
    `,
    "handler.ts": handler,
  };
  assert.deepEqual(
    await planFor(files, { "handler.ts": handler.replace("one", "two") }),
    loads("handler.ts"),
  );
});

Deno.test("planChange restarts when the top level is the program", async () => {
  const text = `
    import { runServer } from "@gxensemble/ensemble";
    import { step } from "./step.ts";
    await runServer("a", async (server) => { console.log(step()); await server.stopped; });
  `;
  assert.deepEqual(
    await planFor({ "main.ts": text, "step.ts": STEP }, {
      "step.ts": "export function step() { return 2; }",
    }),
    restarts("the top level of main.ts uses what has changed"),
  );
});

Deno.test("planChange does not count a top level that runs only in the started module", async () => {
  const text = `${COUNTER}${MAIN.replace(/import \{ service.*/, "")}
    if (import.meta.main) console.log("started");`;
  const files = { "main.ts": text, "step.ts": STEP };
  assert.deepEqual(
    await planFor(files, { "step.ts": "export function step() { return 2; }" }),
    loads("main.ts"),
  );
});

Deno.test("planChange restarts when an import leads to another module", async () => {
  const files = {
    "main.ts": `
      import { word } from "./words.ts";
      export function main() { console.log(word()); }
    `,
    "words.ts": `export * from "./english.ts";`,
    "english.ts": `export function word() { return "yes"; }`,
    "french.ts": `export function word() { return "oui"; }`,
  };
  assert.deepEqual(
    await planFor(files, { "words.ts": `export * from "./french.ts";` }),
    restarts("main of main.ts has changed"),
  );
});

Deno.test("planChange restarts when a module that main may import changes", async () => {
  const files = {
    "main.ts": `export async function main() { (await import("./late.ts")).run(); }`,
    "late.ts": `export function run() { return 1; }`,
  };
  assert.deepEqual(
    await planFor(files, { "late.ts": `export function run() { return 2; }` }),
    restarts("main of main.ts uses what has changed"),
  );
});
