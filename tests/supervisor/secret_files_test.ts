import assert from "node:assert/strict";
import { generateCookie } from "../../runtime/home/cookie.ts";
import { Places } from "../../runtime/home/paths.ts";
import { fingerprintOf } from "../../runtime/server/credentials.ts";
import { serveSecretFiles } from "../../supervisor/secret_files.ts";
import { secretFilesClient } from "../../supervisor/secret_files_protocol.ts";
import { AdministeredEnsemble, elevated } from "../runtime/server/administered_ensemble.ts";

const REFUSED = { name: "ActorError", remoteName: "NotAuthorizedError" };

/** A supervisor whose host has a cookie, and a console. */
async function host() {
  const ensemble = new AdministeredEnsemble();
  const directory = `${ensemble.directory}/files`;
  await Deno.mkdir(directory);
  const places = new Places(directory, ensemble.directory);
  const cookie = generateCookie();
  await Deno.writeFile(places.cookie, cookie, { mode: 0o600 });
  await ensemble.startRegistry();
  const supervisor = await ensemble.start("supervisor-host1", {
    prepare: (server) => serveSecretFiles(server, places),
  });
  const console = await ensemble.startRogue("console");
  const files = secretFilesClient(console.actors, supervisor.id);
  return { ensemble, places, cookie, supervisor, console, files };
}

Deno.test("the actor secrets changes the files of its host for administrators", async () => {
  const { ensemble, places, cookie, supervisor, console, files } = await host();
  await using _ = ensemble;
  const contents = generateCookie();
  const [current, next] = await Promise.all([fingerprintOf(cookie), fingerprintOf(contents)]);
  const { dev, ino } = await Deno.stat(places.directory);
  const where = { nextPath: places.nextCookie, directory: `${dev}:${ino}` };
  const name = "cookie";
  await elevated(console, supervisor, "admin");
  assert.deepEqual(await files.state({ name }), { current, ...where });
  assert.deepEqual(await files.take({ name, contents }), { current, next, ...where });
  assert.deepEqual(await files.use({ name, fingerprint: next }), { current: next, next, ...where });
  assert.deepEqual(await files.finish({ name, fingerprint: next }), { current: next, ...where });
  assert.deepEqual(await Deno.readFile(places.cookie), contents);
});

Deno.test("each request to the actor secrets takes the capability admin", async () => {
  const { ensemble, places, supervisor, console, files } = await host();
  await using _ = ensemble;
  await elevated(console, supervisor, "supervisor", "filesystem", "loader");
  const name = "cookie";
  const fingerprint = "0".repeat(64);
  await assert.rejects(files.state({ name }), REFUSED);
  await assert.rejects(files.take({ name, contents: generateCookie() }), REFUSED);
  await assert.rejects(files.use({ name, fingerprint }), REFUSED);
  await assert.rejects(files.finish({ name, fingerprint }), REFUSED);
  await assert.rejects(files.abandon({ name, fingerprint }), REFUSED);
  await assert.rejects(Deno.stat(places.nextCookie), Deno.errors.NotFound);
});

Deno.test("the actor secrets refuses other files and contents", async () => {
  const { ensemble, supervisor, console, files } = await host();
  await using _ = ensemble;
  await elevated(console, supervisor, "admin");
  const name = "../cookie" as "cookie";
  await assert.rejects(files.state({ name }), /not a secret that can be rotated/);
  const contents = new Uint8Array(33);
  await assert.rejects(files.take({ name: "cookie", contents }), /not a cookie: it has 33 bytes/);
  const large = new Uint8Array(5000);
  await assert.rejects(files.take({ name: "cookie", contents: large }), /contents/);
});
