/**
 * Suggestions of names near a mistyped one.
 *
 * @module
 */
import { distance } from "npm:fastest-levenshtein@^1.0.16";

/** The maximum number of suggested names. */
export const MOST_SUGGESTED = 3;

/**
 * Returns the names near a typed one, nearest first: those within a few edits, ignoring case, and
 * those that it is a prefix of.
 */
export function nearest(typed: string, names: readonly string[]): string[] {
  const wanted = typed.toLowerCase();
  const tolerated = Math.max(1, Math.floor(typed.length / 3));
  return names.map((name) => {
    const letters = name.toLowerCase();
    const away = isSwapped(wanted, letters) ? 1 : distance(wanted, letters);
    const isNear = away <= tolerated || (wanted.length > 1 && letters.startsWith(wanted));
    return { name, away, isNear };
  }).filter(({ isNear }) => isNear)
    .sort((a, b) => a.away - b.away || (a.name < b.name ? -1 : 1))
    .slice(0, MOST_SUGGESTED).map(({ name }) => name);
}

/** Whether two words differ only by two adjacent letters that are swapped. */
function isSwapped(typed: string, word: string): boolean {
  const at = Array.from(word).findIndex((letter, index) => letter !== typed[index]);
  return at >= 0 && word === typed.slice(0, at) + typed[at + 1] + typed[at] + typed.slice(at + 2);
}

/** Returns `; did you mean a, b or c?`, or an empty text without names. */
export function didYouMean(names: readonly string[]): string {
  const [last, ...others] = names.toReversed();
  if (last === undefined) return "";
  const list = others.length > 0 ? `${others.toReversed().join(", ")} or ${last}` : last;
  return `; did you mean ${list}?`;
}
