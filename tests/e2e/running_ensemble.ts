/**
 * An ensemble of real processes, controlled from the command line.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type Outcome, TemporaryEnsemble } from "../temporary_ensemble.ts";

/** A program whose server only waits until it is stopped. */
export const WAITING = `
  import { currentServer } from "@gxensemble/ensemble";
  export const main = () => currentServer().stopped;
`;

/** The timeout of every wait, in ms. */
const DEADLINE = 20_000;

/** A process that runs until it is stopped. */
export class RunningProcess {
  /** Its standard error so far: its log. */
  readonly log: string[] = [];
  /** Its standard output so far. */
  readonly output: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #readers: Promise<void>;
  #ended = false;
  #news = Promise.withResolvers<void>();

  /** Wraps a process whose outputs are piped. */
  constructor(process: Deno.ChildProcess) {
    this.#process = process;
    this.#readers = Promise.all([
      this.#read(process.stderr, this.log),
      this.#read(process.stdout, this.output),
    ]).then(() => {
      this.#ended = true;
      this.#tell();
    });
  }

  /** Its process id. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Waits for a matching line of the log. Fails if the process ends first. */
  async logged(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#find(this.log, (line) => pattern.exec(line), `${pattern} in its log`);
  }

  /** Waits for a line on standard output with this prefix. */
  async printed(start: string): Promise<string> {
    return await this.#find(
      this.output,
      (line) => line.startsWith(start) ? line : undefined,
      `"${start}" in its output`,
    );
  }

  /** Checks until a condition holds. Fails if the process ends first. */
  async until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const why = () => `never ${what}:\n${[...this.output, ...this.log].join("\n")}`;
    const late = performance.now() + DEADLINE;
    while (!await condition()) assert.ok(!this.#ended && performance.now() < late, why());
  }

  /**
   * Waits until a number of lines of its log match. A line that it logs before it answers can
   * arrive after the answer.
   */
  async logs(count: number, pattern: RegExp): Promise<string[]> {
    let seen = 0;
    const isLast = (line: string) => pattern.test(line) && ++seen === count;
    await this.#find(this.log, isLast, `${pattern} in its log, ${count} times`);
    return this.matching(pattern);
  }

  /** The lines of the log that match. */
  matching(pattern: RegExp): string[] {
    return this.log.filter((line) => pattern.test(line));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    this.#process.kill(signal);
  }

  /** Waits for its end, and returns its exit code, or the signal that killed it. */
  async exit(): Promise<number | Deno.Signal> {
    const status = await inTime(
      this.#process.status,
      () => `process ${this.pid} does not end:\n${this.log.join("\n")}`,
    );
    await this.#readers;
    return status.signal ?? status.code;
  }

  /** Kills it. */
  async kill(): Promise<void> {
    try {
      this.signal("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.exit();
  }

  async #find<Found>(
    lines: string[],
    match: (line: string) => Found | null | undefined,
    what: string,
  ): Promise<Found> {
    for (let at = 0;;) {
      while (at < lines.length) {
        const found = match(lines[at++]!);
        if (found) return found;
      }
      const why = () => `no ${what}:\n${[...this.output, ...this.log].join("\n")}`;
      assert.ok(!this.#ended, why());
      await inTime(this.#news.promise, why);
    }
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: string[]): Promise<void> {
    for await (const line of stream.pipeThrough(new TextLineStream())) {
      lines.push(line);
      this.#tell();
    }
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers<void>();
  }
}

/**
 * An ensemble with its own cookie. With `await using`, its processes end and its files are removed.
 */
export class RunningEnsemble implements AsyncDisposable {
  /** Its places, and a way to run a command to its end. */
  readonly places: TemporaryEnsemble = new TemporaryEnsemble();
  readonly #processes: RunningProcess[] = [];

  /** Makes the cookie and starts the registry. */
  static async start(...options: string[]): Promise<RunningEnsemble> {
    const ensemble = new RunningEnsemble();
    assert.equal((await ensemble.run("cookie")).code, 0);
    await ensemble.startRegistry(...options);
    return ensemble;
  }

  /** Runs `gxensemble` to its end. */
  run(...args: string[]): Promise<Outcome> {
    return this.places.run(...args);
  }

  /** Runs `gxensemble`, which must succeed, and returns the lines of its output. */
  async lines(...args: string[]): Promise<string[]> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.equal(code, 0, `gxensemble ${args.join(" ")}: exit ${code}: ${stderr}`);
    return stdout === "" ? [] : stdout.replace(/\n$/, "").split("\n");
  }

  /** The ids of the servers that `list-servers` prints. */
  async listed(): Promise<string[]> {
    return (await this.lines("list-servers")).map((line) => /^\((\S+) /.exec(line)![1]!);
  }

  /**
   * Runs `gxensemble`, which must fail with exit code 1 and without output, and returns the reason.
   */
  async failure(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
    const [, reason] = /^gxensemble: error: (.*)\n$/s.exec(stderr) ?? [];
    assert.ok(reason !== undefined, `no reason: ${stderr}`);
    return reason;
  }

  /** Starts the registry, and waits until it listens. */
  async startRegistry(...options: string[]): Promise<RunningProcess> {
    const registry = this.spawn("registry", ...options);
    await registry.logged(/registry listens at unix:/);
    return registry;
  }

  /**
   * Starts a server that runs the text of a module, and waits until it is in the registry. The text
   * is JavaScript, so that no server has to translate it.
   */
  async startServer(id: string, options: string[] = [], text = WAITING): Promise<RunningProcess> {
    const file = await this.write(`${id}/main.js`, text);
    const server = this.spawn("run", ...options, id, file);
    await server.logged(/is in the registry(, and not ready yet)?$/);
    return server;
  }

  /** Whether a server is running and answers. */
  async answers(id: string): Promise<boolean> {
    return (await this.run("ping", id)).code === 0;
  }

  /** Starts `gxensemble`. */
  spawn(...args: string[]): RunningProcess {
    return this.#keep(this.places.gxensemble(...args));
  }

  /** Starts `deno` with the places of this ensemble. */
  spawnDeno(...args: string[]): RunningProcess {
    return this.#keep(this.places.command(...args));
  }

  /** Starts a program with the places of this ensemble. */
  spawnProgram(...command: string[]): RunningProcess {
    return this.#keep(this.places.external(...command));
  }

  #keep(command: Deno.Command): RunningProcess {
    const process = new RunningProcess(command.spawn());
    this.#processes.push(process);
    return process;
  }

  /** Writes a file of the project, and returns its path. */
  async write(path: string, text: string, { mode = 0o644 } = {}): Promise<string> {
    const file = this.path(path);
    await Deno.mkdir(dirname(file), { recursive: true });
    await Deno.writeTextFile(file, text, { mode });
    return file;
  }

  /**
   * Writes a program that runs the tests' Deno. Executables contain it instead of the real one,
   * which takes seconds to compress.
   */
  writeDeno(): Promise<string> {
    const text = `#!/bin/sh\nexec '${Deno.execPath()}' "$@"\n`;
    return this.write("deno", text, { mode: 0o755 });
  }

  /** The path of a file of the project. */
  path(path: string): string {
    return `${this.places.directory}/project/${path}`;
  }

  /** The path of a server's socket. */
  socket(id: string): string {
    return `${this.places.socketDirectory}/${id}`;
  }

  /** The names of the existing sockets. */
  sockets(): string[] {
    const names = Array.from(Deno.readDirSync(this.places.socketDirectory), ({ name }) => name);
    // The lock is not a socket.
    return names.filter((name) => !name.startsWith(".")).sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.kill()));
    this.places[Symbol.dispose]();
  }
}

async function inTime<Value>(promise: Promise<Value>, why: () => string): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: why() })), DEADLINE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Decodes a stream of bytes into its lines, including a last one without a line break. */
class TextLineStream extends TransformStream<Uint8Array<ArrayBuffer>, string> {
  /** Makes a decoder. */
  constructor() {
    const decoder = new TextDecoder();
    let rest = "";
    super({
      transform(bytes, controller) {
        const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) controller.enqueue(line);
      },
      flush(controller) {
        if (rest !== "") controller.enqueue(rest);
      },
    });
  }
}
