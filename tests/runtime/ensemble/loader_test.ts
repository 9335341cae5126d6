import assert from "node:assert/strict";
import { hashText, hashUnit, type Unit } from "../../../runtime/code/unit.ts";
import { UnitStore } from "../../../runtime/code/unit_store.ts";
import { serveLoader } from "../../../runtime/ensemble/loader.ts";
import { loaderChecks } from "../../../runtime/ensemble/loader_protocol.ts";
import { controlClient, loaderClient } from "../../../runtime/ensemble/remote.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { shortInstance } from "../../../runtime/server/credentials.ts";
import type { Address } from "../../../runtime/wire/address.ts";
import { AdministeredEnsemble } from "../server/administered_ensemble.ts";
import { CapturedLogs } from "../server/captured_logs.ts";
import { LocalEnsemble } from "../server/local_ensemble.ts";
import { MadeAuthority } from "../wire/made_authority.ts";

const REFUSED = { name: "ActorError", remoteName: "NotAuthorizedError" };

/** Starts the loader of a server. */
async function startLoader(server: ActorServer, ensemble: LocalEnsemble): Promise<void> {
  const store = await UnitStore.open(`${ensemble.directory}/loader.d`);
  serveLoader(server, { store });
}

async function unitOf(text: string): Promise<Unit> {
  const parts = { module: "a.ts", path: "/a.ts", text, metaProperties: [] };
  return { ...parts, hash: await hashUnit(parts), links: [], pauses: false };
}

Deno.test("the loader refuses every request of a server without the capability", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  await startLoader(target, ensemble);
  const other = await ensemble.startRogue("other");
  const loader = loaderClient(other.actors, target.id);
  const load = { entry: "0".repeat(64), modules: [], libraries: [], by: "me@here" };
  const unit = await unitOf("1;");
  const requests = {
    missing: () => loader.missing({ hashes: [] }),
    running: () => loader.running({ modules: [] }),
    libraries: () => loader.libraries(),
    ship: () => loader.ship({ units: [unit] }),
    load: () => loader.load(load),
    prepare: () => loader.prepare({ ...load, hashes: [], bytes: 0 }),
    goBack: () => loader.goBack({ id: "1", by: "me@here" }),
    health: () => loader.health({ module: "a.ts" }),
    keep: () => loader.keep({ ...load, id: "1" }),
    loads: () => loader.loads(),
    history: () => loader.history(),
    loaded: () => loader.loaded(),
    library: () => loader.library({ specifier: "node:os" }),
    evaluate: () => loader.evaluate({ expression: "1" }),
    openSession: () => loader.openSession({}),
  };
  assert.deepEqual(Object.keys(requests).sort(), Object.keys(loaderChecks).sort());
  for (const [type, request] of Object.entries(requests)) {
    await assert.rejects(request as () => Promise<unknown>, REFUSED, type);
    const lines = logs.matching(
      new RegExp(`^WARN audit: ${type} refused who=instance:\\S+ client=other transport=unix`),
    );
    assert.equal(lines.length, 1, type);
  }
});

Deno.test("the audit log identifies code by its hash, and omits requests that run nothing", async () => {
  using logs = await CapturedLogs.start();
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  await startLoader(target, ensemble);
  const other = await ensemble.start("other");
  await controlClient(target.actors, target.id).authorize({
    server: other.id,
    capabilities: ["loader"],
  });
  const loader = loaderClient(other.actors, target.id);
  const unit = await unitOf("export const secret = 1;");
  await loader.missing({ hashes: [unit.hash] });
  await loader.ship({ units: [unit] });
  await loader.load({ entry: unit.hash, modules: [unit], libraries: [], by: "me@here" });
  await loader.running({ modules: ["a.ts"] });
  await loader.history();
  await loader.libraries();
  await loader.library({ specifier: "node:os" });
  await loader.evaluate({ expression: "'secret'" });
  const serial = await loader.openSession({});
  const who = `who=instance:${shortInstance(other.entry.instance)} client=other transport=unix`;
  assert.deepEqual(logs.matching(/ audit: .* client=other/), [
    `INFO audit: load allowed ${who} hash=${unit.hash}`,
    `INFO audit: library allowed ${who} specifier=node:os`,
    `INFO audit: evaluate allowed ${who} hash=${await hashText("'secret'")}`,
    `INFO audit: openSession allowed ${who}`,
  ]);
  assert.ok(!logs.matching(/ audit: /).some((line) => line.includes("secret")));
  target.actors.find(serial)!.exit();
});

Deno.test("the loader requires certificates over tls, even without an administrator", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.startRegistry();
  const authority = await MadeAuthority.create();
  const port: Address = { kind: "tls", host: "127.0.0.1", port: 0 };
  const target = await ensemble.start("target", {
    tls: await authority.credentials("target"),
    listen: [ensemble.socket("target"), port],
  });
  await startLoader(target, ensemble);
  const at = target.entry.addresses.find(({ kind }) => kind === "tls")!;
  const evaluateBy = async (id: string, uri: string) => {
    const tls = await authority.credentials(id, { uris: [uri] });
    const server = await ensemble.start(id, { tls, listen: [], register: false });
    await server.connect(target.id, [at]);
    return await loaderClient(server.actors, target.id).evaluate({ expression: "1 + 1" });
  };
  await assert.rejects(evaluateBy("bar", "cap:jobs:run"), REFUSED);
  assert.equal(await evaluateBy("loading", "cap:loader"), "2");
  const console = await ensemble.startConsole();
  assert.equal(await loaderClient(console.actors, target.id).evaluate({ expression: "3" }), "3");
});
