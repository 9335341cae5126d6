import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { RunningEnsemble } from "./running_ensemble.ts";

const BUSY = `
  import { currentServer } from "@gxensemble/ensemble";
  function burnProcessorTime() {
    const until = performance.now() + 20;
    let sum = 0;
    while (performance.now() < until) sum += Math.sqrt(sum + 1);
    return sum;
  }
  export class KeptForEver {}
  export const main = () => {
    globalThis.kept = Array.from({ length: 1000 }, () => new KeptForEver());
    setInterval(burnProcessorTime, 25);
    return currentServer().stopped;
  };
`;

Deno.test("profile --cpu writes what a server's code does, and names its hottest functions", async () => {
  await using ensemble = await RunningEnsemble.start();
  const server = await ensemble.startServer("a", [], BUSY);
  const file = ensemble.path("a.cpuprofile");
  const lines = await ensemble.lines("profile", "a", "--cpu", "500ms", "-o", file);
  const { size, mode } = await Deno.stat(file);
  assert.equal(lines[0], `... wrote ${file} (${size} bytes)`);
  assert.equal(mode! & 0o777, 0o600);
  const burning = lines.find((line) => /\tburnProcessorTime\t/.test(line));
  assert.match(burning!, /^[\d.]+%\tburnProcessorTime\t.*:3$/, lines.join("\n"));
  const { nodes, samples, timeDeltas } = JSON.parse(await Deno.readTextFile(file));
  assert.ok(nodes.length > 3 && samples.length > 10 && timeDeltas.length === samples.length);
  assert.match(
    await ensemble.failure("profile", "a", "--cpu", "100ms", "-o", file),
    /a\.cpuprofile exists: replace it with --force, or name another one with -o$/,
  );
  // Without a name it writes into the directory in which it runs.
  ensemble.places.workingDirectory = ensemble.path(".");
  const { stdout, stderr } = await ensemble.run("profile", "a", "--cpu", "100ms", "-f", "--json");
  ensemble.places.workingDirectory = undefined;
  assert.notEqual(stdout, "", stderr);
  const { path, bytes, functions } = JSON.parse(stdout);
  assert.deepEqual([path, bytes], ["a.cpuprofile", (await Deno.stat(file)).size]);
  assert.ok(functions.length > 0 && functions[0].share > 0);
  // Several at once are one too many, and a console that is lost gives its profile up.
  const lost = ensemble.spawn("profile", "a", "--cpu", "5m", "-o", ensemble.path("lost"));
  await lost.logged(/profiling a for 300 s/);
  await server.until(
    async () =>
      (await ensemble.run("profile", "a", "--cpu", "1ms", "-o", ensemble.path("other")))
        .stderr.includes("a is profiled already: wait until that is done"),
    "refuses a second one",
  );
  lost.signal("SIGINT");
  await lost.exit();
  await server.until(
    async () => (await ensemble.run("profile", "a", "--cpu", "1ms", "-f", "-o", file)).code === 0,
    "can be profiled again",
  );
});

Deno.test("profile --heap writes a snapshot of a server's memory, and leaves none in the server's directory", async () => {
  await using ensemble = await RunningEnsemble.start();
  await ensemble.startServer("a", [], BUSY);
  const file = ensemble.path("a.heapsnapshot");
  const { code, stdout, stderr } = await ensemble.run("profile", "a", "--heap", "-f", "-o", file);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^\.\.\. a stops for about \d+ s and takes about \d+ MB more memory/);
  const { size, mode } = await Deno.stat(file);
  assert.equal(stdout, `... wrote ${file} (${size} bytes)\n`);
  assert.equal(mode! & 0o777, 0o600);
  const { snapshot, strings } = JSON.parse(await Deno.readTextFile(file));
  assert.ok(snapshot.node_count > 10_000);
  assert.ok(strings.includes("KeptForEver"));
  const [directory] = await ensemble.lines("eval", "a", "ensemble.directory");
  assert.equal(existsSync(`${directory!.replaceAll('"', "")}/heap.heapsnapshot`), false);
  assert.ok(await ensemble.answers("a"));
  const { code: wrong, stderr: usage } = await ensemble.run("profile", "a");
  assert.equal(wrong, 2);
  assert.match(usage, /nothing to profile: give --cpu <time> or --heap/);
});
