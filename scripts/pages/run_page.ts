/**
 * Runs a page of the documentation: types its commands into a shell, and compares their output with
 * the page.
 *
 * @module
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type ChangeStep, type CommandStep, readPage, type Step } from "./page.ts";
import { Comparison, type Stand } from "./comparison.ts";
import { type Job, Shell } from "./shell.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Valid exit codes of a background command: it ended by itself, or by a signal. */
const GOOD_ENDS = [0, 128 + 9, 128 + 15];

/** Options of {@linkcode runPage}. */
export interface RunPageOptions {
  /**
   * The command that runs as `gxensemble`: a program and its first arguments. Default: the sources.
   */
  readonly gxensemble?: readonly string[];
  /** The directory where an executable unpacks. Default: a directory of the run. */
  readonly cache?: string | undefined;
  /** Called with each line of commands and output. */
  readonly print?: (line: string) => void;
  /** Ends the run early. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a page in a directory of its own, with a `HOME`, sockets and ports of its own, and leaves
 * nothing behind.
 *
 * The shell starts in the empty directory `$HOME`, with `gxensemble`, `deno` and a small `curl` in
 * its `PATH`, and with the root of the project in `$PROJECT`. Ports in `localhost:<port>` and
 * `127.0.0.1:<port>` are replaced by free ones.
 *
 * @param path the page, from the root of the project.
 * @throws {Error} if a command prints anything else, or fails without an error in the page.
 */
export async function runPage(path: string, options: RunPageOptions = {}): Promise<void> {
  const markdown = await Deno.readTextFile(resolve(ROOT, path));
  await using run = await PageRun.open(markdown, options);
  const stop = () => void run[Symbol.asyncDispose]();
  options.signal?.addEventListener("abort", stop);
  try {
    for (const step of readPage(run.withFreePorts(markdown))) await run.do(step);
    await run.end();
  } catch (error) {
    throw new Error(`${path}:${(error as Error).message}`);
  } finally {
    options.signal?.removeEventListener("abort", stop);
  }
}

class PageRun implements AsyncDisposable {
  readonly #directory: string;
  readonly #shell: Shell;
  readonly #ports: ReadonlyMap<string, string>;
  readonly #comparison: Comparison;
  readonly #print: (line: string) => void;
  /** Whether the last command has shut the ensemble down. */
  #isShutDown = false;

  private constructor(
    directory: string,
    ports: ReadonlyMap<string, string>,
    {
      gxensemble = [Deno.execPath(), "run", "--quiet", "-A", `${ROOT}/cli/main.ts`],
      cache = `${directory}/c`,
      print = () => {},
    }: RunPageOptions,
  ) {
    this.#directory = directory;
    this.#ports = ports;
    this.#print = print;
    const home = `${directory}/home`;
    for (const name of [home, `${directory}/bin`, `${directory}/scratch`]) Deno.mkdirSync(name);
    const programs = {
      deno: [Deno.execPath()],
      curl: [Deno.execPath(), "run", "-A", `${ROOT}/scripts/pages/curl.ts`],
      gxensemble,
    };
    for (const [name, words] of Object.entries(programs)) {
      Deno.writeTextFileSync(
        `${directory}/bin/${name}`,
        `#!/bin/sh\nexec ${words.map(quote).join(" ")} "$@"\n`,
        {
          mode: 0o755,
        },
      );
    }
    const { GERBIL_PATH: _, ENSEMBLE_REGISTRY: __, ...inherited } = Deno.env.toObject();
    this.#shell = new Shell(home, `${directory}/scratch`, {
      ...inherited,
      PATH: `${directory}/bin:${inherited.PATH ?? ""}`,
      HOME: home,
      PROJECT: ROOT,
      DENO_DIR: inherited.DENO_DIR ?? denoDirectory(),
      ENSEMBLE_SOCKET_DIR: `${directory}/s`,
      GXENSEMBLE_CACHE_DIR: cache,
      NO_COLOR: "1",
    });
    const stands: Stand[] = [
      [home, "/home/me"],
      [`${directory}/s`, "/tmp/ensemble"],
      [`"${Deno.hostname()}"`, '"myhost"'],
      [new RegExp(`\\bhost ${RegExp.escape(Deno.hostname())}(?=[ )])`, "g"), "host myhost"],
      [new RegExp(`"[^"@]+@${RegExp.escape(Deno.hostname())}"`, "g"), '"me@myhost"'],
      [new RegExp(`(?<= )[\\w.-]+@${RegExp.escape(Deno.hostname())}(?= )`, "g"), "me@myhost"],
    ];
    this.#comparison = new Comparison(stands);
  }

  /** Makes the directory and starts the shell. */
  static async open(markdown: string, options: RunPageOptions): Promise<PageRun> {
    // Short, since the path of a socket is limited to about 100 bytes.
    const directory = await Deno.makeTempDir({ dir: "/tmp", prefix: "gx" });
    const shown = markdown.matchAll(/(?:localhost|127\.0\.0\.1):(\d{4,5})\b/g);
    const ports = new Map(Array.from(shown, ([, port]) => [port!, freePort()]));
    return new PageRun(Deno.realPathSync(directory), ports, options);
  }

  /** Ends all running processes and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#shell[Symbol.asyncDispose]();
    await Deno.remove(this.#directory, { recursive: true }).catch(() => {});
  }

  /** Returns the page with free ports. */
  withFreePorts(markdown: string): string {
    return markdown.replaceAll(/\b\d{4,5}\b/g, (number) => this.#ports.get(number) ?? number);
  }

  /** Runs a step of the page. */
  async do(step: Step): Promise<void> {
    try {
      if (step.kind === "heading") this.#print(`\n# ${step.title}`);
      else if (step.kind === "change") await this.#change(step);
      else if (step.kind === "command") await this.#command(step);
      else await Deno.writeTextFile(`${this.#shell.directory}/${step.path}`, step.text);
    } catch (error) {
      throw new Error(`${step.line}: ${(error as Error).message}${this.#logs()}`);
    }
  }

  /**
   * Ends background commands that the page does not end, and checks that they ended well and left
   * no socket.
   */
  async end(): Promise<void> {
    const jobs = this.#shell.jobs;
    if (!this.#isShutDown) {
      for (const { pid } of jobs.toReversed()) await this.#shell.run(`kill ${pid}`);
    }
    const codes = await this.#shell.waitForJobs();
    const bad = jobs.flatMap(({ text }, index) =>
      GOOD_ENDS.includes(codes[index]!) ? [] : [`${text} ended with exit code ${codes[index]}`]
    );
    // The directory's lock stays. No server id begins with a dot.
    const left = names(`${this.#directory}/s`).filter((name) => !name.startsWith("."));
    if (left.length > 0 && !codes.includes(128 + 9)) bad.push(`sockets left: ${left.join(" ")}`);
    if (bad.length > 0) throw new Error(` at its end: ${bad.join("; ")}${this.#logs()}`);
  }

  async #command(step: CommandStep): Promise<void> {
    this.#isShutDown = step.text === "gxensemble shutdown -f";
    this.#print(`$ ${step.text}`);
    step.typed.forEach((line) => this.#print(`< ${line}`));
    if (step.isBackground) return await this.#start(step);
    const { code, output } = await this.#shell.run(step.text, step.typed);
    const lines = output.split("\n");
    if (lines.at(-1) === "") lines.pop();
    lines.forEach((line) => this.#print(line));
    if (!this.#comparison.isSame(lines, step.output)) throw difference(step, lines);
    if (code !== 0 && !step.output.some((line) => /error|^\.\.\.$/i.test(line))) {
      throw new Error(`${step.text}: exit code ${code}`);
    }
  }

  /** Starts a command, and waits for the lines of the page. */
  async #start(step: CommandStep): Promise<void> {
    const job = await this.#shell.start(step.text);
    let seen = 0;
    for (const shown of step.output) {
      const find = () =>
        linesOf(job).findIndex((line, index) =>
          index >= seen && this.#comparison.isSameLine(line, shown)
        );
      await this.#shell.wait(job, () => find() >= 0).catch((error) => {
        throw new Error(`waiting for ${JSON.stringify(shown)}: ${error.message}`);
      });
      seen = find() + 1;
    }
    linesOf(job).forEach((line) => this.#print(line));
  }

  async #change({ path, before, after }: ChangeStep): Promise<void> {
    const file = `${this.#shell.directory}/${path}`;
    const parts = (await Deno.readTextFile(file)).split(before);
    if (parts.length !== 2) {
      throw new Error(`the text to change is ${parts.length - 1} times in ${path}`);
    }
    await Deno.writeTextFile(file, parts.join(after));
    this.#print(`(changed ${path})`);
  }

  #logs(): string {
    return this.#shell.jobs.map((job) => `\n--- ${job.text}\n${job.output()}`).join("");
  }
}

function linesOf(job: Job): string[] {
  return job.output().split("\n").slice(0, -1);
}

function difference({ text, output }: CommandStep, lines: readonly string[]): Error {
  return new Error(
    `${text}: not what the page shows\npage:\n  ${output.join("\n  ")}\nprinted:\n  ${
      lines.join("\n  ")
    }`,
  );
}

function names(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function freePort(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return String(listener.addr.port);
}

/** Where Deno keeps the packages that the sources import. */
function denoDirectory(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
