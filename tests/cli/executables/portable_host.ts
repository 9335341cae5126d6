/**
 * A host on which portable executables run: a directory with one, and a PATH on which no Deno is.
 *
 * @module
 */
import { join } from "node:path";
import { makeExecutable } from "../../../cli/executables/executable.ts";
import { findProgram } from "../../requirements.ts";
import { type Outcome, TemporaryEnsemble } from "../../temporary_ensemble.ts";

/** What a portable executable needs of its host. */
const TOOLS = "sh gzip tar tail head mktemp mkdir mv rm chmod uname sync find ls cat".split(" ");

/** How long what goes in as Deno is, in bytes; half of that compressed. */
export const DENO_LENGTH = 200_000;

/** Files and tools of a host; removed with `using`. */
export class PortableHost extends TemporaryEnsemble {
  /** Where executables unpack. */
  readonly cache = `${this.directory}/cache`;

  /** The executable. */
  readonly executable = `${this.directory}/program`;

  /** The only directory on the PATH. */
  readonly bin = `${this.directory}/bin`;

  /** What goes into executables as Deno. */
  readonly #deno: string;

  /**
   * Makes one without an executable. What goes in as Deno is a script that runs the Deno of the tests, unless one is
   * named: to compress a whole one takes seconds.
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

  /** Makes an executable of the text of a module. */
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
  }

  /** Runs a command line of the shell there, to its end. */
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

  /** What is in the cache, without the digits of the hashes. */
  cached(cache = this.cache): string[] {
    return Array.from(Deno.readDirSync(cache), ({ name }) => name.replace(/-\w{16}$/, "")).sort();
  }

  /** The directory in the cache whose name starts so. */
  cachedPath(start: string): string {
    const names = Array.from(Deno.readDirSync(this.cache), ({ name }) => name);
    return `${this.cache}/${names.find((name) => name.startsWith(`${start}-`))}`;
  }

  /** Puts a script in the place of a tool; gives the path of the tool itself. */
  async replaceTool(name: string, script: (tool: string) => string): Promise<void> {
    const path = `${this.bin}/${name}`;
    const tool = await Deno.readLink(path);
    await Deno.remove(path);
    await Deno.writeTextFile(path, `#!/bin/sh\n${script(tool)}\n`, { mode: 0o755 });
  }
}

/** A script that runs the Deno of the tests, as long as it should be, of which gzip makes half. */
function standIn(): string {
  const start = `#!/bin/sh\nexec '${Deno.execPath()}' "$@"\n# `;
  let digits = "";
  while (start.length + digits.length < DENO_LENGTH) {
    digits += crypto.getRandomValues(new Uint8Array(10_000)).toHex();
  }
  return start + digits.slice(0, DENO_LENGTH - start.length - 1) + "\n";
}
