/**
 * The stage of the demo: a directory, processes, and comparisons.
 *
 * @module
 */

/** A line of output: as it is, or what it looks like. */
export type Expected = string | RegExp;

interface Server {
  readonly name: string;
  readonly process: Deno.ChildProcess;
  log: string;
}

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** How long anything may take before the demo gives up, in ms. */
const PATIENCE = 60_000;

/** An ensemble of its own in a temporary directory, and the commands run in it. */
export class Stage implements AsyncDisposable {
  /** The directory for all that is made. */
  readonly directory: string;
  /** The root of the project, where the commands run. */
  readonly root: string;
  /** What is run as `gxensemble`. */
  readonly #program: string[];
  /** The name of this host. */
  readonly host: string = Deno.hostname();
  /** The directory of the sockets. */
  readonly sockets: string;
  readonly #servers: Server[] = [];

  private constructor(directory: string, executable: string | undefined) {
    this.directory = directory;
    this.root = executable ? `${directory}/project` : ROOT;
    this.#program = executable ? [executable] : [Deno.execPath(), "run", "-A", "cli/main.ts"];
    this.sockets = `${directory}/s`;
  }

  /**
   * Makes the directory. An executable is run in a project of its own there, which has nothing but the
   * modules of the tutorial.
   */
  static async open(executable?: string): Promise<Stage> {
    // Short, for the path of a socket is limited to about 100 bytes.
    const directory = await Deno.makeTempDir({ dir: "/tmp", prefix: "gx" });
    const stage = new Stage(directory, executable && Deno.realPathSync(executable));
    if (executable) await copyTutorial(stage.root);
    return stage;
  }

  /** Ends what still runs and removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#servers) {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended, as it should have.
      }
      await process.status;
    }
    await Deno.remove(this.directory, { recursive: true });
  }

  /** Starts a chapter of the output. */
  chapter(title: string): void {
    console.log(`\n# ${title}`);
  }

  /** A port that is free now. */
  freePort(): number {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    return listener.addr.port;
  }

  /**
   * Runs a command of `gxensemble` to its end and compares its standard output. Gives the lines.
   *
   * @param input the lines of its standard input.
   * @throws {Error} when it fails, or prints anything else.
   */
  async run(args: string[], expected: Expected[], input: string[] = []): Promise<string[]> {
    console.log(`$ gxensemble ${args.map(quote).join(" ")}`);
    input.forEach((line) => console.log(`< ${line}`));
    const process = this.#command([...this.#program, ...args], "piped").spawn();
    const stdin = process.stdin.getWriter();
    await stdin.write(new TextEncoder().encode(input.map((line) => `${line}\n`).join("")));
    await stdin.close();
    const { code, stdout, stderr } = await process.output();
    const [out, notices] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    const lines = out!.split("\n").slice(0, -1);
    lines.forEach((line) => console.log(line));
    if (notices !== "") console.log(notices!.trimEnd());
    if (code !== 0) throw new Error(`gxensemble ${args.join(" ")}: exit code ${code}`);
    compare(`gxensemble ${args.join(" ")}`, lines, expected);
    return lines;
  }

  /** Writes the modules of the tutorial elsewhere, with another text in one of them; gives its path. */
  async change(module: string, text: string, replacement: string): Promise<string> {
    const project = `${this.directory}/changed`;
    await copyTutorial(project);
    const path = `${project}/${module}`;
    const changed = (await Deno.readTextFile(path)).replace(text, replacement);
    await Deno.writeTextFile(path, changed);
    return path;
  }

  /** Starts a server with `gxensemble`, and waits until its log says that it is ready. */
  async start(args: string[], ready: string): Promise<void> {
    console.log(`$ gxensemble ${args.map(quote).join(" ")} &`);
    const server = this.#spawn(args.join(" "), [...this.#program, ...args]);
    await this.#until(`${server.name}: ${ready}`, server, () => server.log.includes(ready));
    console.log(server.log.trimEnd());
  }

  /** Starts a program that is a server by itself, and waits for a condition. */
  async startProgram(args: string[], ready: () => Promise<boolean>): Promise<void> {
    console.log(`$ ${args.map(quote).join(" ")} &`);
    const server = this.#spawn(args.join(" "), args);
    await this.#until(server.name, server, ready);
  }

  /** Whether the registry knows a server. */
  async isRegistered(id: string): Promise<boolean> {
    return (await this.#command([...this.#program, "lookup", id]).output()).success;
  }

  /**
   * Sends a GET request and compares the answer.
   *
   * @throws {Error} when it is another.
   */
  async get(port: number, path: string, status: number, body: string): Promise<void> {
    const url = `http://localhost:${port}${path}`;
    console.log(`> GET ${url}`);
    const response = await this.#fetch(url);
    const text = await response.text();
    console.log(`${response.status} ${response.statusText}\n${text}`.trimEnd());
    compare(`GET ${url}`, [`${response.status}`, text], [`${status}`, body]);
  }

  /**
   * Waits until all servers have ended.
   *
   * @throws {Error} when one ended with another code than 0, or left its socket.
   */
  async allEnded(): Promise<void> {
    for (const server of this.#servers) {
      const { code } = await server.process.status;
      console.log(`${server.name}: exit code ${code}`);
      if (code !== 0) throw new Error(`${server.name} ended with exit code ${code}`);
    }
    // The lock of the directory stays: no server id begins with a dot.
    const left = [...Deno.readDirSync(this.sockets)].map(({ name }) => name)
      .filter((name) => !name.startsWith("."));
    if (left.length > 0) throw new Error(`sockets left behind: ${left.join(" ")}`);
  }

  /** Prints what the servers logged, for the case that something went wrong. */
  printLogs(): void {
    for (const { name, log } of this.#servers) console.error(`\n--- ${name}\n${log}`);
  }

  /** A server is in the ensemble before its program has come so far as to listen. */
  async #fetch(url: string): Promise<Response> {
    const deadline = Date.now() + PATIENCE;
    while (true) {
      try {
        return await fetch(url);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  #command([program, ...args]: string[], stdin: "null" | "piped" = "null"): Deno.Command {
    return new Deno.Command(program!, {
      args,
      cwd: this.root,
      env: {
        GERBIL_PATH: `${this.directory}/g`,
        ENSEMBLE_SOCKET_DIR: this.sockets,
        GXENSEMBLE_CACHE_DIR: `${this.directory}/c`,
      },
      stdin,
      stdout: "piped",
      stderr: "piped",
    });
  }

  #spawn(name: string, args: string[]): Server {
    const process = this.#command(args).spawn();
    const server: Server = { name, process, log: "" };
    this.#servers.push(server);
    for (const stream of [process.stdout, process.stderr]) {
      void stream.pipeThrough(new TextDecoderStream()).pipeTo(
        new WritableStream({ write: (text) => void (server.log += text) }),
      );
    }
    return server;
  }

  async #until(
    what: string,
    server: Server,
    condition: () => boolean | Promise<boolean>,
  ): Promise<void> {
    let ended = false;
    void server.process.status.then(() => ended = true);
    const deadline = Date.now() + PATIENCE;
    while (!await condition()) {
      if (ended) throw new Error(`${server.name} ended early`);
      if (Date.now() > deadline) throw new Error(`in vain waited for ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function copyTutorial(to: string): Promise<void> {
  await Deno.mkdir(`${to}/examples/httpd`, { recursive: true });
  await Deno.writeTextFile(`${to}/deno.json`, "{}\n");
  for await (const { name } of Deno.readDir(`${ROOT}/examples/httpd`)) {
    await Deno.copyFile(`${ROOT}/examples/httpd/${name}`, `${to}/examples/httpd/${name}`);
  }
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function compare(what: string, actual: string[], expected: Expected[]): void {
  const same = actual.length === expected.length &&
    expected.every((each, i) =>
      typeof each === "string" ? each === actual[i] : each.test(actual[i]!)
    );
  if (same) return;
  throw new Error(
    `${what}: not what was expected\nexpected:\n  ${expected.join("\n  ")}\n` +
      `got:\n  ${actual.join("\n  ")}`,
  );
}
