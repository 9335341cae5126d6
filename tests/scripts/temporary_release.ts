/**
 * A release on the file server of one test, and the machine on which it is installed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { findProgram, type Need, oneOf } from "../requirements.ts";
import type { Outcome } from "../temporary_ensemble.ts";

const SCRIPT = new URL("../../scripts/install.sh", import.meta.url);

/** The ending of file names for this machine. */
export const TARGET = `${Deno.build.arch}-${
  Deno.build.os === "darwin" ? "apple-darwin" : "unknown-linux-gnu"
}`;

/** The tools that the script needs, besides one for downloads and one for hashes. */
const TOOLS = "cat chmod cut grep id ldd mkdir mktemp mv rm sed sh tail uname".split(" ");

/** The requirements of the script's tests. */
export const INSTALLING: readonly Need[] = [oneOf("curl", "wget"), ...TOOLS];

/** Options of {@linkcode TemporaryRelease.install}. */
export interface InstallOptions {
  /** Arguments of the script besides `--from` and `--to`. */
  args?: string[];
  /** Environment variables to set. */
  env?: Record<string, string>;
  /** The text to pipe to `sh`. By default it runs the file. */
  piped?: string;
  /** The shell to use. */
  shell?: string;
  /** A command that runs the shell. */
  within?: string[];
  /** The user to run it as; only root can set one. */
  user?: number;
  /** The URL to download from. Default: the release's. Null gives none. */
  from?: string | null;
}

/** Files on a file server, and a directory to install them in; removed with `using`. */
export class TemporaryRelease implements AsyncDisposable {
  /** Any other files of the test. */
  readonly directory = Deno.makeTempDirSync({ prefix: "gx" });

  /** The directory in which the script installs. */
  readonly to = `${this.directory}/prefix/bin`;

  /** The server's files by name: a text, or a function that answers. */
  readonly files = new Map<string, string | (() => Response)>();

  /** The requested names. */
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

  /** Replaces the files on the server with those of a version. */
  release(version: string): void {
    for (const name of ["gxensemble", "ensemble-registry"]) {
      this.files.set(`${name}-${TARGET}`, standIn(name, version));
    }
    this.sum();
  }

  /** Answers every request with a redirect to the same name below a URL. */
  redirect(url: string): void {
    for (const name of this.files.keys()) {
      this.files.set(name, () => Response.redirect(`${url}/${name}`));
    }
  }

  /** Updates SHA256SUMS. */
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
    // A shell that does not understand its input does not read all of it.
    const [{ code, stdout, stderr }] = await Promise.all([
      process.output(),
      input.pipeTo(process.stdin).catch(() => {}),
    ]);
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Runs the script, which must fail without leaving anything behind, and returns the reason. */
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

  /** The files in the directory by name, including hidden ones. */
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

  /** Fails if the script has left temporary files. */
  assertTidy(): void {
    assert.deepEqual(Array.from(Deno.readDirSync(this.#scratch), ({ name }) => name), []);
  }

  /** A directory for `PATH` with only the tools that the script needs, and the named ones. */
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

  /** A value for `PATH` that puts the test's commands before those of the machine. */
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

/** The installed program of the tests. It prints its version, as the executables do. */
export function standIn(name: string, version: string): string {
  return `#!/bin/sh\necho '${name} ${version} (a stand-in)'\necho 'deno 2.9.6'\n`;
}

/** The text of the script. */
export function scriptText(): string {
  return Deno.readTextFileSync(SCRIPT);
}
