/**
 * Answers to the completion scripts of the shells.
 *
 * The first line says what kind of words follow, or `files` where the shell is to complete the names of
 * files. Then a word a line: for bash what replaces the end of the word that is being typed, quoted; for
 * zsh and fish the word itself, a tab, and what it is. An empty answer is one too.
 *
 * @module
 */
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { completeBashWord, splitBashLine } from "./bash_line.ts";
import { type Candidate, type Candidates, findCandidates, type LiveNames } from "./candidates.ts";
import type { Shell } from "./scripts.ts";
import { readTypedLine } from "./typed_line.ts";

/** What a completion script asks with. */
export interface Question {
  /** The shell it is for. */
  readonly shell: Shell;
  /**
   * From zsh and fish the words without quotes, up to the one at the cursor, and without the name of the
   * program. From bash two texts: the line up to the cursor, and the end of it that is to be replaced.
   */
  readonly words: readonly string[];
}

/** Answers a completion script: the lines to print. */
export async function answer(
  program: CommandUnknownOpts,
  question: Question,
  live: LiveNames,
): Promise<string[]> {
  const { shell, words } = question;
  if (shell === "bash") return await answerBash(program, words[0] ?? "", words[1] ?? "", live);
  const line = readTypedLine(program, words.slice(0, -1), words.at(-1) ?? "");
  return toLines(await findCandidates(line, live), ({ description }, whole) => {
    // fish completes whole words; to zsh its script has said already that `--log=` stays.
    const word = shell === "zsh" ? whole.slice(line.kept.length) : whole;
    return `${word}\t${description}`;
  });
}

async function answerBash(
  program: CommandUnknownOpts,
  text: string,
  replaced: string,
  live: LiveNames,
): Promise<string[]> {
  const { words, current, isRedirection } = splitBashLine(text);
  if (isRedirection) return ["files"];
  const line = readTypedLine(program, words.slice(1), current.value);
  return toLines(
    await findCandidates(line, live),
    (_candidate, whole) => completeBashWord(current, replaced, whole),
  );
}

function toLines(
  found: Candidates,
  write: (candidate: Candidate, whole: string) => string | undefined,
): string[] {
  if (found === "files") return ["files"];
  const lines = found.candidates.flatMap((candidate) =>
    write(candidate, found.kept + candidate.word) ?? []
  );
  return lines.length > 0 ? [found.noun, ...lines] : [];
}
