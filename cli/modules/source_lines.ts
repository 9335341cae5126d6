/**
 * The author's lines of generated code.
 *
 * @module
 */

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * The source line, from 1, of each line of generated code, out of the `mappings` of a source map of
 * one source. A line without a mapping has that of the line before it.
 *
 * @see https://tc39.es/ecma426/#sec-mappings
 */
export function sourceLines(mappings: string): number[] {
  let sourceLine = 0;
  return mappings.split(";").map((group) => {
    let first: number | undefined;
    for (const segment of group.split(",")) {
      // [generated column, source, source line, source column, name], each relative to the last.
      const [, , lineDelta] = decodeVariableLength(segment);
      if (lineDelta === undefined) continue;
      sourceLine += lineDelta;
      first ??= sourceLine;
    }
    return (first ?? sourceLine) + 1;
  });
}

/** The numbers of a segment: base 64 digits of five bits and a continuation bit, low bits first. */
function decodeVariableLength(segment: string): number[] {
  const numbers: number[] = [];
  let bits = 0;
  let shift = 0;
  for (const digit of segment) {
    const value = DIGITS.indexOf(digit);
    bits |= (value & 31) << shift;
    shift += 5;
    if (value & 32) continue;
    numbers.push(bits & 1 ? -(bits >> 1) : bits >> 1);
    bits = shift = 0;
  }
  return numbers;
}
