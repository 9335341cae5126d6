/**
 * JSON with comments and trailing commas, the form of `deno.jsonc`.
 *
 * @module
 */

// A string is matched first, so that what looks like a comment inside it stays.
const STRING_OR_COMMENT = /"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
const STRING_OR_TRAILING_COMMA = /"(?:[^"\\]|\\.)*"|,(?=\s*[}\]])/g;

/**
 * Reads JSON with comments. Positions in errors are those of the text.
 *
 * @throws {SyntaxError} when the text is not JSON with comments.
 */
export function parseJsonc(text: string): unknown {
  const withoutComments = text.replace(/^\uFEFF/, "").replace(STRING_OR_COMMENT, blankUnlessString);
  return JSON.parse(withoutComments.replace(STRING_OR_TRAILING_COMMA, blankUnlessString));
}

function blankUnlessString(token: string): string {
  return token.startsWith('"') ? token : token.replace(/[^\n]/g, " ");
}
