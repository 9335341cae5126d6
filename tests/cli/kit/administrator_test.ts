import assert from "node:assert/strict";
import { Administrator, operatorName } from "../../../cli/kit/administrator.ts";
import { loaderClient } from "../../../runtime/ensemble/remote.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { Home } from "../../runtime/ensemble/temporary_home.ts";
import { PASSPHRASE } from "../../cheap_passphrase.ts";
import { CapturedLogs } from "../../runtime/server/captured_logs.ts";
import { LocalEnsemble } from "../../runtime/server/local_ensemble.ts";

/** Servers with an administrator whose private key is on this host, and a console. */
async function administered() {
  const home = new Home();
  const ensemble = new LocalEnsemble();
  const { publicKey } = await home.withPair();
  const start = (id: string) =>
    ensemble.start(id, {
      adminKeys: [publicKey],
      prepare: ({ actors, capabilities }) =>
        void actors.serve("loader", {
          evaluate(_request, { envelope }) {
            capabilities.require(envelope, { capability: "loader", what: "evaluate" });
            return "done";
          },
        }),
    });
  await ensemble.startRegistry();
  const servers = [await start("a"), await start("b")];
  const console = await ensemble.startConsole("console-1");
  const passphraseFile = `${home.root}/passphrase`;
  const give = (passphrase: string) =>
    Deno.writeTextFileSync(passphraseFile, passphrase, { mode: 0o600 });
  give(PASSPHRASE);
  const administrator = new Administrator(console, { passphraseFile });
  const evaluate = (server: ActorServer) =>
    administrator.elevating(
      server.id,
      "loader",
      () => loaderClient(console.actors, server.id).evaluate({ expression: "1", json: false }),
    );
  return {
    servers,
    home,
    give,
    administrator,
    evaluate,
    async [Symbol.asyncDispose]() {
      await ensemble[Symbol.asyncDispose]();
      home[Symbol.dispose]();
    },
  };
}

Deno.test("an administrator's command appears in the audit log as allowed, without an earlier refusal", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = await administered();
  const { evaluate, servers: [a] } = ensemble;
  assert.equal(await evaluate(a!), "done");
  assert.equal(await evaluate(a!), "done");
  const lines = logs.matching(/ audit: /).map((line) =>
    line.replace(/admin:[0-9a-f]{16}/, "admin")
  );
  const who = `who=admin client=console-1 claimed=${operatorName()} transport=unix`;
  assert.deepEqual(lines, [
    `INFO audit: elevation allowed ${who} capabilities=loader`,
    `INFO audit: evaluate allowed ${who}`,
    `INFO audit: evaluate allowed ${who}`,
  ]);
});

Deno.test("a command without the private key is refused once, with the reason", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = await administered();
  const { evaluate, home, servers: [a] } = ensemble;
  Deno.removeSync(home.privatePath);
  await assert.rejects(
    evaluate(a!),
    /takes the capability loader, and the administrators' private key is not on this host$/,
  );
  const lines = logs.matching(/ audit: /);
  assert.deepEqual(lines.length, 1, lines.join("\n"));
  assert.match(
    lines[0]!,
    /^WARN audit: evaluate refused who=instance:\S+ client=console-1 claimed=/,
  );
});

Deno.test("a command for several servers asks once, even if the passphrase is wrong", async () => {
  await using ensemble = await administered();
  const { evaluate, give, servers: [a, b] } = ensemble;
  give("battery staple");
  await assert.rejects(evaluate(a!), /the passphrase is wrong/);
  give(PASSPHRASE);
  await assert.rejects(evaluate(b!), /the passphrase is wrong/);
});

Deno.test("a REPL asks again after a wrong passphrase", async () => {
  await using ensemble = await administered();
  const { evaluate, give, administrator, servers: [a] } = ensemble;
  administrator.asksAgain = true;
  give("battery staple");
  await assert.rejects(evaluate(a!), /the passphrase is wrong/);
  give(PASSPHRASE);
  assert.equal(await evaluate(a!), "done");
});
