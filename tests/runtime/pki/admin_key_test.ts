import assert from "node:assert/strict";
import { findPlaces } from "../../../runtime/home/paths.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import {
  createAdminKey,
  hasAdminPrivateKey,
  openAdminPrivateKey,
  readAdminPublicKey,
  readAdminPublicKeys,
  requireNoAdminKey,
} from "../../../runtime/pki/admin_key.ts";
import { publicKeyFingerprint } from "../../../runtime/server/credentials.ts";
import { cheapSeals } from "../../cheap_passphrase.ts";
import { Home, makePipe } from "../ensemble/temporary_home.ts";
import { PASSPHRASE } from "../../cheap_passphrase.ts";

async function assertBelongTogether(privateKey: CryptoKey, publicKey: CryptoKey): Promise<void> {
  const text = new TextEncoder().encode("text");
  const signature = await crypto.subtle.sign("Ed25519", privateKey, text);
  assert.ok(await crypto.subtle.verify("Ed25519", publicKey, signature, text));
}

Deno.test("createAdminKey writes the private half first, and neither half if one exists", async () => {
  using home = new Home();
  using _ = cheapSeals();
  const made: string[] = [];
  const { link } = Deno;
  Deno.link = async (from, to) => {
    await link(from, to);
    made.push(`${to}`);
  };
  try {
    await createAdminKey(findPlaces(), { passphrase: PASSPHRASE });
  } finally {
    Deno.link = link;
  }
  assert.deepEqual(made, [home.privatePath, home.publicPath]);
  assert.equal(Deno.statSync(home.privatePath).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(home.publicPath).mode! & 0o777 & ~0o644, 0);
  await assertBelongTogether(
    await openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE)),
    (await readAdminPublicKey(findPlaces()))!,
  );
  await assert.rejects(
    requireNoAdminKey(findPlaces()),
    /an administrator key pair exists already/,
  );
  await assert.rejects(
    createAdminKey(findPlaces(), { passphrase: "x" }),
    /to replace it, run "gxensemble admin -f"/,
  );
});

Deno.test("createAdminKey publishes no key if it cannot write the private half", async () => {
  using home = new Home();
  using _ = cheapSeals();
  // A directory that is not empty cannot be replaced.
  Deno.mkdirSync(`${home.privatePath}/inside`, { recursive: true });
  await assert.rejects(
    createAdminKey(findPlaces(), { passphrase: PASSPHRASE, force: true }),
    /admin\.priv/,
  );
  assert.equal(await readAdminPublicKey(findPlaces()), undefined);
});

Deno.test("openAdminPrivateKey opens the key that belongs to the public key", async () => {
  using home = new Home();
  const { publicKey } = await home.withPair();
  assert.ok(await hasAdminPrivateKey(findPlaces()));
  await assertBelongTogether(
    await openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE)),
    publicKey,
  );
  await assert.rejects(
    openAdminPrivateKey(findPlaces(), () => Promise.resolve("battery staple")),
    /^EnsembleError: the passphrase is wrong/,
  );
});

Deno.test("openAdminPrivateKey refuses a file that others can read", async () => {
  using home = new Home();
  await home.withPair({ mode: 0o644 });
  await assert.rejects(openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE)), {
    name: "EnsembleError",
    message:
      `other users can read the administrators' private key ${home.privatePath} (mode 644): ` +
      `run "chmod 600 ${home.privatePath}"`,
  });
});

Deno.test("openAdminPrivateKey says that there is no key, or that it is not a file", async () => {
  using home = new Home();
  assert.equal(await hasAdminPrivateKey(findPlaces()), false);
  await assert.rejects(
    openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE)),
    /cannot read .*admin\.priv: /,
  );
  Deno.mkdirSync(home.privatePath);
  await assert.rejects(
    openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE)),
    /admin\.priv: it is a directory$/,
  );
});

Deno.test("readAdminPublicKey distinguishes a missing key from an unreadable one", async () => {
  using home = new Home();
  assert.equal(await readAdminPublicKey(findPlaces()), undefined);
  await home.withPair();
  const good = Deno.readTextFileSync(home.publicPath);
  Deno.removeSync(home.publicPath);
  for (
    const [put, reason] of [
      [() => Deno.symlinkSync("nowhere", home.publicPath), /cannot read .*admin\.pub: /],
      [() => Deno.mkdirSync(home.publicPath), /admin\.pub: it is a directory$/],
      [() => Deno.writeTextFileSync(home.publicPath, "text"), /is not an Ed25519 public key: /],
      [() => Deno.writeTextFileSync(home.publicPath, "\n"), /public key: it is empty$/],
      [
        () => Deno.writeTextFileSync(home.publicPath, good.slice(0, 60)),
        /has no end: the file was/,
      ],
      [() => makePipe(home.publicPath), /admin\.pub: it is a named pipe$/],
    ] as const
  ) {
    put();
    await assert.rejects(readAdminPublicKey(findPlaces()), (error) => {
      assert.ok(error instanceof EnsembleError);
      assert.match(error.message, reason);
      return true;
    });
    Deno.removeSync(home.publicPath);
  }
});

Deno.test("readAdminPublicKeys reads the next key, too, if there is a current one", async () => {
  using home = new Home();
  const { nextAdminPublicKey } = findPlaces();
  await home.withPair();
  const current = Deno.readTextFileSync(home.publicPath);
  assert.equal((await readAdminPublicKeys(findPlaces())).length, 1);
  Deno.writeTextFileSync(nextAdminPublicKey, current);
  assert.equal((await readAdminPublicKeys(findPlaces())).length, 1);
  const { publicKey } = await crypto.subtle.generateKey("Ed25519", true, ["sign"]) as CryptoKeyPair;
  const next = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)).toBase64();
  const pem = `-----BEGIN PUBLIC KEY-----\n${next}\n-----END PUBLIC KEY-----\n`;
  Deno.writeTextFileSync(nextAdminPublicKey, pem);
  const keys = await readAdminPublicKeys(findPlaces());
  const fingerprints = await Promise.all(keys.map(publicKeyFingerprint));
  assert.equal(fingerprints.length, 2);
  assert.equal(fingerprints[0], await publicKeyFingerprint(publicKey));
  Deno.writeTextFileSync(nextAdminPublicKey, "text");
  await assert.rejects(readAdminPublicKeys(findPlaces()), /admin\.pub\.next is not an Ed25519/);
  // A next key alone enforces nothing, as no key does.
  Deno.writeTextFileSync(nextAdminPublicKey, pem);
  Deno.removeSync(home.publicPath);
  assert.deepEqual(await readAdminPublicKeys(findPlaces()), []);
});

Deno.test("openAdminPrivateKey does not ask for a passphrase when none can open the file", async () => {
  using home = new Home();
  await home.withPair();
  const good = Deno.readTextFileSync(home.privatePath);
  const ask = () => assert.fail("the passphrase was asked for");
  for (
    const [text, reason] of [
      ["", /admin\.priv is empty$/],
      [good.slice(0, 100), /admin\.priv is not an armored age file, or was truncated: /],
      ["secret", /admin\.priv is not an armored age file, or was truncated: /],
    ] as const
  ) {
    Deno.writeTextFileSync(home.privatePath, text);
    await assert.rejects(openAdminPrivateKey(findPlaces(), ask), reason);
  }
  Deno.removeSync(home.privatePath);
  makePipe(home.privatePath);
  await assert.rejects(openAdminPrivateKey(findPlaces(), ask), /admin\.priv: it is a named pipe$/);
  // A file copied as text often ends with a line break.
  Deno.removeSync(home.privatePath);
  Deno.writeTextFileSync(home.privatePath, `${good}\r\n`, { mode: 0o600 });
  await openAdminPrivateKey(findPlaces(), () => Promise.resolve(PASSPHRASE));
});
