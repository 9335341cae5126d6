import assert from "node:assert/strict";
import { makeExecutable } from "../../cli/executables/executable.ts";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";
import { findProgram } from "../requirements.ts";

/**
 * A stand-in for the runtime into which `deno compile` puts a program: a small file of the same
 * kind, which is fast to copy, and does not run its contents.
 */
const SMALL_RUNTIME = findProgram("true")!;

Deno.test("a compilation leaves nothing behind when it is interrupted by any signal", async () => {
  await using ensemble = new RunningEnsemble();
  const main = await ensemble.write("main.ts", `console.log("one");`);
  const names = () => Array.from(Deno.readDirSync(ensemble.path("")), ({ name }) => name).sort();
  ensemble.places.environment.DENORT_BIN = SMALL_RUNTIME;
  const args = ["compile", "-o", ensemble.path("out"), main];
  const isCompiling = () => Promise.resolve(names().length > 1);
  // Signals are not ignored, even if the tests ignore them.
  const obeying = ["env", "--default-signal=HUP,INT,TERM", ...ensemble.places.program, ...args];
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    const process = ensemble.spawnProgram(...obeying);
    await process.until(isCompiling, "compiling");
    process.signal(signal);
    assert.equal(await process.exit(), code);
    assert.deepEqual(names(), ["main.ts"]);
  }
  // The next compilation removes what a killed one leaves, and concurrent ones wait for each other.
  const killed = ensemble.spawn(...args);
  await killed.until(isCompiling, "compiling");
  await killed.kill();
  assert.deepEqual(names(), [".compiling-out", "main.ts"]);
  const old = await ensemble.write(".compiling-out/program/old", "of one that was killed");
  const unending = ensemble.spawnProgram("nohup", ...ensemble.places.program, ...args);
  const isGone = () => Deno.stat(old).then(() => false, () => true);
  await unending.until(isGone, "compiling");
  unending.signal("SIGHUP");
  const [[, first], [, second]] = await Promise.all([
    ensemble.lines(...args),
    ensemble.lines(...args),
  ]);
  assert.equal(await unending.exit(), 0);
  const made = await crypto.subtle.digest("SHA-256", await Deno.readFile(ensemble.path("out")));
  const hashes = [first, second, unending.output[1]];
  assert.ok(hashes.includes(new Uint8Array(made).toHex()), "it is none of those that were made");
  await Deno.symlink(ensemble.places.directory, ensemble.path(".compiling-out"));
  assert.match(await ensemble.failure(...args), /\.compiling-out is in the way: remove it$/);
  await Deno.remove(ensemble.path(".compiling-out"));
  assert.deepEqual(names(), ["main.ts", "out"]);
});

Deno.test("a program whose project does not import the runtime gets a complete one", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.write("deno.json", "{}");
  const main = await ensemble.write(
    "main.ts",
    `
    import { runServer } from "@gxensemble/ensemble";
    const { hello } = await import("./optional.ts").catch(() => ({ hello: "hello " }));
    await runServer("alone", async (server) => {
      server.serve("greeter", { greet: ({ name }: { name: string }) => hello + name });
      await server.stopped;
    });
  `,
  );
  const output = ensemble.path("alone");
  await makeExecutable({ entry: main, output, portable: true, deno: await ensemble.writeDeno() });
  const server = ensemble.spawnProgram(output);
  await server.until(() => ensemble.answers("alone"), "reached");
  const loaded = await ensemble.write(
    "loaded.ts",
    `
    import { currentServer } from "@gxensemble/ensemble";
    export const greeting = await currentServer().ask("greeter", { type: "greet", name: "you" });
  `,
  );
  await ensemble.lines("load", "alone", loaded);
  assert.deepEqual(
    await ensemble.lines("eval", "alone", 'ensemble.module("loaded.ts").greeting'),
    ['"hello you"'],
  );
  await ensemble.lines("shutdown", "-f", "alone");
  assert.equal(await server.exit(), 0);
});
