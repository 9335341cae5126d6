import assert from "node:assert/strict";
import {
  openFiles,
  processMemory,
  processorTime,
  processUser,
  systemMemory,
} from "../../../runtime/observation/process_usage.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { Terminal } from "../../terminal.ts";

const MODULE = new URL("../../../runtime/observation/process_usage.ts", import.meta.url).href;

Deno.test("a process knows what it uses", () => {
  assert.ok(processMemory().rss > 1e6 && processorTime() > 1);
  assert.ok(systemMemory()!.total > systemMemory()!.available);
  assert.ok(processUser()!.length > 0);
  if (Deno.build.os === "linux") assert.ok(openFiles()!.count > 2 && openFiles()!.limit! > 2);
});

Deno.test("a process with few permissions does not ask for more", async () => {
  using places = new TemporaryEnsemble();
  const file = `${places.directory}/main.ts`;
  await Deno.writeTextFile(
    file,
    `import * as usage from ${JSON.stringify(MODULE)};
    usage.processMemory();
    usage.processorTime();
    console.log(usage.systemMemory(), usage.openFiles(), usage.processUser(), "is all");`,
  );
  await using terminal = new Terminal(places, [Deno.execPath(), "run", "--no-check", file]);
  const { screen } = await terminal.end();
  assert.match(screen, /undefined undefined undefined is all/);
});
