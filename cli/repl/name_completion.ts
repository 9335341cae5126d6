/**
 * What Tab completes.
 *
 * @module
 */
import type { Completion } from "./editor/input_editor.ts";
import { type Token, tokenizer, tokTypes } from "npm:acorn@^8.19.0";
import { isIdentifier, MAX_COMPLETIONS } from "../../runtime/repl/completion.ts";
import { hasControls } from "../../runtime/safe_text.ts";
import { CONTROL_COMMANDS, isControlLine } from "./control_commands.ts";
import { findSpecifiers, type ModuleSources, partialSpecifier } from "./module_completion.ts";
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
