/**
 * The colours of values.
 *
 * A server sends values as plain text. The command that shows them colours them, so that every escape
 * sequence which reaches the terminal is our own.
 *
 * @module
 */

/** The colours that `Deno.inspect` gives each kind of value: how they begin and end. */
const STYLES = {
  string: [32, 39],
  regExp: [31, 39],
  date: [35, 39],
  special: [36, 39],
  number: [33, 39],
  null: [1, 22],
  absent: [90, 39],
} as const;

type Kind = keyof typeof STYLES;

const KINDS = Object.keys(STYLES) as Kind[];

const STRING = /(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`)/.source;

/**
 * What is coloured where it stands alone, each kind by its name. Lengths are bounded where the end is
 * searched for: the text is a server's to choose, and takes no more time than it is long.
 */
const ALONE: readonly [Kind, RegExp][] = [
  ["regExp", /\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.){0,100}\])+\/[a-z]*/],
  ["date", /[+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|Invalid Date/],
  ["special", /\[(?:\w{0,14}Function:?|class|Circular) [^\]\n]{1,100}\]/],
  ["special", /\[(?:Getter|Setter|Getter\/Setter|Array|Object)\]|<(?:pending|items unknown)>/],
  ["number", /-?(?:\d+(?:\.\d+)?(?:e[+-]\d+)?n?|NaN|Infinity)|true|false/],
  ["number", /\[(?:Number|Boolean|BigInt): [^\]\n]{1,100}\]/],
  ["null", /null/],
  ["absent", /undefined|<\d+ empty items?>/],
];

/** What is coloured also where it is the name of a property, or more follows. */
const ANYWHERE: readonly [Kind, RegExp][] = [
  [
    "string",
    new RegExp(`${STRING}|Symbol\\((?:${STRING}|[\\w.$]{0,100})\\)|\\[String: ${STRING}\\]`),
  ],
  ["special", /\[Uint8Contents\]|<ref \*\d+>/],
];

/** Values begin the text, or follow what opens a list or separates its items; names end in a colon. */
const VALUES = new RegExp(
  `(?!\\s)(?<=^|[:,>[{]\\s+)(?:${alternatives(ANYWHERE)}|(?:${
    alternatives(ALONE)
  })(?=$|,|\\s+(?:[\\]}]|=>)))`,
  "g",
);

/** Colours the text of a value as `Deno.inspect` would have, had it been asked for colours. */
export function colorValue(text: string): string {
  return text.replace(VALUES, (token, ...rest) => {
    const groups = rest.at(-1) as Partial<Record<Kind, string>>;
    const [begin, end] = STYLES[KINDS.find((kind) => groups[kind] !== undefined)!];
    return `\x1b[${begin}m${token}\x1b[${end}m`;
  });
}

function alternatives(patterns: readonly [Kind, RegExp][]): string {
  return KINDS.flatMap((kind) => {
    const ofKind = patterns.filter(([name]) => name === kind).map(([, { source }]) => source);
    return ofKind.length > 0 ? `(?<${kind}>${ofKind.join("|")})` : [];
  }).join("|");
}
