/**
 * The environment of a process: its variables, with secrets and files of variables read when it
 * starts, so that they are never a part of the configuration.
 *
 * @module
 */
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { readRegularFile, readSecretFile } from "../../runtime/home/files.ts";
import type { ProcessConfiguration } from "./configuration.ts";

const LINE = /^(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(.*?)[ \t]*$/;

/**
 * Reads the environment that a process gets in addition to the supervisor's own.
 *
 * @throws {EnsembleError} if a file cannot be read, is malformed, or is a secret that other users
 * can read.
 */
export async function processEnvironment(
  { env, envFiles }: Pick<ProcessConfiguration, "env" | "envFiles">,
): Promise<Record<string, string>> {
  const files = await Promise.all(envFiles.map(readVariableFile));
  const own = await Promise.all(
    Object.entries(env).map(async ([name, value]) =>
      [name, typeof value === "string" ? value : await readSecret(value.file, name)] as const
    ),
  );
  return Object.assign({}, ...files, Object.fromEntries(own));
}

/**
 * Reads a file of environment variables, with lines `NAME=value`. Empty lines and those that begin
 * with `#` are skipped. A value may be in single or double quotes, which are removed.
 *
 * @throws {EnsembleError} if it cannot be read, other users can change it, or a line is malformed,
 * which it names without its value.
 */
export async function readVariableFile(path: string): Promise<Record<string, string>> {
  const bytes = await readExisting(path, readRegularFile);
  await requireUnchangeable(path);
  const variables: [string, string][] = [];
  for (const [index, line] of decode(path, bytes).split(/\r?\n/).entries()) {
    if (/^\s*(?:#|$)/.test(line)) continue;
    const [, name, value] = LINE.exec(line) ?? [];
    if (name === undefined || value === undefined || value.includes("\0")) {
      throw new InvalidInputError(`${path}:${index + 1}: a line has the form NAME=value`);
    }
    const [, single, double] = /^(?:'([^']*)'|"([^"]*)")$/.exec(value) ?? [];
    variables.push([name, single ?? double ?? value]);
  }
  return Object.fromEntries(variables);
}

/**
 * Refuses a file that says what a supervisor runs, or how, if every user can change it. Groups may:
 * many systems give each user one of its own.
 *
 * @throws {EnsembleError} if so, with what to do.
 */
export async function requireUnchangeable(path: string): Promise<void> {
  const { mode } = await Deno.stat(path);
  if (mode === null || (mode & 0o002) === 0) return;
  throw new EnsembleError(
    `other users can change ${path} (mode ${(mode & 0o777).toString(8)}): run "chmod o-w ${path}"`,
  );
}

async function readSecret(path: string, name: string): Promise<string> {
  const bytes = await readExisting(path, (path) => readSecretFile(path, `secret of ${name}`));
  const secret = decode(path, bytes).replace(/\r?\n$/, "");
  if (secret.includes("\0")) {
    throw new InvalidInputError(`${path} has the character NUL, which no variable can have`);
  }
  return secret;
}

async function readExisting(
  path: string,
  read: (path: string) => Promise<Uint8Array>,
): Promise<Uint8Array> {
  try {
    return await read(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new EnsembleError(`there is no file ${path}`);
    throw error;
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidInputError(`${path} is not UTF-8 text`);
  }
}
