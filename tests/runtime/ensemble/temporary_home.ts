/**
 * The ensemble's directory of one test.
 *
 * @module
 */
import assert from "node:assert/strict";
import { encodePem } from "../../../runtime/pki/pem.ts";
import { PASSPHRASE, sealCheaply } from "../../cheap_passphrase.ts";

/** The ensemble's directory of one test, which this thread's code takes for its own. */
export class Home implements Disposable {
  /** `GERBIL_PATH`. */
  readonly root: string = Deno.makeTempDirSync({ prefix: "gx-" });
  /** Where the state is. */
  readonly directory: string = `${this.root}/ensemble`;
  /** Where the public key belongs. */
  readonly publicPath: string = `${this.directory}/admin.pub`;
  /** Where the private key belongs. */
  readonly privatePath: string = `${this.directory}/admin.priv`;
  readonly #get = Deno.env.get;

  /** Makes it. */
  constructor() {
    Deno.mkdirSync(this.directory);
    // The environment is the process's, which tests share; this is a thread of it.
    const places: Record<string, string> = {
      GERBIL_PATH: this.root,
      ENSEMBLE_SOCKET_DIR: `${this.root}/sockets`,
    };
    Deno.env.get = (name) => places[name] ?? this.#get.call(Deno.env, name);
  }

  /** Writes a pair that opens at once. */
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

/** Puts a named pipe there. */
export function makePipe(path: string): void {
  assert.ok(new Deno.Command("mkfifo", { args: ["-m", "600", path] }).outputSync().success);
}
