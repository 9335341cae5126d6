/**
 * `gxensemble compile`.
 *
 * @module
 */
import { basename } from "node:path";
import { makeExecutable } from "../executables/executable.ts";
import type { OutputOptions, Target } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Options of {@linkcode compile}. */
export interface CompileOptions extends OutputOptions {
  /** The file to write; named after the module, in the current directory, when absent. */
  output?: string;
  /** Files and directories that the program reads at run time. */
  include: string[];
  /** The platform to compile for. */
  target?: Target;
  /** Whether to make the portable form in any case. */
  portable: boolean;
}

/** Makes an executable of a server's program. */
export async function compile(moduleId: string, options: CompileOptions): Promise<void> {
  const { include, target, portable, json } = options;
  const output = options.output ?? basename(moduleId).replace(/\.[^.]*$/, "");
  const { path, form, size, sha256 } = await makeExecutable({
    entry: moduleId,
    output,
    include,
    portable,
    ...target && { target },
    onNotice: (message) => printNotice(`gxensemble: ${message}`),
  });
  if (json) return printJson({ path, form, size, sha256 });
  printLine(`... compiled ${path} (${form}, ${size} bytes)`);
  printLine(sha256);
}
