/**
 * External tools that open the files of the certificate authority: openssl and age.
 *
 * @module
 */
import { onTerminal, type Seen } from "./terminal.ts";
import type { Outcome, TemporaryEnsemble } from "./temporary_ensemble.ts";

/** Runs openssl to its end. */
export async function openssl(...args: string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command("openssl", { args, stdin: "null" })
    .output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A file to decrypt. */
export interface SealedFile {
  path: string;
  passphrase: string;
}

/**
 * Decrypts a file with the `age` tool, which reads passphrases only from terminals. Returns an
 * empty text on failure.
 */
export async function openWithAge(
  ensemble: TemporaryEnsemble,
  { path, passphrase }: SealedFile,
): Promise<Seen & { text: string }> {
  const output = `${ensemble.directory}/opened`;
  const seen = await onTerminal(ensemble, ["age", "--decrypt", "--output", output, path], [
    ["Enter passphrase:", passphrase],
  ]);
  if (seen.code !== 0) return { ...seen, text: "" };
  const text = await Deno.readTextFile(output);
  await Deno.remove(output);
  return { ...seen, text };
}
