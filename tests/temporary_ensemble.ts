/**
 * The ensemble of one test, with its own directories for files and sockets. Servers and interactive
 * commands are processes. Other commands can run in the tests' process, see `commands_here.ts`.
 */
import { fileURLToPath } from "node:url";
import { runHere } from "./commands_here.ts";
import { EXECUTABLE, IS_BUNDLED, SEALING_PROGRAM, TESTED_PROGRAM } from "./tested_program.ts";

const CONFIGURATION = fileURLToPath(new URL("../deno.json", import.meta.url));

/** The result of a finished process. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Commands that always run as a process: servers and interactive commands. */
const PROCESSES = ["run", "registry", "supervisor", "dev", "repl"];

/** The directories and environment of a test's ensemble; removed with `using`. */
export class TemporaryEnsemble implements Disposable {
  /** Any other files of the test. */
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });

  /** `GERBIL_PATH`. */
  readonly gerbilPath = `${this.directory}/gerbil`;

  /** `ENSEMBLE_SOCKET_DIR`. */
  readonly socketDirectory = `${this.directory}/sockets`;

  /** The path of the cookie. */
  readonly cookiePath = `${this.gerbilPath}/ensemble/cookie`;

  /** The command that runs as `gxensemble`. */
  program: string[] = TESTED_PROGRAM;

  /** Its working directory, if not that of the tests. */
  workingDirectory: string | undefined;

  /** The environment variables of processes in this ensemble. */
  readonly environment: Record<string, string> = {
    GERBIL_PATH: this.gerbilPath,
    ENSEMBLE_SOCKET_DIR: this.socketDirectory,
    GXENSEMBLE_CACHE_DIR: EXECUTABLE ? `${EXECUTABLE}.cache` : `${this.directory}/cache`,
    NO_COLOR: "1",
  };

  /**
   * Runs `gxensemble` to its end. In `deno task test` it runs in the tests' process, since most
   * tests are about a command and not about its process.
   */
  async run(...args: string[]): Promise<Outcome> {
    const isSealing = this.program === SEALING_PROGRAM;
    const isHere = IS_BUNDLED && (isSealing || this.program === TESTED_PROGRAM) &&
      this.workingDirectory === undefined && !PROCESSES.includes(args[0] ?? "");
    if (!isHere) return await this.runProcess(...args);
    // From then on, all seals in this process are cheap.
    if (isSealing) await import("./sealing_cheaply.ts");
    return await runHere(this.environment, args);
  }

  /** Runs `gxensemble` to its end, always as a process. */
  runProcess(...args: string[]): Promise<Outcome> {
    return finish(this.gxensemble(...args));
  }

  /** Runs `gxensemble` to its end, as a process that reads this text from standard input. */
  async runWithInput(input: string | Uint8Array<ArrayBuffer>, ...args: string[]): Promise<Outcome> {
    const [program, ...words] = [...this.program, ...args];
    const child = new Deno.Command(program!, {
      args: words,
      env: this.environment,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    await new Blob([input]).stream().pipeTo(child.stdin);
    return await finish(child);
  }

  /** Runs the text of a TypeScript module to its end. */
  evaluate(module: string): Promise<Outcome> {
    return finish(this.command("eval", `--config=${CONFIGURATION}`, module));
  }

  /** A `gxensemble` command in this ensemble, not yet started. */
  gxensemble(...args: string[]): Deno.Command {
    return this.external(...this.program, ...args);
  }

  /** A `deno` command in this ensemble, not yet started. */
  command(...args: string[]): Deno.Command {
    return this.external(Deno.execPath(), ...args);
  }

  /** Any program in this ensemble, not yet started. */
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

  /** Removes the directories. By then the processes have ended. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.directory, { recursive: true });
  }
}

async function finish(command: Pick<Deno.ChildProcess, "output">): Promise<Outcome> {
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
