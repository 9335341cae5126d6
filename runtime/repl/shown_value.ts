/**
 * Previews and descriptions of values for a REPL.
 *
 * @module
 */
import { types } from "node:util";
import { inspectBounded, type InspectOptions } from "../inspection.ts";
import { shorten } from "../safe_text.ts";
import { prototypeChain } from "./repl_scope.ts";

/** The maximum length of the text for a value, in UTF-16 code units. */
export const MAX_PREVIEW_LENGTH = 100_000;

/** Options of {@linkcode previewValue}. */
export type PreviewOptions = Pick<InspectOptions, "oneLine">;

/** Formats a value, as {@linkcode inspectBounded} does. */
export function previewValue(value: unknown, options: PreviewOptions = {}): string {
  return inspectBounded(value, { ...options, limit: MAX_PREVIEW_LENGTH });
}

/** Truncates a text to {@linkcode MAX_PREVIEW_LENGTH} and marks the cut. */
export function cut(text: string): string {
  return shorten(text, MAX_PREVIEW_LENGTH);
}

/** The maximum number of listed members of an object. */
const MAX_MEMBERS = 200;

/** Finds the comment before the source of a function or class. */
type FindComment = (source: string) => string | undefined;

/**
 * Describes a value: a function or class by its signature and the comment before it, an object by
 * its members, any other value by its preview.
 */
export function summarizeValue(value: unknown, findComment: FindComment): string {
  if (types.isProxy(value)) return "a proxy";
  if (typeof value === "function") return describeFunction(value, findComment);
  if (typeof value !== "object" || value === null) {
    return `${value === null ? "" : typeof value} ${previewValue(value, { oneLine: true })}`.trim();
  }
  const members = memberNames(value, Object.prototype);
  return [`object ${className(value)}`, ...membersLine(members)].join("\n");
}

function describeFunction(value: CallableFunction, findComment: FindComment): string {
  const source = Function.prototype.toString.call(value);
  const comment = readable(findComment(source) ?? "");
  const lines = comment === "" ? [] : comment.split("\n").map((line) => `  ${line}`.trimEnd());
  if (!/^class\b/.test(source)) return [signatureOf(value, source), ...lines].join("\n");
  const [heading] = /^[^{]*/.exec(source)!;
  const constructor = /\bconstructor\s*\(/.exec(source);
  const parameters = constructor ? parametersOf(source.slice(constructor.index)) : "()";
  const prototype = Object.getOwnPropertyDescriptor(value, "prototype")?.value;
  const members = memberNames(prototype, Object.prototype).filter((name) => name !== "constructor");
  return [`${oneLine(heading)} ${parameters}`, ...lines, ...membersLine(members)].join("\n");
}

function signatureOf(value: CallableFunction, source: string): string {
  const name = nameOf(value);
  if (/\{\s*\[native code\]\s*\}$/.test(source)) {
    const count = Object.getOwnPropertyDescriptor(value, "length")?.value;
    return `built-in function ${name} of ${count === 1 ? "1 parameter" : `${count} parameters`}`;
  }
  const kind = (types.isAsyncFunction(value) ? "async " : "") +
    (types.isGeneratorFunction(value) ? "function* " : "function ");
  return kind + name + parametersOf(source);
}

function nameOf(value: CallableFunction): string {
  const name = Object.getOwnPropertyDescriptor(value, "name")?.value;
  return typeof name === "string" && name !== "" ? name : "(anonymous)";
}

/** The parameters at the start of the source of a function, in parentheses. */
function parametersOf(source: string): string {
  const [bare] = /^(?:async\s+)?[\p{ID_Start}$_][\p{ID_Continue}$]*(?=\s*=>)/u.exec(source) ?? [];
  if (bare !== undefined) return `(${bare.replace(/^async\s+/, "")})`;
  const start = source.indexOf("(");
  let depth = 0;
  // Strings and comments may contain brackets.
  const parts = /\/\*[^]*?\*\/|\/\/.*|(["'`])(?:\\[^]|(?!\1)[^])*\1|[([{]|[)\]}]/g;
  parts.lastIndex = start;
  for (let part; (part = parts.exec(source));) {
    if (/^[([{]$/.test(part[0])) depth++;
    else if (/^[)\]}]$/.test(part[0])) depth--;
    if (depth === 0) return oneLine(source.slice(start, parts.lastIndex));
  }
  return "(...)";
}

/** Code on one line, without the spaces left by its types. */
function oneLine(code: string): string {
  return code.replace(/\s+/g, " ").replace(/ (?=[,)\]])|(?<=[([]) /g, "").trim();
}

/** The text of a comment, without its asterisks. */
function readable(comment: string): string {
  return comment.replace(/^\/\*\*|\*\/$/g, "").replace(/^[ \t]*\*? ?/gm, "").trim();
}

function className(value: object): string {
  for (const holder of prototypeChain(value)) {
    const constructor = Object.getOwnPropertyDescriptor(holder, "constructor")?.value;
    if (typeof constructor === "function" && !types.isProxy(constructor)) {
      return nameOf(constructor);
    }
  }
  return "without a class";
}

/**
 * The names of an object's properties and of its prototypes', except those that all objects have.
 */
function memberNames(value: unknown, end: object): string[] {
  const names = new Set<string>();
  for (const holder of prototypeChain(value)) {
    if (holder === end) break;
    // The names of a large array or dictionary do not help a reader.
    for (const name of Object.getOwnPropertyNames(holder).slice(0, MAX_MEMBERS)) names.add(name);
  }
  return [...names].slice(0, MAX_MEMBERS);
}

function membersLine(names: string[]): string[] {
  const shown = names.filter((name) => !/^(?:constructor|_.*)$/.test(name));
  return shown.length === 0 ? [] : [`  has ${shown.join(", ")}`];
}
