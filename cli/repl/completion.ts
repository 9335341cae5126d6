/**
 * What Tab completes: control commands, modules, and names that the server knows.
 *
 * @module
 */
import { type Token, tokenizer, tokTypes } from "npm:acorn@^8.19.0";
import { hasControls } from "../../runtime/safe_text.ts";
import { isIdentifier, MAX_COMPLETIONS } from "../../runtime/repl/repl_protocol.ts";
import { CONTROL_COMMANDS, isControlLine } from "./control_commands.ts";
import type { Completion } from "./editor/input_editor.ts";
import type { ImportResolver } from "./import_resolver.ts";
import type { RemoteSession } from "./remote_session.ts";

/** A name that is being typed. */
export interface PartialName {
  /** The names before it: `a` and `b` in `a.b.c`. */
  readonly path: string[];
  /** As much of it as is there. */
  readonly prefix: string;
}

/** Who knows names. */
export interface NameSources extends ModuleSources {
  readonly session: Pick<RemoteSession, "complete" | "modules" | "libraries">;
}

/** The control commands that take a name; what follows is the name as far as it is there. */
const TAKES_NAME = /^\s*,\s*\(?\s*(?:defined\?|doc)\s+(?=\S*$)/;

/**
 * Completes a text up to the cursor: a control command, a module, or a name that the server knows. What the
 * server answers is put into the text and shown: it has to be a name, and one that begins as the text ends.
 */
export async function complete(text: string, sources: NameSources): Promise<Completion> {
  const specifier = partialSpecifier(text);
  if (specifier) {
    const found = await findSpecifiers(specifier, sources);
    return [found.slice(0, MAX_COMPLETIONS), specifier.typed];
  }
  const named = text.replace(TAKES_NAME, "");
  if (named === text && isControlLine(text)) return completeControl(text.trimStart());
  const name = partialName(named);
  if (!name) return [[], text];
  const candidates = await sources.session.complete(name.path, name.prefix);
  const fitting = candidates.filter((candidate) =>
    isIdentifier(candidate) && !hasControls(candidate) && candidate.startsWith(name.prefix)
  );
  return [fitting.slice(0, MAX_COMPLETIONS), name.prefix];
}

function completeControl(line: string): Completion {
  const candidates = CONTROL_COMMANDS.flatMap(({ names }) => names)
    .flatMap((name) => [`,(${name} `, `,${name}`])
    .filter((candidate) => candidate.startsWith(line));
  // One of the two ways to write it is enough.
  const parenthesised = candidates.filter((candidate) => candidate.startsWith(",("));
  return [parenthesised.length > 0 ? parenthesised : candidates, line];
}

/** The name that a line ends with; undefined where a name does not help, as in a string. */
export function partialName(line: string): PartialName | undefined {
  const tokens = tokensOf(line);
  if (!tokens) return undefined;
  const last = tokens.at(-1);
  const prefix = last && isWord(last) && last.end === line.length ? textOf(last, line) : "";
  if (prefix) tokens.pop();
  const path: string[] = [];
  while (isDot(tokens.at(-1))) {
    tokens.pop();
    const name = tokens.pop();
    if (!name || name.type !== tokTypes.name) return undefined;
    path.unshift(textOf(name, line));
  }
  return { path, prefix };
}

/** The tokens of a line, or undefined when it ends inside one. */
function tokensOf(line: string): Token[] | undefined {
  try {
    // What follows tells "?." from a condition.
    return [...tokenizer(`${line} `, { ecmaVersion: "latest" })];
  } catch {
    return undefined;
  }
}

function isWord({ type }: Token): boolean {
  return type === tokTypes.name || type.keyword !== undefined;
}

function isDot(token: Token | undefined): boolean {
  return token?.type === tokTypes.dot || token?.type === tokTypes.questionDot;
}

function textOf({ start, end }: Token, line: string): string {
  return line.slice(start, end);
}

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
