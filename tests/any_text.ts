/**
 * Texts of any characters, for properties that hold for every text.
 *
 * @module
 */
import fc from "npm:fast-check@^4.10.2";

const MAX_CODE_POINT = 0x10ffff;

/** Surrogates are not characters of their own. */
const character: fc.Arbitrary<string> = fc.oneof(
  fc.nat(0xd7ff),
  fc.integer({ min: 0xe000, max: MAX_CODE_POINT }),
).map((point) => String.fromCodePoint(point), pointOf);

/**
 * Well-formed texts. The unit `binary` of fast-check generates the same, but takes a second to
 * make.
 */
export function anyText(
  constraints: { minLength?: number; maxLength?: number } = {},
): fc.Arbitrary<string> {
  return fc.string({ ...constraints, unit: character });
}

function pointOf(text: unknown): number {
  const [first, ...others] = typeof text === "string" ? text : "";
  if (first === undefined || others.length > 0) throw new Error("not a character");
  return first.codePointAt(0)!;
}
