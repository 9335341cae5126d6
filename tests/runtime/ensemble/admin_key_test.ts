import assert from "node:assert/strict";
import { cheapSeals } from "../../cheap_passphrase.ts";
import {
  createAdminKey,
  hasAdminPrivateKey,
  openAdminPrivateKey,
  readAdminPublicKey,
  requireNoAdminKey,
} from "../../../runtime/ensemble/admin_key.ts";
import { EnsembleError } from "../../../runtime/errors.ts";
import { Home, PASSPHRASE } from "./home.ts";

async function assertBelongTogether(privateKey: CryptoKey, publicKey: CryptoKey): Promise<void> {
  const text = new TextEncoder().encode("text");
  const signature = await crypto.subtle.sign("Ed25519", privateKey, text);
  assert.ok(await crypto.subtle.verify("Ed25519", publicKey, signature, text));
}

Deno.test("createAdminKey writes the private half first, and neither where one exists", async () => {
  using home = new Home();
  using _ = cheapSeals();
  const made: string[] = [];
  const { link } = Deno;
  Deno.link = async (from, to) => {
    await link(from, to);
    made.push(`${to}`);
  };
  try {
    await createAdminKey({ passphrase: PASSPHRASE });
  } finally {
    Deno.link = link;
  }
  assert.deepEqual(made, [home.privatePath, home.publicPath]);
  assert.equal(Deno.statSync(home.privatePath).mode! & 0o777, 0o600);
  assert.equal(Deno.statSync(home.publicPath).mode! & 0o777 & ~0o644, 0);
  await assertBelongTogether(
    await openAdminPrivateKey(PASSPHRASE),
    (await readAdminPublicKey())!,
  );
  await assert.rejects(requireNoAdminKey(), /there is an administrator key pair already/);
  await assert.rejects(
    createAdminKey({ passphrase: "x" }),
    /replace it with "gxensemble admin -f"/,
  );
});

Deno.test("createAdminKey publishes no key whose private half cannot be written", async () => {
  using home = new Home();
  using _ = cheapSeals();
  // A directory with something in it cannot be replaced.
  Deno.mkdirSync(`${home.privatePath}/inside`, { recursive: true });
  await assert.rejects(createAdminKey({ passphrase: PASSPHRASE, force: true }), /admin\.priv/);
  assert.equal(await readAdminPublicKey(), undefined);
});

Deno.test("openAdminPrivateKey opens what belongs to the public key", async () => {
  using home = new Home();
  const { publicKey } = await home.withPair();
  assert.ok(await hasAdminPrivateKey());
  await assertBelongTogether(await openAdminPrivateKey(PASSPHRASE), publicKey);
  await assert.rejects(
    openAdminPrivateKey("battery staple"),
    /^EnsembleError: the passphrase is wrong/,
  );
});

Deno.test("openAdminPrivateKey refuses a file that others can read", async () => {
  using home = new Home();
  await home.withPair({ mode: 0o644 });
  await assert.rejects(openAdminPrivateKey(PASSPHRASE), {
    name: "EnsembleError",
    message: `others can read the administrators' private key ${home.privatePath} (mode 644): ` +
      `run "chmod 600 ${home.privatePath}"`,
  });
});

Deno.test("openAdminPrivateKey says that there is no key, or that it is no file", async () => {
  using home = new Home();
  assert.equal(await hasAdminPrivateKey(), false);
  await assert.rejects(openAdminPrivateKey(PASSPHRASE), /cannot read .*admin\.priv: /);
  Deno.mkdirSync(home.privatePath);
  await assert.rejects(openAdminPrivateKey(PASSPHRASE), /admin\.priv: it is a directory$/);
});

Deno.test("readAdminPublicKey tells a key that is missing from one that cannot be read", async () => {
  using home = new Home();
  assert.equal(await readAdminPublicKey(), undefined);
  for (
    const [put, reason] of [
      [() => Deno.symlinkSync("nowhere", home.publicPath), /cannot read .*admin\.pub: /],
      [() => Deno.mkdirSync(home.publicPath), /admin\.pub: it is a directory$/],
      [() => Deno.writeTextFileSync(home.publicPath, "text"), /is not an Ed25519 public key: /],
    ] as const
  ) {
    put();
    await assert.rejects(readAdminPublicKey(), (error) => {
      assert.ok(error instanceof EnsembleError);
      assert.match(error.message, reason);
      return true;
    });
    Deno.removeSync(home.publicPath);
  }
});
