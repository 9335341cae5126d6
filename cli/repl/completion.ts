/**
 * Tab completion in the REPL: control commands, modules, and names in the server.
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
interface PartialName {
  /** The names before it: `a` and `b` in `a.b.c`. */
  readonly path: string[];
  /** The part that was typed. */
  readonly prefix: string;
}

/** The sources of names and modules: the session in the server, and the local project. */
export interface NameSources {
  readonly session: Pick<RemoteSession, "complete" | "modules" | "libraries">;
  readonly resolver: Pick<ImportResolver, "directory" | "mapped">;
}

/** The control commands that take a name, up to that name. */
const TAKES_NAME = /^\s*,\s*\(?\s*(?:defined\?|doc)\s+(?=\S*$)/;

/**
 * Completes the text before the cursor: a control command, a module, or a name in the server. Names
 * from the server are used only if they begin with the typed text, since they are inserted into it.
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
  // One of the two spellings is enough.
  const parenthesised = candidates.filter((candidate) => candidate.startsWith(",("));
  return [parenthesised.length > 0 ? parenthesised : candidates, line];
}

/** The name at the end of a line; undefined if no name is possible there, as in a string. */
function partialName(line: string): PartialName | undefined {
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

/** The tokens of a line; undefined if it ends inside one. */
function tokensOf(line: string): Token[] | undefined {
  try {
    // The space makes "?." one token, and not the start of a conditional expression.
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

/** A module specifier that is being typed. */
interface PartialSpecifier {
  /** The part that was typed. */
  readonly typed: string;
  /** Whether it names a file to load, a library to load, or something to import. */
  readonly use: "load" | "load-library" | "import";
  /** The quotation mark before it; empty if there is none. */
  readonly quote: string;
}

/** A control command that takes a module, up to the end of the specifier, which may be quoted. */
const CONTROL = /^\s*,\s*\(?\s*(load|import)\s+(-\w\s+)?(?:(")([^"]*)|([^\s"();,]*))$/;

/** An import, up to the end of the specifier. */
const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*(["'])([^"'\\\n]*)$/;

/** The names of files that can be loaded. */
const MODULE_FILE = /(?<!\.d)\.(?:[cm]?[jt]s|[jt]sx|wasm)$/;

/** The specifier at the end of a text; undefined if there is none. */
function partialSpecifier(text: string): PartialSpecifier | undefined {
  const control = CONTROL.exec(text);
  if (control) {
    const [, command, flag, quote = "", quoted, bare = ""] = control;
    const load = flag?.startsWith("-l") ? "load-library" : "load";
    return { typed: quoted ?? bare, quote, use: command === "import" ? "import" : load };
  }
  const [, quote, typed] = IMPORT.exec(text) ?? [];
  return quote === undefined ? undefined : { typed: typed!, quote, use: "import" };
}

/**
 * The candidates: modules and libraries of the server, files, and import map entries of
 * `deno.json`.
 */
async function findSpecifiers(
  { typed, use, quote }: PartialSpecifier,
  { session, resolver }: NameSources,
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

/** Whether a specifier is a path, and not a module id. */
function isPath(typed: string, mapped: readonly string[]): boolean {
  return /^\.{0,2}\//.test(typed) ||
    mapped.some((key) => key.endsWith("/") && typed.startsWith(key));
}

/** The files and directories in the directory typed so far. */
async function filesFrom(
  typed: string,
  resolver: NameSources["resolver"],
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

/** Whether a name can be inserted without quotes or escapes other than the quote typed. */
function isWritable(name: string, quote: string): boolean {
  return quote === "" ? !/[\s"();,]/.test(name) : !name.includes(quote) && !name.includes("\\");
}
