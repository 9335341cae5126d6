/**
 * Reads a page of the documentation as steps that can be run.
 *
 * The blocks marked `console` are run: transcripts of commands and their output. Blocks that begin
 * with a file name in a comment are files to write, and `diff` blocks that begin with `--- <path>`
 * are changes to a file. `ignore` after the language leaves a transcript out; a file is written all
 * the same, but not type-checked by itself. A block in an HTML comment is run like any other.
 *
 * @module
 */

/** A command of a transcript. */
export interface CommandStep {
  readonly kind: "command";
  /** Its line in the page, from 1. */
  readonly line: number;
  /** The command, as it is typed after `$ `. */
  readonly text: string;
  /** The lines typed at the prompts of the command, `name> `. */
  readonly typed: readonly string[];
  /** The output that the page shows. A line `...` stands for any number of lines. */
  readonly output: readonly string[];
  /** Whether the command ends with `&`: it keeps running, and its output is waited for. */
  readonly isBackground: boolean;
}

/** A file that the page shows in full. */
export interface FileStep {
  readonly kind: "file";
  readonly line: number;
  /** The path, relative to the directory that the shell is in. */
  readonly path: string;
  readonly text: string;
}

/** A change to a file. */
export interface ChangeStep {
  readonly kind: "change";
  readonly line: number;
  readonly path: string;
  /** The text to replace, which occurs once in the file. */
  readonly before: string;
  readonly after: string;
}

/** A heading. */
export interface HeadingStep {
  readonly kind: "heading";
  readonly line: number;
  readonly title: string;
}

/** The steps of a page, in order. */
export type Step = CommandStep | FileStep | ChangeStep | HeadingStep;

interface Block {
  readonly line: number;
  readonly language: string;
  readonly isIgnored: boolean;
  readonly lines: readonly string[];
}

const FILE_NAME = /^(?:\/\/|#) ([\w.-]+(?:\/[\w.-]+)*\.\w+)$/;
const PROMPT = /^[\w.-]+> ?/;

/** Reads a page of Markdown. */
export function readPage(markdown: string): Step[] {
  const steps: Step[] = [];
  const lines = markdown.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)```(.*)$/.exec(lines[at]!);
    if (fence === null) {
      const title = /^#+ (.*)$/.exec(lines[at]!)?.[1];
      if (title !== undefined) steps.push({ kind: "heading", line: at + 1, title });
      continue;
    }
    const [, indentation, info] = fence;
    const [language = "", ...attributes] = info!.split(/\s+/);
    const end = lines.indexOf(`${indentation}\`\`\``, at + 1);
    if (end < 0) throw new Error(`line ${at + 1}: a code block that does not end`);
    const block = lines.slice(at + 1, end).map((line) => line.slice(indentation!.length));
    const isIgnored = attributes.includes("ignore");
    steps.push(...readBlock({ line: at + 2, language, isIgnored, lines: block }));
    at = end;
  }
  return steps;
}

function readBlock({ line, language, isIgnored, lines }: Block): Step[] {
  if (lines.length === 0) return [];
  if (language === "console") return isIgnored ? [] : readTranscript(line, lines);
  const changed = language === "diff" ? /^--- (\S+)$/.exec(lines[0]!)?.[1] : undefined;
  if (changed !== undefined) {
    const kept = (signs: string) =>
      lines.slice(1).filter((each) => signs.includes(each[0] ?? " "))
        .map((each) => each.slice(1)).join("\n");
    return [{ kind: "change", line, path: changed, before: kept(" -"), after: kept(" +") }];
  }
  const path = FILE_NAME.exec(lines[0]!)?.[1];
  return path === undefined ? [] : [{ kind: "file", line, path, text: `${lines.join("\n")}\n` }];
}

function readTranscript(first: number, lines: readonly string[]): CommandStep[] {
  const commands: { line: number; text: string; typed: string[]; output: string[] }[] = [];
  for (const [index, line] of lines.entries()) {
    const current = commands.at(-1);
    if (line.startsWith("$ ")) {
      commands.push({ line: first + index, text: line.slice(2), typed: [], output: [] });
    } else if (current === undefined) {
      throw new Error(`line ${first + index}: output before the first command`);
    } else if (current.text.endsWith("\\") && current.output.length === 0) {
      current.text += `\n${line}`;
    } else if (PROMPT.test(line)) {
      current.typed.push(line.replace(PROMPT, ""));
    } else {
      current.output.push(line);
    }
  }
  return commands.map((command) => ({
    kind: "command",
    ...command,
    isBackground: /[^&]&$/.test(command.text),
  }));
}
