import assert from "node:assert/strict";
import { CTRL_C, gxensembleOnTerminal, Terminal } from "../terminal.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

const TIDY = `
  import { currentServer } from "@gxensemble/ensemble";
  export async function main() {
    const server = currentServer();
    server.serve("service", {}, { cleanUp: () => console.log("cleaned up") });
    console.log("ready");
    await server.stopped;
    console.log("main was told");
  }
`;

/**
 * An ensemble for the tests that leave its registry running, and end the servers that they start.
 */
let ensemble: RunningEnsemble;

Deno.test.beforeAll(async () => {
  ensemble = await RunningEnsemble.start();
});

Deno.test.afterAll(async () => await ensemble[Symbol.asyncDispose]());

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} stops a server and the registry in order, with exit code 0`, async () => {
    await using ensemble = new RunningEnsemble();
    await ensemble.run("cookie");
    const registry = await ensemble.startRegistry();
    const server = await ensemble.startServer("a", [], TIDY);
    await server.printed("ready");
    server.signal(signal);
    assert.equal(await server.exit(), 0);
    assert.deepEqual(server.output, ["ready", "cleaned up", "main was told"]);
    assert.deepEqual(ensemble.sockets(), ["registry"]);
    assert.deepEqual(await ensemble.listed(), ["registry"]);
    registry.signal(signal);
    assert.equal(await registry.exit(), 0);
    assert.deepEqual(ensemble.sockets(), []);
    // SQLite removes its log when the database is closed.
    const places = `${ensemble.places.gerbilPath}/ensemble/server/registry`;
    const names = Array.from(Deno.readDirSync(places), ({ name }) => name);
    assert.deepEqual(names.filter((name) => /-(wal|shm)$/.test(name)), []);
    assert.deepEqual(
      [...server.matching(/ (WARN|ERROR) /), ...registry.matching(/ (WARN|ERROR) /)],
      [],
    );
  });
}

Deno.test("a server that is stopped answers what it has begun, and nothing else", async () => {
  const server = await ensemble.startServer(
    "begun",
    ["--grace", "60"],
    `
    import { currentServer } from "@gxensemble/ensemble";
    const gate = Promise.withResolvers();
    export async function main() {
      const server = currentServer();
      server.serve("slow", {
        wait(_request, { signal }) {
          signal.addEventListener("abort", () => console.log("hurry"));
          console.log("begun");
          return gate.promise;
        },
        probe: () => true,
        open: () => gate.resolve("done"),
      }, { concurrent: true });
      console.log("ready");
      await server.stopped;
    }
  `,
  );
  await server.printed("ready");
  const client = await ensemble.write(
    "client.ts",
    program(`
      await using client = await startServer({ log: false });
      const begun = client.ask("slow@begun", { type: "wait" }, { timeout: Infinity });
      let code;
      while (!code) {
        await client.ask("slow@begun", { type: "probe" }).catch((error) => code = error.code);
      }
      console.log(code);
      client.tell("slow@begun", { type: "open" });
      console.log(await begun);
    `),
  );
  const asking = ensemble.spawnDeno("run", "-A", client);
  await server.printed("begun");
  server.signal("SIGTERM");
  assert.equal(await asking.exit(), 0, asking.log.join("\n"));
  assert.deepEqual(asking.output, ["SERVER_STOPPING", "done"]);
  assert.equal(await server.exit(), 0);
  assert.deepEqual(server.output, ["ready", "begun", "hurry"]);
});

Deno.test("a server stops in order when its terminal closes, and its console does not throw", async () => {
  const told = ensemble.path("told");
  const main = await ensemble.write(
    "main.ts",
    `${
      TIDY.replace(
        'console.log("main was told");',
        `console.log("to nobody"); Deno.writeTextFileSync(${JSON.stringify(told)}, "");`,
      )
    }`,
  );
  const command = [...ensemble.places.program, "run", "a", main];
  await using terminal = new Terminal(ensemble.places, command);
  await terminal.shows("ready");
  await terminal.close();
  assert.ok((await Deno.stat(told)).isFile);
  assert.deepEqual(ensemble.sockets(), ["registry"]);
});

Deno.test("a main that is cut off logs a warning that names the option, and exits with 1", async () => {
  const server = await ensemble.startServer(
    "a",
    ["--grace", "0.2"],
    `export const main = () => {
       console.log("ready");
       return new Promise(() => setInterval(() => {}, 1000));
     };`,
  );
  await server.printed("ready");
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 1);
  assert.deepEqual(server.matching(/ (WARN|ERROR) /).map((line) => line.replace(/^\S+ /, "")), [
    "WARN server: main of a has not returned within 0.2 s and is cut off: " +
    "give it more time with --grace <seconds>, or in code with the option grace",
  ]);
  assert.deepEqual(await ensemble.listed(), ["registry"]);
});

Deno.test("run exits when main has returned, even with open timers", async () => {
  const server = await ensemble.startServer(
    "a",
    ["--grace", "3600"],
    `import { currentServer } from "@gxensemble/ensemble";
     export const main = async () => {
       setInterval(() => {}, 1000);
       console.log("ready");
       await currentServer().stopped;
     };`,
  );
  await server.printed("ready");
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
  assert.deepEqual(server.matching(/ (WARN|ERROR) /), []);
});

Deno.test("run exits with the code that main has set", async () => {
  const file = await ensemble.write(
    "failing.ts",
    "export const main = () => void (Deno.exitCode = 3);",
  );
  const { code, stderr } = await ensemble.run("run", "a", file);
  assert.equal(code, 3, stderr);
  assert.doesNotMatch(stderr, /error/);
});

/** The text of a program that starts its own server. */
function program(text: string): string {
  const runtime = new URL("../../mod.ts", import.meta.url).href;
  return `import { runServer, startServer } from "${runtime}";\n${text}`;
}

Deno.test("a program can clean up for as long as its grace, and ends even with open timers", async () => {
  const file = await ensemble.write(
    "program.ts",
    program(`
      setInterval(() => {}, 1000);
      await runServer("a", async (server) => {
        console.log("ready");
        await server.stopped;
        await new Promise((resolve) => setTimeout(resolve, 1200));
        console.log("cleaned up");
      }, { grace: 2_500 });
      console.log("goes on");
    `),
  );
  const server = ensemble.spawnDeno("run", "-A", "--no-check", file);
  await server.printed("ready");
  server.signal("SIGTERM");
  assert.equal(await server.exit(), 0);
  assert.deepEqual(server.output, ["ready", "cleaned up", "goes on"]);
});

Deno.test("a program that is cut off exits with 1, but one with startServer is left alone", async () => {
  const write = async (id: string, text: string) =>
    ensemble.spawnDeno("run", "-A", "--no-check", await ensemble.write(`${id}.ts`, program(text)));
  const [cut, left] = await Promise.all([
    write(
      "cut",
      `await runServer("cut", () => {
         console.log("ready");
         return new Promise(() => setInterval(() => {}, 1000));
       }, { grace: 200 });`,
    ),
    write(
      "left",
      `const server = await startServer("left", { grace: 200 });
       setInterval(() => {}, 1000);
       console.log("ready");
       await server.stopped;
       setTimeout(() => console.log("still there"), 1500);`,
    ),
  ]);
  await Promise.all([cut, left].map((each) => each.printed("ready")));
  assert.deepEqual(await ensemble.lines("shutdown", "left"), []);
  assert.deepEqual(await ensemble.lines("shutdown", "cut"), []);
  assert.equal(await cut.exit(), 1);
  await left.printed("still there");
});

Deno.test("shutdown -f ends an actor that receives nothing, by name and by number", async () => {
  const server = await ensemble.startServer(
    "a",
    [],
    `import { currentServer } from "@gxensemble/ensemble";
     export async function main() {
       const server = currentServer();
       const stuck = (self) => new Promise((_, reject) => {
         self.signal.addEventListener("abort", () => { console.log("told"); reject(self.signal.reason); });
       });
       server.spawn("stuck", stuck);
       console.log("ready " + server.spawn(undefined, stuck).serial);
       await server.stopped;
     }`,
  );
  const serial = (await server.printed("ready ")).slice("ready ".length);
  assert.deepEqual(await ensemble.lines("shutdown", "-f", "a", "stuck"), []);
  await server.printed("told");
  assert.equal(await ensemble.failure("ping", "a", "stuck"), "unknown actor: stuck@a");
  assert.deepEqual(await ensemble.lines("shutdown", "-f", `${serial}@a`), []);
  assert.equal(await ensemble.failure("ping", "a", serial), `unknown actor: ${serial}@a`);
  assert.match(await ensemble.failure("shutdown", "-f", "a", "loader"), /is a part of the server/);
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  assert.deepEqual(await ensemble.lines("shutdown", "a"), []);
  assert.equal(await server.exit(), 0);
});

Deno.test("a second signal ends a server that hangs in its clean-up", async () => {
  const server = await ensemble.startServer(
    "a",
    [],
    `import { currentServer } from "@gxensemble/ensemble";
     export async function main() {
       currentServer().serve("service", {}, { cleanUp: () => new Promise(() => {}) });
       console.log("ready");
       await currentServer().stopped;
     }`,
  );
  await server.printed("ready");
  server.signal("SIGINT");
  await server.logged(/a is stopping/);
  server.signal("SIGINT");
  assert.equal(await server.exit(), 130);
});

Deno.test("shutdown ends an actor, a server, and with -f the whole ensemble", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.run("cookie");
  const registry = await ensemble.startRegistry();
  const [a, b, c] = await Promise.all(
    ["a", "b", "c"].map(async (id) => {
      const server = await ensemble.startServer(id, [], TIDY);
      await server.printed("ready");
      return server;
    }),
  );

  assert.deepEqual(await ensemble.lines("shutdown", "a", "service"), []);
  await a!.printed("cleaned up");
  assert.deepEqual(await ensemble.lines("list-actors", "a"), [
    "loader",
    "observer",
    "registration",
    "server",
  ]);
  assert.match(await ensemble.failure("shutdown", "a", "service"), /^unknown actor: service@a$/);
  assert.match(await ensemble.failure("shutdown", "service@a"), /^unknown actor: service@a$/);

  assert.deepEqual(await ensemble.lines("shutdown", "b"), []);
  assert.equal(await b!.exit(), 0);
  assert.deepEqual(b!.output, ["ready", "cleaned up", "main was told"]);
  assert.match(
    await ensemble.failure("shutdown", "b"),
    /^cannot reach b: no server b is registered; did you mean a or c\?$/,
  );
  assert.deepEqual(ensemble.sockets(), ["a", "c", "registry"]);

  // Without a terminal, the command does not ask, and stops nothing.
  const { code, stdout, stderr } = await ensemble.run("shutdown");
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  assert.match(
    stderr,
    /without a terminal to confirm it, pass -f\nsee gxensemble help shutdown\n$/,
  );
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);

  assert.deepEqual(await ensemble.lines("shutdown", "-f"), [
    "... shutting down a",
    "... shutting down c",
    "... shutting down registry",
  ]);
  for (const process of [a!, c!, registry]) assert.equal(await process.exit(), 0);
  assert.deepEqual(ensemble.sockets(), []);
  assert.deepEqual(registry.matching(/ (WARN|ERROR) /), []);

  // A new registry on the same file has no entries.
  await ensemble.startRegistry();
  assert.deepEqual(await ensemble.listed(), ["registry"]);
  assert.deepEqual(JSON.parse((await ensemble.lines("shutdown", "-f", "--json")).join("\n")), [
    "registry",
  ]);
});

Deno.test("shutdown -f removes a killed server from the registry, and says so", async () => {
  await using ensemble = await RunningEnsemble.start();
  const [dead, live] = await Promise.all(["dead", "live"].map((id) => ensemble.startServer(id)));
  await dead!.kill();
  const { code, stdout, stderr } = await ensemble.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").at(-1), "... shutting down registry");
  assert.match(
    stderr,
    new RegExp(
      `^dead \\(pid ${dead!.pid} on host \\S+\\) has ended without leaving the registry; its entry`,
    ),
  );
  assert.equal(await live!.exit(), 0);
});

Deno.test("shutdown asks for confirmation at a terminal, and stops nothing if the answer is no", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a");
  const question = "shut down the whole ensemble: 1 server and the registry? [y/N]";
  const no = await gxensembleOnTerminal(ensemble.places, ["shutdown"], [[question, "n"]]);
  assert.equal(no.code, 1);
  assert.match(no.screen, /gxensemble: error: nothing was shut down\n$/);
  const stopped = await gxensembleOnTerminal(ensemble.places, ["shutdown"], [[question, CTRL_C]]);
  assert.equal(stopped.code, 1);
  assert.match(stopped.screen, /gxensemble: error: nothing was shut down\n$/);
  assert.deepEqual(await ensemble.lines("ping", "a"), ["OK"]);
  const yes = await gxensembleOnTerminal(ensemble.places, ["shutdown"], [[question, "yes"]]);
  assert.equal(yes.code, 0, yes.screen);
  assert.equal(await server.exit(), 0);
});

Deno.test("shutdown refuses to end the actors that a server consists of", async () => {
  const server = await ensemble.startServer("a");
  for (const actor of ["loader", "observer", "registration"]) {
    assert.equal(
      await ensemble.failure("shutdown", "a", actor),
      `${actor}@a is a part of the server: shut the server down with: gxensemble shutdown a`,
    );
  }
  assert.match(
    await ensemble.failure("shutdown", "registry", "registry"),
    /is a part of the server/,
  );
  assert.deepEqual(await ensemble.lines("eval", "a", "6 * 7"), ["42"]);
  assert.deepEqual(await ensemble.lines("shutdown", "a"), []);
  assert.equal(await server.exit(), 0);
});

Deno.test("shutdown -f keeps the registry running for a server that does not stop", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("free");
  await installAdministrator(ensemble);
  await Deno.remove(`${ensemble.places.gerbilPath}/ensemble/admin.priv`);
  await ensemble.startServer("guarded");
  const { code, stdout, stderr } = await ensemble.run("shutdown", "-f");
  assert.equal(code, 1);
  assert.equal(stdout, "... shutting down free\n... shutting down guarded\n");
  assert.match(stderr, /guarded: it takes the capability shutdown, and .* is not on this host\n/);
  assert.match(stderr, /the registry is left running, for the servers that still run\n/);
  assert.deepEqual(await ensemble.lines("ping", "guarded"), ["OK"]);
});
