/**
 * The command line as whole processes, in an ensemble of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { RunningProgram } from "./running_program.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A program and its first arguments. */
export type Program = readonly [program: string, ...args: string[]];

/** The command line from its sources. */
export const SOURCES: Program = [Deno.execPath(), "run", "-A", `${ROOT}cli/main.ts`];

/** The command line as `deno task compile --portable` makes it. */
export const EXECUTABLE: Program = [`${ROOT}dist/gxensemble`];

/** Whether a program can be run. {@linkcode EXECUTABLE} may not have been made. */
export async function isBuilt([path]: Program): Promise<boolean> {
  return await Deno.stat(path).then(({ isFile }) => isFile, () => false);
}

/** How a script is run by Deno alone. */
export const SCRIPT: Program = [Deno.execPath(), "run", "-A"];

/** An ensemble whose files are in a directory, with a registry that runs from the sources. */
export class CommandLineEnsemble implements AsyncDisposable {
  /** The environment of its commands and programs. */
  readonly env: Record<string, string>;
  readonly #registry: RunningProgram;

  private constructor(env: Record<string, string>, registry: RunningProgram) {
    this.env = env;
    this.#registry = registry;
  }

  /** Starts it. Its registry answers when this resolves. */
  static async start(directory: string): Promise<CommandLineEnsemble> {
    const env = {
      GERBIL_PATH: directory,
      ENSEMBLE_SOCKET_DIR: `${directory}/sockets`,
      DENO_NO_UPDATE_CHECK: "1",
    };
    await run([...SOURCES, "cookie"], env);
    const [program, ...args] = [...SOURCES, "registry", "--store", "memory:", "--log", "ERROR"];
    const registry = await RunningProgram.start(program!, args, { env });
    const ensemble = new CommandLineEnsemble(env, registry);
    for (let left = 50;; left--) {
      try {
        await ensemble.time([...SOURCES, "ping", "registry"]);
        return ensemble;
      } catch (error) {
        if (left > 0) continue;
        await ensemble[Symbol.asyncDispose]();
        throw error;
      }
    }
  }

  /**
   * Runs a program. Returns how long it took, in ms.
   *
   * @throws {Error} if it fails.
   */
  async time(command: readonly string[]): Promise<number> {
    const start = performance.now();
    await run(command, this.env);
    return performance.now() - start;
  }

  /** Starts a command from the sources. It has started when `ready` is in its output. */
  async spawn(args: readonly string[], ready: string): Promise<RunningProgram> {
    const [program, ...first] = SOURCES;
    const options = { env: this.env, ready, quiet: true };
    return await RunningProgram.start(program, [...first, ...args], options);
  }

  /** Ends the registry. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#registry[Symbol.asyncDispose]();
  }
}

async function run(command: readonly string[], env: Record<string, string>): Promise<void> {
  const [program, ...args] = command;
  const { success, stderr } = await new Deno.Command(program!, {
    args,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${command.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}
