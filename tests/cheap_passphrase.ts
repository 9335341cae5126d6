/**
 * Passphrase files that open at once.
 *
 * @module
 */
import { armor, Encrypter } from "age-encryption";
import { openWithPassphrase } from "../runtime/ensemble/passphrase_file.ts";

/**
 * Seals a passphrase file anew with a work factor that is far too low to protect anything: it is still what
 * `age` makes and opens, and costs a test a millisecond each time instead of more than a second.
 */
export async function makeCheap(path: string, passphrase: string): Promise<void> {
  const secret = await openWithPassphrase(await Deno.readTextFile(path), passphrase);
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(10);
  await Deno.writeTextFile(path, `${armor.encode(await encrypter.encrypt(secret)).trimEnd()}\n`);
}
