/**
 * A release on a file server of one test, and the machine that it is installed on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { findProgram, type Need, oneOf } from "../requirements.ts";
import type { Outcome } from "../temporary_ensemble.ts";

const SCRIPT = new URL("../../scripts/install.sh", import.meta.url);

/** What the names of the files for this machine end in. */
export const TARGET = `${Deno.build.arch}-${
  Deno.build.os === "darwin" ? "apple-darwin" : "unknown-linux-gnu"
}`;

/** What the script needs besides what downloads and what hashes. */
const TOOLS = "cat chmod cut grep id ldd mkdir mktemp mv rm sed sh tail uname".split(" ");

/** What the tests of the script need. */
export const INSTALLING: readonly Need[] = [oneOf("curl", "wget"), ...TOOLS];

/** Options of {@linkcode TemporaryRelease.install}. */
export interface InstallOptions {
  /** What the script is started with besides `--from` and `--to`. */
  args?: string[];
  /** Environment variables to set. */
  env?: Record<string, string>;
  /** The text that is piped to `sh`; otherwise it is started with the file. */
  piped?: string;
  /** The shell that runs it. */
  shell?: string;
  /** A command that runs the shell. */
  within?: string[];
  /** The user to run it as, from root only. */
  user?: number;
  /** The URL that it is told to download from; the release's when absent, none when null. */
  from?: string | null;
}

/** Files on a file server, and a directory to install them in; removed with `using`. */
export class TemporaryRelease implements AsyncDisposable {
  /** For whatever the test keeps. */
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });

  /** Where the script installs. */
  readonly to = `${this.directory}/prefix/bin`;

  /** What the server has, by name: text, or what answers. */
  readonly files = new Map<string, string | (() => Response)>();

  /** The names that were asked for. */
  readonly requests: string[] = [];

  readonly #scratch = `${this.directory}/tmp`;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  /** Makes a release of both executables for this machine. */
  constructor(version: string) {
    Deno.chmodSync(this.directory, 0o755);
    Deno.mkdirSync(this.#scratch);
    Deno.chmodSync(this.#scratch, 0o1777);
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {}, onError: () => Response.error() },
      (request) => this.#answer(new URL(request.url).pathname.slice(1)),
    );
    this.release(version);
  }

  /** The URL of the directory with the files. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  /** Puts the files of a version on the server, in the place of those that are there. */
  release(version: string): void {
    for (const name of ["gxensemble", "ensemble-registry"]) {
      this.files.set(`${name}-${TARGET}`, standIn(name, version));
    }
    this.sum();
  }

  /** Has each file answered with a redirect to the same name below a URL. */
  redirect(url: string): void {
    for (const name of this.files.keys()) {
      this.files.set(name, () => Response.redirect(`${url}/${name}`));
    }
  }

  /** Brings SHA256SUMS up to date. */
  sum(): void {
    const lines = [...this.files].filter(([name]) => name !== "SHA256SUMS").map(([name, text]) =>
      `${createHash("sha256").update(text as string).digest("hex")}  ${name}\n`
    );
    this.files.set("SHA256SUMS", lines.join(""));
  }

  /** Runs the script. */
  async install(options: InstallOptions = {}): Promise<Outcome> {
    const { args = [], env, piped, shell = "sh", within = [], user, from = this.url } = options;
    const script = piped === undefined ? [SCRIPT.pathname] : ["-s", "--"];
    const source = from === null ? [] : ["--from", from];
    const command = [...within, shell, ...script, ...source, "--to", this.to, ...args];
    const process = new Deno.Command(command[0]!, {
      args: command.slice(1),
      env: { TMPDIR: this.#scratch, ...env },
      ...user === undefined ? {} : { uid: user, gid: user },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const input = new Blob([piped ?? ""]).stream();
    // A shell that does not understand what it is given does not read it all.
    const [{ code, stdout, stderr }] = await Promise.all([
      process.output(),
      input.pipeTo(process.stdin).catch(() => {}),
    ]);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Runs the script, which must fail without leaving anything behind; gives the reason. */
  async failure(options: InstallOptions = {}): Promise<string> {
    const before = this.installed();
    const { code, stdout, stderr } = await this.install(options);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, stderr);
    assert.deepEqual(this.installed(), before);
    this.assertTidy();
    const lines = stderr.replaceAll(/^downloading .*\n/gm, "");
    const [, reason] = /^install\.sh: error: ([^\n]*)\n$/.exec(lines) ?? [];
    assert.ok(reason !== undefined, `not one line: ${stderr}`);
    return reason;
  }

  /** What is in the directory, by name, hidden files too. */
  installed(): Record<string, string> {
    try {
      const names = Array.from(Deno.readDirSync(this.to), ({ name }) => name).sort();
      return Object.fromEntries(
        names.map((name) => [name, Deno.readTextFileSync(`${this.to}/${name}`)]),
      );
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return {};
      throw error;
    }
  }

  /** Fails when the script has left temporary files. */
  assertTidy(): void {
    assert.deepEqual(Array.from(Deno.readDirSync(this.#scratch), ({ name }) => name), []);
  }

  /** A directory for `PATH` with the tools that the script needs, and those named; nothing else. */
  tools(...names: string[]): string {
    const directory = Deno.makeTempDirSync({ dir: this.directory });
    Deno.chmodSync(directory, 0o755);
    for (const name of [...TOOLS, ...names]) {
      const path = findProgram(name);
      assert.ok(path, `no ${name} here`);
      Deno.symlinkSync(path, `${directory}/${name}`);
    }
    return directory;
  }

  /** A value for `PATH` by which commands of the test come before those of the machine. */
  stub(scripts: Record<string, string>): string {
    const directory = Deno.makeTempDirSync({ dir: this.directory });
    Deno.chmodSync(directory, 0o755);
    for (const [name, text] of Object.entries(scripts)) {
      Deno.writeTextFileSync(`${directory}/${name}`, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    }
    return `${directory}:${Deno.env.get("PATH")}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    Deno.removeSync(this.directory, { recursive: true });
  }

  #answer(name: string): Response {
    this.requests.push(name);
    const content = this.files.get(name);
    if (content === undefined) return new Response("not found\n", { status: 404 });
    return typeof content === "string" ? new Response(content) : content();
  }
}

/** What is installed in the tests: says its version, as the executables do. */
export function standIn(name: string, version: string): string {
  return `#!/bin/sh\necho '${name} ${version} (a stand-in)'\necho 'deno 2.9.6'\n`;
}

/** The text of the script. */
export function scriptText(): string {
  return Deno.readTextFileSync(SCRIPT);
}
