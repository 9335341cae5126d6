/**
 * Text from elsewhere, made safe to show: bounded in length, and with its control characters visible.
 *
 * A peer chooses its names, its messages and its errors. Before such text is printed or logged it
 * passes through here, so that it can neither move the cursor, nor hide a part of itself, nor show
 * its characters in another order than they are in.
 *
 * @module
 */

/** How much of a peer's text is quoted in an error or a log line, in UTF-16 code units. */
export const QUOTED_LENGTH = 200;

/** Cuts a text to `limit` UTF-16 code units, and says in them how much was cut. */
export function shorten(text: string, limit: number = QUOTED_LENGTH): string {
  if (text.length <= limit) return text;
  let end = limit - `... ${text.length} more characters`.length;
  // Not between the two halves of one character.
  if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end--;
  return `${text.slice(0, end)}... ${text.length - end} more characters`;
}

/** A text in quotes, cut when it is long: for errors that say what they were given. */
export function quoted(text: string): string {
  return JSON.stringify(shorten(text));
}

/**
 * What is escaped: the control characters C0, DEL and C1; lone surrogates; the line and paragraph
 * separators; and every character that is invisible by itself (`Default_Ignorable_Code_Point`), which
 * covers the bidirectional controls, zero-width spaces, fillers and tag characters, and the
 * interlinear annotation marks.
 *
 * Not escaped are the joiners and variation selectors, without which emoji and the writing of Persian
 * and the languages of India fall apart, and the tag characters of a flag that Unicode recommends,
 * such as that of Scotland. They change at most the glyph next to them.
 */
const CONTROLS =
  /\p{RGI_Emoji_Tag_Sequence}|[[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]--[\u200c\u200d\p{Variation_Selector}]]/gv;

/** What a flag that is written with tag characters begins with: a black flag. */
const FLAG = "\u{1f3f4}";

/** How these are written in JavaScript, in JSON and in Scheme. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Options of {@linkcode escapeControls}. */
export interface EscapeOptions {
  /** The characters that stay as they are, such as `"\n\t"` for text of several lines. */
  readonly keep?: string;
  /** Writes a code point other than newline, return and tab; as JavaScript does when absent. */
  readonly write?: (codePoint: number) => string;
}

/**
 * Writes control characters and their like as escapes: `\n`, `\u001b`, `\u{e0041}`. Everything else
 * stays, backslashes included.
 */
export function escapeControls(
  text: string,
  { keep = "", write = writeAsJavaScript }: EscapeOptions = {},
): string {
  return text.replace(CONTROLS, (found) => {
    if (keep.includes(found) || found.startsWith(FLAG)) return found;
    return SHORT_ESCAPES[found] ?? write(found.codePointAt(0)!);
  });
}

/** Writes control characters and their like as escapes in text that has line breaks and tabs of its own. */
export function visibleText(text: string): string {
  return escapeControls(text, { keep: "\n\t" });
}

/** Whether a text has a character that {@linkcode escapeControls} escapes. */
export function hasControls(text: string): boolean {
  return escapeControls(text) !== text;
}

/** Writes a code point as JSON does, which has escapes for the halves of a character beyond 16 bits only. */
export function writeAsJson(codePoint: number): string {
  return String.fromCodePoint(codePoint).split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

function writeAsJavaScript(codePoint: number): string {
  const hex = codePoint.toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
}
