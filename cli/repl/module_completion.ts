/**
 * What Tab completes where a module is named.
 *
 * @module
 */
import { hasControls } from "../../runtime/safe_text.ts";
import type { ImportResolver } from "./import_resolver.ts";
import type { RemoteSession } from "./remote_session.ts";

/** A module that is being named. */
export interface PartialSpecifier {
  /** As much of its name as is there. */
  readonly typed: string;
  /** What is done with it: a file is loaded, a library is, or what the server runs is imported. */
  readonly use: "load" | "load-library" | "import";
  /** The quotation mark before it; empty when there is none. */
  readonly quote: string;
}

/** Who knows modules. */
export interface ModuleSources {
  readonly session: Pick<RemoteSession, "modules" | "libraries">;
  readonly resolver: Pick<ImportResolver, "directory" | "mapped">;
}

/** A control command that takes a module: up to its name, in quotation marks or not. */
const CONTROL = /^\s*,\s*\(?\s*(load|import)\s+(-\w\s+)?(?:(")([^"]*)|([^\s"();,]*))$/;

/** An import, up to what it imports. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*(["'])([^"'\\\n]*)$/;

/** What the files of modules are called. */
const MODULE_FILE = /(?<!\.d)\.(?:[cm]?[jt]s|[jt]sx|wasm)$/;

/** The module that a text ends with; undefined where none is named. */
export function partialSpecifier(text: string): PartialSpecifier | undefined {
  const control = CONTROL.exec(text);
  if (control) {
    const [, command, flag, quote = "", quoted, bare = ""] = control;
    const load = flag?.startsWith("-l") ? "load-library" : "load";
    return { typed: quoted ?? bare, quote, use: command === "import" ? "import" : load };
  }
  const [, quote, typed] = IMPORT.exec(text) ?? [];
  return quote === undefined ? undefined : { typed: typed!, quote, use: "import" };
}

/** What could be named: the modules and libraries of the server, files, and what `deno.json` maps. */
export async function findSpecifiers(
  { typed, use, quote }: PartialSpecifier,
  { session, resolver }: ModuleSources,
): Promise<string[]> {
  const found = await Promise.all([
    use === "import" ? session.modules() : [],
    use === "load" ? [] : session.libraries(),
    use === "import" ? resolver.mapped() : [],
    use === "load" || use === "import" && isPath(typed, resolver.mapped())
      ? filesFrom(typed, resolver)
      : [],
  ]);
  const fitting = found.flat().filter((name) =>
    name.startsWith(typed) && !hasControls(name) && isWritable(name, quote)
  );
  return [...new Set(fitting)].sort();
}

/** Whether a specifier leads to a file, and not to a module by its id. */
function isPath(typed: string, mapped: readonly string[]): boolean {
  return /^\.{0,2}\//.test(typed) ||
    mapped.some((key) => key.endsWith("/") && typed.startsWith(key));
}

/** The files and directories in the directory that is named so far. */
async function filesFrom(
  typed: string,
  resolver: ModuleSources["resolver"],
): Promise<string[]> {
  const named = typed.slice(0, typed.lastIndexOf("/") + 1);
  const hidden = typed.slice(named.length).startsWith(".");
  const names: string[] = [];
  try {
    for await (const { name, isDirectory } of Deno.readDir(resolver.directory(named))) {
      if (name.startsWith(".") && !hidden) continue;
      if (isDirectory) names.push(`${named}${name}/`);
      else if (MODULE_FILE.test(name)) names.push(named + name);
    }
  } catch {
    // There is no such directory.
  }
  return names;
}

/** Whether a name can stand where it is put without anything around it but its quotation marks. */
function isWritable(name: string, quote: string): boolean {
  return quote === "" ? !/[\s"();,]/.test(name) : !name.includes(quote) && !name.includes("\\");
}
