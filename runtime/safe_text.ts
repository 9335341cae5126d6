/**
 * Makes untrusted text safe to show: limited in length, and with visible control characters.
 *
 * A peer chooses its names, its messages and its errors. Before such text is printed or logged it
 * passes through here, so that it cannot move the cursor, hide parts of itself, or show its
 * characters in another order.
 *
 * @module
 */

/** The length of a peer's text that is quoted in an error or log line, in UTF-16 code units. */
export const QUOTED_LENGTH = 200;

/** Truncates a text to `limit` UTF-16 code units, and adds how much was cut, within the limit. */
export function shorten(text: string, limit: number = QUOTED_LENGTH): string {
  if (text.length <= limit) return text;
  let end = limit - `... ${text.length} more characters`.length;
  // Not between the halves of a surrogate pair.
  if (/[\ud800-\udbff]/.test(text[end - 1] ?? "")) end--;
  return `${text.slice(0, end)}... ${text.length - end} more characters`;
}

/** Quotes a text, truncated if it is long, for errors about input. */
export function quoted(text: string): string {
  return JSON.stringify(shorten(text));
}

/**
 * The characters to escape: the control characters C0, DEL and C1; lone surrogates; the line and
 * paragraph separators; and every invisible character (`Default_Ignorable_Code_Point`), which
 * includes the bidirectional controls, zero-width spaces, fillers, tag characters and interlinear
 * annotation marks.
 *
 * Exceptions are joiners and variation selectors, which emoji and scripts such as Persian and those
 * of India need, and the tag characters of flags that Unicode recommends, such as that of Scotland.
 * They change at most the adjacent glyph.
 */
const CONTROLS =
  /\p{RGI_Emoji_Tag_Sequence}|[[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]--[\u200c\u200d\p{Variation_Selector}]]/gv;

/** The beginning of a flag with tag characters: a black flag. */
const FLAG = "\u{1f3f4}";

/** The short escapes of JavaScript, JSON and Scheme. */
const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Options of {@linkcode escapeControls}. */
export interface EscapeOptions {
  /** The characters to keep, such as `"\n\t"` for text with several lines. */
  readonly keep?: string;
  /** Formats a code point other than newline, return and tab. Default: as in JavaScript. */
  readonly write?: (codePoint: number) => string;
}

/**
 * Escapes control characters and the like: `\n`, `\u001b`, `\u{e0041}`. Everything else stays,
 * including backslashes.
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

/** Escapes control characters and the like in text with line breaks and tabs. */
export function visibleText(text: string): string {
  return escapeControls(text, { keep: "\n\t" });
}

/** Whether a text has a character that {@linkcode escapeControls} escapes. */
export function hasControls(text: string): boolean {
  return escapeControls(text) !== text;
}

/** Formats a code point as JSON does, which escapes halves of surrogate pairs separately. */
export function writeAsJson(codePoint: number): string {
  return String.fromCodePoint(codePoint).split("")
    .map((half) => `\\u${half.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
}

function writeAsJavaScript(codePoint: number): string {
  const hex = codePoint.toString(16);
  return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
}
