import assert from "node:assert/strict";
import type { ImportResolver } from "../../../cli/repl/import_resolver.ts";
import { RemoteSession } from "../../../cli/repl/remote_session.ts";
import { serveLoader } from "../../../runtime/ensemble/loader.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { eventually } from "../../runtime/server/captured_logs.ts";
import { LocalEnsemble, refTo } from "../../runtime/server/local_ensemble.ts";

Deno.test("a RemoteSession accepts messages only from its own server and session", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const [target, rogue] = await Promise.all([ensemble.start("target"), ensemble.start("rogue")]);
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  serveLoader(target, { store });
  const console = await ensemble.startConsole();
  const output: string[] = [];
  const lost: (string | undefined)[] = [];
  const session = await RemoteSession.open(console.actors, {
    server: target.id,
    resolver: {} as ImportResolver,
    preview: {},
    elevating: (work) => work(),
    onOutput: (text) => output.push(text),
    onLost: (reason) => lost.push(reason),
  });
  const owner = console.actors.actors().find(({ name }) => name === undefined)!;
  // The rogue server is connected to the console.
  await console.connect(rogue.id);
  const forged = { type: "output", text: "pay here" };
  const news = { type: "down", monitor: [...owner.monitors][0], ref: refTo("target", 1) };
  await rogue.actors.ask(owner.ref, forged);
  await rogue.actors.ask(owner.ref, news);
  // Another actor of the same server is not the session.
  await target.actors.ask(owner.ref, forged);
  await target.actors.ask(owner.ref, news);
  for (const text of [undefined, 7, ["a"], { toString: () => "a" }]) {
    await assert.rejects(target.actors.ask(owner.ref, { type: "output", text }));
  }
  const never = new AbortController().signal;
  await session.evaluate("console.log('true')", never);
  await eventually(() => output.length > 0, "what the session writes");
  assert.deepEqual(output, ["true"]);
  assert.deepEqual(lost, []);
  await ensemble.stop(target);
  await eventually(() => lost.length > 0, "the news that the session has ended");
  assert.equal(lost.length, 1);
});
