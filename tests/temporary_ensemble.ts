/**
 * An ensemble of one test, with places of its own for files and sockets. Servers and dialogues are
 * processes; other commands may run in the process of the tests, see `commands_here.ts`.
 */
import { fileURLToPath } from "node:url";
import { runHere } from "./commands_here.ts";
import { EXECUTABLE, IS_BUNDLED, SEALING_PROGRAM, TESTED_PROGRAM } from "./tested_program.ts";

const CONFIGURATION = fileURLToPath(new URL("../deno.json", import.meta.url));

/** What a finished process leaves. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Commands that are a process always: those that run a server or a dialogue. */
const PROCESSES = ["run", "registry", "repl"];

/** Where the ensemble of one test lives; removed with `using`. */
export class TemporaryEnsemble implements Disposable {
  /** For whatever the test keeps beside the ensemble's own directories. */
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });

  /** `GERBIL_PATH`. */
  readonly gerbilPath = `${this.directory}/gerbil`;

  /** `ENSEMBLE_SOCKET_DIR`. */
  readonly socketDirectory = `${this.directory}/sockets`;

  /** Where the cookie belongs. */
  readonly cookiePath = `${this.gerbilPath}/ensemble/cookie`;

  /** What is run as `gxensemble`. */
  program: string[] = TESTED_PROGRAM;

  /** Where it is run, if not where the tests are. */
  workingDirectory: string | undefined;

  /** The environment variables of processes in this ensemble. */
  readonly environment: Record<string, string> = {
    GERBIL_PATH: this.gerbilPath,
    ENSEMBLE_SOCKET_DIR: this.socketDirectory,
    GXENSEMBLE_CACHE_DIR: EXECUTABLE ? `${EXECUTABLE}.cache` : `${this.directory}/cache`,
    NO_COLOR: "1",
  };

  /**
   * Runs `gxensemble` to its end. In `deno task test`, where most tests are about what a command does and not about its process,
   * that is in the process of the tests.
   */
  async run(...args: string[]): Promise<Outcome> {
    const isSealing = this.program === SEALING_PROGRAM;
    const isHere = IS_BUNDLED && (isSealing || this.program === TESTED_PROGRAM) &&
      this.workingDirectory === undefined && !PROCESSES.includes(args[0] ?? "");
    if (!isHere) return await this.runProcess(...args);
    // Here all are cheap from then on.
    if (isSealing) await import("./sealing_cheaply.ts");
    return await runHere(this.environment, args);
  }

  /** Runs `gxensemble` to its end, always as a process. */
  runProcess(...args: string[]): Promise<Outcome> {
    return finish(this.gxensemble(...args));
  }

  /** Runs the text of a TypeScript module to its end. */
  evaluate(module: string): Promise<Outcome> {
    return finish(this.command("eval", `--config=${CONFIGURATION}`, module));
  }

  /** A `gxensemble` in this ensemble that is yet to be started. */
  gxensemble(...args: string[]): Deno.Command {
    return this.external(...this.program, ...args);
  }

  /** A `deno` in this ensemble that is yet to be started. */
  command(...args: string[]): Deno.Command {
    return this.external(Deno.execPath(), ...args);
  }

  /** Any program in this ensemble, yet to be started. */
  external(...[program, ...args]: string[]): Deno.Command {
    return new Deno.Command(program!, {
      args,
      cwd: this.workingDirectory,
      env: this.environment,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }

  /** Removes the directories; the processes have ended by then. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

async function finish(command: Deno.Command): Promise<Outcome> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
