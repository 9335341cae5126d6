/**
 * A host for portable executables: a directory with one, and a PATH without Deno.
 *
 * @module
 */
import { join } from "node:path";
import { makeExecutable } from "../../../cli/executables/executable.ts";
import { findProgram } from "../../requirements.ts";
import { type Outcome, TemporaryEnsemble } from "../../temporary_ensemble.ts";

/** The tools that a portable executable needs. */
const TOOLS = "sh gzip tar tail head mktemp mkdir mv rm chmod uname sync find ls cat".split(" ");

/** The size of the file that stands for Deno, in bytes; half of that compressed. */
export const DENO_LENGTH = 200_000;

/** The files and tools of a host; removed with `using`. */
export class PortableHost extends TemporaryEnsemble {
  /** The directory where executables unpack. */
  readonly cache = `${this.directory}/cache`;

  /** The executable. */
  readonly executable = `${this.directory}/program`;

  /** The only directory on the PATH. */
  readonly bin = `${this.directory}/bin`;

  /** The file that executables contain as Deno. */
  readonly #deno: string;

  /**
   * Makes a host without an executable. By default, a script that runs the tests' Deno stands for
   * Deno, because compressing the real one takes seconds.
   */
  constructor({ deno }: { deno?: string } = {}) {
    super();
    Deno.mkdirSync(this.bin);
    for (const tool of TOOLS) {
      const path = findProgram(tool);
      if (path) Deno.symlinkSync(path, `${this.bin}/${tool}`);
    }
    this.#deno = deno ?? `${this.directory}/stand-in`;
    if (!deno) Deno.writeTextFileSync(this.#deno, standIn(), { mode: 0o755 });
  }

  /** Makes an executable from the text of a module. */
  async compile(
    text: string,
    { file = "main.ts", include = [] as string[], output = this.executable } = {},
  ): Promise<void> {
    const entry = `${this.directory}/${file}`;
    await Deno.writeTextFile(entry, text);
    await makeExecutable({
      entry,
      output,
      portable: true,
      deno: this.#deno,
      include: include.map((path) => join(this.directory, path)),
    });
    await this.#copy(output);
  }

  /**
   * Replaces a file by a copy that another process makes. A process that another test was starting
   * meanwhile may still have the file open for writing, and such a file cannot be run.
   */
  async #copy(path: string): Promise<void> {
    const copy = `${this.directory}/copy`;
    const { success } = await new Deno.Command("cp", { args: ["-p", path, copy] }).output();
    if (!success) throw new Error(`cannot copy ${path}`);
    await Deno.rename(copy, path);
  }

  /** Runs a command line in the host's shell, to its end. */
  async shell(line: string): Promise<Outcome> {
    const { code, stdout, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-c", line],
      cwd: this.directory,
      clearEnv: true,
      env: { PATH: this.bin, HOME: this.directory, GXENSEMBLE_CACHE_DIR: this.cache },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** The names in the cache, without the digits of the hashes. */
  cached(cache = this.cache): string[] {
    return Array.from(Deno.readDirSync(cache), ({ name }) => name.replace(/-\w{16}$/, "")).sort();
  }

  /** The directory in the cache whose name has this prefix. */
  cachedPath(start: string): string {
    const names = Array.from(Deno.readDirSync(this.cache), ({ name }) => name);
    return `${this.cache}/${names.find((name) => name.startsWith(`${start}-`))}`;
  }

  /** Replaces a tool by a script, and returns the path of the tool itself. */
  async replaceTool(name: string, script: (tool: string) => string): Promise<void> {
    const path = `${this.bin}/${name}`;
    const tool = await Deno.readLink(path);
    await Deno.remove(path);
    await Deno.writeTextFile(path, `#!/bin/sh\n${script(tool)}\n`, { mode: 0o755 });
  }
}

/** A script that runs the tests' Deno, padded to a size that gzip compresses by half. */
function standIn(): string {
  const start = `#!/bin/sh\nexec '${Deno.execPath()}' "$@"\n# `;
  let digits = "";
  while (start.length + digits.length < DENO_LENGTH) {
    digits += crypto.getRandomValues(new Uint8Array(10_000)).toHex();
  }
  return start + digits.slice(0, DENO_LENGTH - start.length - 1) + "\n";
}
