import assert from "node:assert/strict";
import { loadFile } from "../../../cli/modules/load_file.ts";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { testEnsemble } from "../../../testing/test_ensemble.ts";
import { generatePair, PASSPHRASE } from "../../cheap_passphrase.ts";

Deno.test("server.remote does what the command line does", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  await ensemble.startServer("b");
  const client = await ensemble.startServer();
  a.serve("counter", {});
  const remote = client.remote("a");
  await remote.ping();
  assert.deepEqual((await remote.actors()).filter((name) => name === "counter"), ["counter"]);
  assert.equal(await remote.evaluate("ensemble.id"), '"a"');
  assert.equal(await remote.evaluate("[1, { a: 2 }]", { json: true }), '[1,{"a":2}]');
  await remote.connect("b");
  assert.ok(
    (await remote.connections()).some(({ peer, address }) =>
      peer === "b" && address.startsWith("unix:")
    ),
  );
  await remote.shutDownActor("counter");
  assert.equal(a.actors.find("counter"), undefined);
  a.spawn("deaf", () => new Promise(() => {}));
  await remote.killActor("deaf");
  await assert.rejects(remote.killActor("deaf"), /unknown actor: deaf@a/);
  await remote.shutDown();
  await a.stopped;
  assert.throws(() => client.remote("no id"), { name: "InvalidInputError" });
});

Deno.test("server.elevate gets capabilities with the administrators' key, and authorize passes them on", async () => {
  const pair = await crypto.subtle.generateKey("Ed25519", true, [
    "sign",
    "verify",
  ]) as CryptoKeyPair;
  const adminKey = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", pair.publicKey));
  const key = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", pair.privateKey));
  await using ensemble = await testEnsemble({ adminKey });
  await ensemble.startServer("a");
  const b = await ensemble.startServer("b");
  const client = await ensemble.startServer();
  const remote = client.remote("a");
  await assert.rejects(remote.evaluate("1"), /not authorized for evaluate/);
  await client.elevate("a", { key, capabilities: ["admin"] });
  assert.equal(await remote.evaluate("1"), "1");
  await remote.authorize("b", ["loader"]);
  assert.deepEqual(
    (await remote.authorizations()).map(({ server, capabilities }) => [server, capabilities]),
    [["b", ["loader"]]],
  );
  assert.equal(await b.remote("a").evaluate("2"), "2");
  assert.deepEqual(await remote.retract("b"), ["loader"]);
  await assert.rejects(b.remote("a").evaluate("2"), /not authorized for evaluate/);
  await assert.rejects(client.elevate("a", { key: adminKey, capabilities: ["admin"] }), {
    name: "InvalidInputError",
  });
});

Deno.test("server.elevate opens an encrypted key with its passphrase", async () => {
  const { open: adminKey, sealed: key } = await generatePair(PASSPHRASE);
  await using ensemble = await testEnsemble({ adminKey });
  await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const capabilities = ["loader"];
  await assert.rejects(client.elevate("a", { key, capabilities }), {
    name: "InvalidInputError",
    message: /it takes a passphrase/,
  });
  const passphrase = "battery staple";
  await assert.rejects(
    client.elevate("a", { key, passphrase, capabilities }),
    /the passphrase is wrong/,
  );
  await assert.rejects(client.remote("a").evaluate("1"), /not authorized for evaluate/);
  await client.elevate("a", { key, passphrase: PASSPHRASE, capabilities });
  assert.equal(await client.remote("a").evaluate("1"), "1");
});

Deno.test("loadFile loads a source file into another server and into its own", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a");
  const client = await ensemble.startServer();
  const project = `${ensemble.directory}/project`;
  await Deno.mkdir(project);
  await Deno.writeTextFile(`${project}/deno.json`, "{}");
  await Deno.writeTextFile(`${project}/part.ts`, "export const part: number = 3;\n");
  await Deno.writeTextFile(
    `${project}/whole.ts`,
    `import { part } from "./part.ts";\nexport const whole = part + 1;\n`,
  );
  const modules = await loadFile(client.remote("a"), `${project}/whole.ts`);
  assert.deepEqual(modules.map(({ module, loaded }) => [module, loaded]), [
    ["part.ts", true],
    ["whole.ts", true],
  ]);
  assert.equal(a.module("whole.ts")?.whole, 4);
  const again = await loadFile(a, `${project}/whole.ts`);
  assert.deepEqual(again.map(({ loaded }) => loaded), [false, false]);
  await assert.rejects(loadFile(a, `${project}/none.ts`), /none\.ts/);
});

Deno.test("a server that stops does not wait for what its loader runs", async () => {
  await using ensemble = await testEnsemble();
  const a = await ensemble.startServer("a", { grace: 600_000 });
  const client = await ensemble.startServer();
  const evaluated = client.remote("a").evaluate(
    "ensemble.spawn('begun', (self) => self.receive([])), new Promise(() => {})",
    { timeout: Infinity },
  );
  const failed = assert.rejects(evaluated, { code: "ACTOR_ENDED" });
  while (!a.actors.find("begun")) await new Promise((resolve) => setTimeout(resolve, 5));
  a.actors.kill("begun");
  await a.stop();
  await failed;
});
