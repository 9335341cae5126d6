import assert from "node:assert/strict";
import { armor } from "npm:age-encryption@^0.3.1";
import { sealPrivateKey } from "../../../runtime/pki/pem.ts";

/** The scrypt work factor that `age --passphrase` uses, as a logarithm. */
const WORK_FACTOR = 18;

Deno.test("sealPrivateKey makes each guess of the passphrase as costly as age does", async () => {
  const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
  const { privateKey } = pair as CryptoKeyPair;
  const sealed = armor.decode(await sealPrivateKey(privateKey, "correct horse"));
  const header = new TextDecoder("latin1").decode(sealed).split("\n");
  assert.equal(header[0], "age-encryption.org/v1");
  assert.match(header[1]!, new RegExp(`^-> scrypt [A-Za-z0-9+/]{22} ${WORK_FACTOR}$`));
});
