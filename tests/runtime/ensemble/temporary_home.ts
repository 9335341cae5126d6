/**
 * The ensemble directory of one test.
 *
 * @module
 */
import assert from "node:assert/strict";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { PASSPHRASE, sealCheaply } from "../../cheap_passphrase.ts";

/** The ensemble directory of one test, used by the code in this thread. */
export class Home implements Disposable {
  /** `GERBIL_PATH`. */
  readonly root: string = Deno.makeTempDirSync({ prefix: "gx-" });
  /** The directory of the ensemble's state. */
  readonly directory: string = `${this.root}/ensemble`;
  /** The path of the public key. */
  readonly publicPath: string = `${this.directory}/admin.pub`;
  /** The path of the private key. */
  readonly privatePath: string = `${this.directory}/admin.priv`;
  readonly #get = Deno.env.get;

  /** Makes it. */
  constructor() {
    Deno.mkdirSync(this.directory);
    // The environment belongs to the process, which tests share. This changes it for this thread
    // only.
    const places: Record<string, string> = {
      GERBIL_PATH: this.root,
      ENSEMBLE_SOCKET_DIR: `${this.root}/sockets`,
    };
    Deno.env.get = (name) => places[name] ?? this.#get.call(Deno.env, name);
  }

  /** Writes a key pair that opens at once. */
  async withPair({ mode = 0o600 } = {}): Promise<CryptoKeyPair> {
    const pair = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const { privateKey, publicKey } = pair as CryptoKeyPair;
    const secret = encodePem("PRIVATE KEY", await crypto.subtle.exportKey("pkcs8", privateKey));
    const open = encodePem("PUBLIC KEY", await crypto.subtle.exportKey("spki", publicKey));
    Deno.writeTextFileSync(this.privatePath, await sealCheaply(secret, PASSPHRASE));
    Deno.chmodSync(this.privatePath, mode);
    Deno.writeTextFileSync(this.publicPath, open);
    return pair as CryptoKeyPair;
  }

  [Symbol.dispose](): void {
    Deno.env.get = this.#get;
    Deno.removeSync(this.root, { recursive: true });
  }
}

/** Makes a named pipe at the path. */
export function makePipe(path: string): void {
  assert.ok(new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync().success);
}
