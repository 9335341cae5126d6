/**
 * Hosts with files of their own, between which a secret is rotated.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { RunningEnsemble, RunningProcess } from "./running_ensemble.ts";

/** Files of another host: its own directory of the ensemble's files. */
export async function otherHost(ensemble: RunningEnsemble, name: string): Promise<string> {
  const path = `${ensemble.places.directory}/${name}`;
  const { code } = await new Deno.Command("cp", { args: ["-a", ensemble.places.gerbilPath, path] })
    .output();
  assert.equal(code, 0);
  return path;
}

/** Starts processes, or runs commands, with the files of another host. */
export async function on<Result>(
  ensemble: RunningEnsemble,
  gerbilPath: string,
  start: () => Promise<Result>,
): Promise<Result> {
  const { environment } = ensemble.places;
  const own = environment.GERBIL_PATH!;
  environment.GERBIL_PATH = gerbilPath;
  try {
    return await start();
  } finally {
    environment.GERBIL_PATH = own;
  }
}

/** Starts the supervisor of the host whose files are used. */
export async function startSupervisor(
  ensemble: RunningEnsemble,
  id: string,
  ...listen: string[]
): Promise<RunningProcess> {
  const { GERBIL_PATH } = ensemble.places.environment;
  await Deno.writeTextFile(`${GERBIL_PATH}/ensemble/ensemble.jsonc`, "{}\n", { mode: 0o600 });
  const addresses = listen.flatMap((address) => ["-l", address]);
  const supervisor = ensemble.spawn("supervisor", "--id", id, ...addresses);
  await supervisor.logged(/is in the registry$/);
  return supervisor;
}

/** Whether a file exists. */
export async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, () => false);
}

/** The cookie in the files of a host. */
export function cookieOf(gerbilPath: string): Uint8Array {
  return Deno.readFileSync(`${gerbilPath}/ensemble/cookie`);
}

/** A file or a directory that is mounted over itself until it is disposed of. */
export class MountedOver implements Disposable {
  readonly #path: string;

  /** Mounts it, with `ro` so that nothing on it can be written. */
  constructor(path: string, mode?: "ro") {
    this.#path = path;
    runMount("mount", "--bind", path, path);
    if (mode) runMount("mount", "-o", `remount,bind,${mode}`, path);
  }

  [Symbol.dispose](): void {
    runMount("umount", this.#path);
  }
}

function runMount(program: string, ...args: string[]): void {
  const { code, stderr } = new Deno.Command(program, { args }).outputSync();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
