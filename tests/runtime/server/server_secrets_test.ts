import assert from "node:assert/strict";
import { controlClient } from "../../../runtime/ensemble/remote.ts";
import { elevate } from "../../../runtime/ensemble/elevation.ts";
import type { ActorServer } from "../../../runtime/server/actor_server.ts";
import { fingerprintOf, publicKeyFingerprint } from "../../../runtime/server/credentials.ts";
import {
  AdministeredEnsemble,
  elevated,
  granted,
  newAdministrator,
} from "./administered_ensemble.ts";
import { eventually } from "./captured_logs.ts";
import { LocalEnsemble, refTo } from "./local_ensemble.ts";

const OLD = new Uint8Array(32).fill(1);
const NEXT = new Uint8Array(32).fill(2);
const REFUSED = { name: "ActorError", remoteName: "NotAuthorizedError" };

/** A server whose cookies are read from a variable, as another one reads them from files. */
async function startRereading(ensemble: LocalEnsemble, id: string) {
  const files: { cookies: Uint8Array[] } = { cookies: [OLD] };
  const readCookies = () => Promise.resolve(files.cookies);
  const register = false;
  const server = await ensemble.start(id, { cookies: [OLD], readCookies, register });
  return { server, files };
}

async function pings(ensemble: LocalEnsemble, id: string, cookies: Uint8Array[]): Promise<void> {
  const client = await ensemble.startConsole(`console-${crypto.randomUUID()}`, { cookies });
  try {
    await client.connect(id, [ensemble.socket(id)]);
    await client.ask(refTo(id, "server"), { type: "ping" });
  } finally {
    await client.stop();
  }
}

Deno.test("rereadSecrets has a server accept either cookie, and then only the next one", async () => {
  await using ensemble = new LocalEnsemble();
  const { server, files } = await startRereading(ensemble, "a");
  const open = await ensemble.startConsole("console-open", { cookies: [OLD] });
  await open.connect("a", [ensemble.socket("a")]);
  const binding = open.session("a")!.binding;
  const control = controlClient(open, "a");
  const [old, next] = await Promise.all([OLD, NEXT].map(fingerprintOf));

  await assert.rejects(pings(ensemble, "a", [NEXT]), /their cookies differ/);
  files.cookies = [NEXT, OLD];
  assert.deepEqual((await control.secrets()).cookies, [old]);
  assert.deepEqual((await control.rereadSecrets()).cookies, [next, old]);
  await pings(ensemble, "a", [OLD]);
  await pings(ensemble, "a", [NEXT]);
  await pings(ensemble, "a", [NEXT, OLD]);

  files.cookies = [NEXT, NEXT];
  assert.deepEqual((await control.rereadSecrets()).cookies, [next]);
  await assert.rejects(pings(ensemble, "a", [OLD]), /their cookies differ/);
  await pings(ensemble, "a", [NEXT, OLD]);
  await pings(ensemble, "a", [NEXT]);
  // The connection that was opened with the old one is still the same.
  assert.deepEqual(open.session("a")!.binding, binding);
  assert.equal(server.session("console-open")!.ended, false);
});

Deno.test("secrets names the peers that connected without the next cookie", async () => {
  await using ensemble = new LocalEnsemble();
  const { server, files } = await startRereading(ensemble, "a");
  const connect = async (id: string, ...cookies: Uint8Array[]) => {
    const client = await ensemble.startConsole(id, { cookies });
    await client.connect("a", [ensemble.socket("a")]);
  };
  files.cookies = [NEXT, OLD];
  await server.secrets.reread();
  await connect("console-b", OLD);
  await connect("console-a", OLD);
  await connect("console-c", NEXT, OLD);
  await connect("console-d", NEXT);
  assert.deepEqual((await server.secrets.inUse()).behind, ["console-a", "console-b"]);
});

Deno.test("a client that was not told reads the cookie again when it is refused", async () => {
  await using ensemble = new LocalEnsemble();
  await ensemble.start("a", { cookies: [NEXT], register: false });
  const files = { cookies: [OLD], reads: 0 };
  const client = await ensemble.startConsole("console", {
    cookies: [OLD],
    readCookies() {
      files.reads++;
      return Promise.resolve(files.cookies);
    },
  });
  await assert.rejects(client.connect("a", [ensemble.socket("a")]), /their cookies differ/);
  assert.equal(files.reads, 1);
  // Not each time.
  await assert.rejects(client.connect("a", [ensemble.socket("a")]), /their cookies differ/);
  assert.equal(files.reads, 1);
  const late = await ensemble.startConsole("late", {
    cookies: [OLD],
    readCookies: () => Promise.resolve([NEXT]),
  });
  await late.connect("a", [ensemble.socket("a")]);
  assert.equal(await late.ask(refTo("a", "server"), { type: "ping" }), "OK");
});

Deno.test("a server that was not told reads the cookie again when a client has another one", async () => {
  await using ensemble = new LocalEnsemble();
  const { server, files } = await startRereading(ensemble, "a");
  files.cookies = [NEXT];
  const next = await fingerprintOf(NEXT);
  await assert.rejects(pings(ensemble, "a", [NEXT]), /their cookies differ/);
  await eventually(async () => (await server.secrets.inUse()).cookies.includes(next));
  await pings(ensemble, "a", [NEXT]);
  await assert.rejects(pings(ensemble, "a", [OLD]), /their cookies differ/);
});

Deno.test("rereadSecrets leaves all as it was when a file cannot be read", async () => {
  await using ensemble = new LocalEnsemble();
  const readCookies = () => Promise.reject(new Error("the disk is gone"));
  const server = await ensemble.start("a", { cookies: [OLD], readCookies, register: false });
  await assert.rejects(server.secrets.reread(), /the disk is gone/);
  assert.deepEqual((await server.secrets.inUse()).cookies, [await fingerprintOf(OLD)]);
  await pings(ensemble, "a", [OLD]);
});

Deno.test("rereadSecrets changes nothing that the program gave, and says so", async () => {
  await using ensemble = new LocalEnsemble();
  const server = await ensemble.start("a", { cookies: [OLD], register: false });
  const { given, cookies } = await server.secrets.reread();
  assert.deepEqual(given, ["cookie", "adminKey"]);
  assert.deepEqual(cookies, [await fingerprintOf(OLD)]);
});

/** A server that enforces capabilities, and the public keys in its files. */
async function startAdministered(ensemble: AdministeredEnsemble, ...adminKeys: CryptoKey[]) {
  await ensemble.startRegistry();
  const files: { adminKeys: CryptoKey[] } = { adminKeys };
  const target = await ensemble.start("target", {
    adminKeys,
    readAdminKeys: () => Promise.resolve(files.adminKeys),
    prepare: ({ actors }) =>
      void actors.serve("vault", {
        may: ({ capability }: { capability: string }, context) => context.authorized(capability),
      }),
  });
  return { target, files };
}

function elevatedBy(pair: CryptoKeyPair, client: ActorServer, ...capabilities: string[]) {
  const unlock = () => Promise.resolve(pair.privateKey);
  return elevate(client, "target", { capabilities, unlock });
}

Deno.test("either of two administrators' keys elevates, and what the retired one gave ends", async () => {
  await using ensemble = new AdministeredEnsemble();
  const [old, next] = await Promise.all([newAdministrator(), newAdministrator()]);
  const { target, files } = await startAdministered(ensemble, old.publicKey);
  const byOld = await ensemble.startRogue("byold");
  const byNext = await ensemble.startRogue("bynext");
  await elevatedBy(old, byOld, "admin");
  await assert.rejects(elevatedBy(next, byNext, "admin"), REFUSED);

  files.adminKeys = [next.publicKey, old.publicKey];
  const { adminKeys } = await controlClient(byOld, "target").rereadSecrets();
  const fingerprints = [next, old].map(({ publicKey }) => publicKeyFingerprint(publicKey));
  assert.deepEqual(adminKeys, await Promise.all(fingerprints));
  await elevatedBy(next, byNext, "shutdown");
  assert.deepEqual(await granted(byOld, target), ["admin", "loader", "shutdown"]);
  await elevatedBy(old, byOld, "loader");

  files.adminKeys = [next.publicKey];
  await controlClient(byOld, "target").rereadSecrets();
  assert.deepEqual(await granted(byOld, target), []);
  assert.deepEqual(await granted(byNext, target), ["shutdown"]);
  await assert.rejects(elevatedBy(old, byOld, "admin"), REFUSED);
  await elevatedBy(next, byOld, "admin");
  assert.deepEqual(await granted(byOld, target), ["admin", "loader", "shutdown"]);
});

Deno.test("a server goes on enforcing when the administrators' public key is removed", async () => {
  await using ensemble = new AdministeredEnsemble();
  const pair = await newAdministrator();
  const { target, files } = await startAdministered(ensemble, pair.publicKey);
  files.adminKeys = [];
  await assert.rejects(target.secrets.reread(), /public key is gone from the host of target/);
  const client = await ensemble.startRogue("client");
  assert.deepEqual(await granted(client, target), []);
  await elevatedBy(pair, client, "admin");
});

Deno.test("a server that was started without administrators does not begin to enforce", async () => {
  await using ensemble = new LocalEnsemble();
  const { publicKey } = await newAdministrator();
  const readAdminKeys = () => Promise.resolve([publicKey]);
  const server = await ensemble.start("a", { register: false, readAdminKeys });
  assert.deepEqual((await server.secrets.reread()).adminKeys, []);
  assert.equal(server.capabilities.administered, false);
});

Deno.test("secrets and rereadSecrets take the capability admin", async () => {
  await using ensemble = new AdministeredEnsemble();
  await ensemble.startRegistry();
  const target = await ensemble.start("target");
  const client = await ensemble.startRogue("client");
  const control = controlClient(client, "target");
  await assert.rejects(control.secrets(), REFUSED);
  await assert.rejects(control.rereadSecrets(), REFUSED);
  await elevated(client, target, "loader");
  await assert.rejects(control.rereadSecrets(), REFUSED);
  await elevated(client, target, "admin");
  await control.secrets();
});
