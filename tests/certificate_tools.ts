/**
 * The tools with which other people open the files of the certificate authority: openssl, age.
 */
import type { Outcome } from "./temporary_ensemble.ts";

/** Whether one of the tools is not there; says so, for the tests that are left out. */
export function isMissing(...tools: string[]): boolean {
  const directories = (Deno.env.get("PATH") ?? "").split(":");
  const missing = tools.filter((tool) => !directories.some((place) => exists(`${place}/${tool}`)));
  for (const tool of missing) console.warn(`tests that need ${tool} are left out: it is not here`);
  return missing.length > 0;
}

/** Runs openssl to its end. */
export async function openssl(...args: string[]): Promise<Outcome> {
  return await finish(new Deno.Command("openssl", { args, stdin: "null" }));
}

/** Decrypts a file with the `age` tool, which takes passphrases from terminals only; gives the text. */
export async function openWithAge(path: string, passphrase: string): Promise<string> {
  const decrypted = `${path}.decrypted`;
  const { code, stdout } = await expect(`
    spawn age --decrypt --output ${decrypted} ${path}
    expect "passphrase"
    send -- "${passphrase}\\r"
    expect eof
    exit [lindex [wait] 3]
  `);
  if (code !== 0) throw new Error(`age does not open ${path}: ${stdout}`);
  const text = await Deno.readTextFile(decrypted);
  await Deno.remove(decrypted);
  return text;
}

/** Runs a script of expect's to its end. */
export async function expect(script: string, env: Record<string, string> = {}): Promise<Outcome> {
  const args = ["-c", `set timeout 60\n${script}`];
  return await finish(new Deno.Command("expect", { args, env, stdin: "null" }));
}

async function finish(command: Deno.Command): Promise<Outcome> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}
