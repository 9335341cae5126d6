/**
 * Decodes terminal data into text, keys and pastes.
 *
 * The keypress events of `node:readline` would obey keys in a paste, wait half a second after
 * Escape, and come once per character: 100,000 for a paste of 100 KB.
 *
 * @see https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
 * @module
 */

/** Input from the terminal. */
export type TerminalInput =
  /** Characters that were typed. */
  | { readonly kind: "text"; readonly text: string }
  /** A paste, with `\n` at the ends of its lines. Control characters in it are text. */
  | { readonly kind: "paste"; readonly text: string }
  /** A key by its name: `enter`, `up`, `ctrl-r`, `alt-backspace`. */
  | { readonly kind: "key"; readonly key: string };

/** Asks the terminal to mark where a paste begins and ends. */
export const PASTE_ON = "\x1b[?2004h";

/** Asks the terminal to stop marking pastes. */
export const PASTE_OFF = "\x1b[?2004l";

const PASTE_START = "\x1b[200~";
const PASTE_END = "\x1b[201~";

/** How long to wait after Escape for the rest of a control sequence, in ms. */
const ESCAPE_DELAY = 200;

/** Decodes data from a terminal, in pieces as it arrives. */
export class KeyDecoder {
  readonly #take: (input: TerminalInput) => void;
  /** The beginning of an unfinished sequence. */
  #rest = "";
  /** The paste so far, during a paste. */
  #paste: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Makes a decoder; `take` is called with each input, in order. */
  constructor(take: (input: TerminalInput) => void) {
    this.#take = take;
  }

  /** Takes a piece. */
  push(piece: string): void {
    clearTimeout(this.#timer);
    if (this.#paste !== undefined && (piece === "\x03" || piece === "\x04")) {
      // As a piece of its own, it is a key, from a terminal that does not mark the end of the
      // paste.
      this.#paste = undefined;
      this.#rest = "";
    }
    this.#decode(this.#rest + piece);
    if (this.#rest === "" || this.#paste !== undefined) return;
    this.#timer = setTimeout(() => this.#flush(), ESCAPE_DELAY);
  }

  /** Drops an unfinished sequence. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#rest = "";
    this.#paste = undefined;
  }

  /** Takes the start of an unfinished sequence as the key Escape. */
  #flush(): void {
    const rest = this.#rest.slice(1);
    this.#take({ kind: "key", key: "escape" });
    this.#decode(rest);
    if (this.#rest !== "") this.#flush();
  }

  #decode(text: string): void {
    let position = 0;
    while (position < text.length) {
      const length = this.#paste === undefined
        ? this.#decodeOne(text, position)
        : this.#decodePaste(text, position);
      if (length === 0) break;
      position += length;
    }
    this.#rest = text.slice(position);
  }

  /** Decodes what begins at a position. Returns its length, or 0 if it is unfinished. */
  #decodeOne(text: string, position: number): number {
    if (text.startsWith(PASTE_START, position)) {
      this.#paste = "";
      return PASTE_START.length;
    }
    for (const [pattern, decode] of FORMS) {
      pattern.lastIndex = position;
      const found = pattern.exec(text);
      if (!found) continue;
      const length = found[0].length;
      const input = decode(found, { isLast: position + length === text.length });
      if (input) this.#take(input);
      return length;
    }
    return 0;
  }

  #decodePaste(text: string, position: number): number {
    const end = text.indexOf(PASTE_END, position);
    if (end < 0) {
      // The end marker may be split between pieces.
      const known = text.length - (PASTE_END.length - 1);
      if (known <= position) return 0;
      this.#paste += text.slice(position, known);
      return known - position;
    }
    const pasted = this.#paste + text.slice(position, end);
    this.#paste = undefined;
    this.#take({ kind: "paste", text: pasted.replaceAll(/\r\n?/g, "\n") });
    return end + PASTE_END.length - position;
  }
}

type Decode = (
  found: RegExpExecArray,
  place: { isLast: boolean },
) => TerminalInput | undefined;

// deno-lint-ignore no-control-regex -- control characters end it
const TEXT = /[^\x00-\x1f\x7f]+/y;

/** The forms of terminal input, except pastes. An unfinished sequence matches none of them. */
const FORMS: readonly (readonly [RegExp, Decode])[] = [
  [TEXT, ([text]) => ({ kind: "text", text })],
  // A tab at the start of a line, with more text after it in the same piece, was pasted, even if it
  // is not marked.
  [/(?<=[\r\n ]\t*)\t(?=\t*[^\t])/y, () => ({ kind: "text", text: "\t" })],
  // deno-lint-ignore no-control-regex -- as above
  [/[\x00-\x1a\x1c-\x1f\x7f]/y, ([control]) => key("", controlKey(control))],
  // The function keys of the Linux console.
  // deno-lint-ignore no-control-regex -- as above
  [/\x1b\[\[[A-E]/y, () => undefined],
  [
    // deno-lint-ignore no-control-regex -- as above
    /(\x1b?)\x1b\[([0-9;:<=>?]*)[ -/]*([@-Z\\-~])/y,
    ([, alt, parameters, final]) => sequenceKey(parameters!, final!, alt ? ALT : 0),
  ],
  [
    // deno-lint-ignore no-control-regex -- as above
    /(\x1b?)\x1bO([A-Za-z])/y,
    ([, alt, final]) => applicationKey(final!, alt ? ALT : 0),
  ],
  // Answers to questions that were never asked.
  // deno-lint-ignore no-control-regex -- as above
  [/\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)/y, () => undefined],
  // deno-lint-ignore no-control-regex -- as above
  [/\x1b([^\x1b[O\]P_^X])/yu, ([, letter]) => key("alt-", controlKey(letter!))],
];

/** The bits of modifiers, to which xterm adds one. */
const SHIFT = 1, ALT = 2, CTRL = 4;

const LETTER_KEYS: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
  Z: "shift-tab",
};

const NUMBER_KEYS: Readonly<Record<string, string>> = {
  1: "home",
  3: "delete",
  4: "end",
  5: "page-up",
  6: "page-down",
  7: "home",
  8: "end",
};

function key(modifiers: string, name: string): TerminalInput {
  return { kind: "key", key: modifiers + name };
}

function controlKey(character: string): string {
  switch (character) {
    case "\r":
    case "\n":
      return "enter";
    case "\t":
      return "tab";
    case "\x7f":
    case "\b":
      return "backspace";
    case "\0":
      return "ctrl-space";
  }
  const code = character.codePointAt(0)!;
  return code < 0x20 ? `ctrl-${String.fromCharCode(code + 0x40).toLowerCase()}` : character;
}

/** A key of the form `ESC [ parameters final`. */
function sequenceKey(parameters: string, final: string, alt: number): TerminalInput | undefined {
  const [first = "", second = "", third = ""] = parameters.split(/[;:]/);
  const modifiers = (Number(second || 1) - 1) | alt;
  if (final === "u") return codeKey(Number(first), modifiers);
  if (final === "~" && first === "27") return codeKey(Number(third), modifiers);
  if (final === "~") return modified(NUMBER_KEYS[first], modifiers);
  // rxvt's.
  if (final === "^") return modified(NUMBER_KEYS[first], CTRL | alt);
  if (/[a-d]/.test(final)) return modified(LETTER_KEYS[final.toUpperCase()], SHIFT | alt);
  return modified(LETTER_KEYS[final], modifiers);
}

/** A key of the form `ESC O final`; small letters are rxvt's. */
function applicationKey(final: string, alt: number): TerminalInput | undefined {
  if (final === "M") return modified("enter", alt);
  if (/[a-d]/.test(final)) return modified(LETTER_KEYS[final.toUpperCase()], CTRL | alt);
  return modified(LETTER_KEYS[final], alt);
}

/** A key given by its code point, from terminals that report keys so. */
function codeKey(code: number, modifiers: number): TerminalInput | undefined {
  if (!(code > 0 && code <= 0x10ffff)) return undefined;
  if (code === 27) return modified("escape", modifiers & ~SHIFT);
  const character = String.fromCodePoint(code);
  const name = controlKey(character);
  if (name !== character) return modified(name, modifiers);
  if ((modifiers & (ALT | CTRL)) !== 0) return modified(name.toLowerCase(), modifiers & ~SHIFT);
  return { kind: "text", text: character };
}

function modified(name: string | undefined, modifiers: number): TerminalInput | undefined {
  if (name === undefined) return undefined;
  const prefix = [
    (modifiers & CTRL) !== 0 ? "ctrl-" : "",
    (modifiers & ALT) !== 0 ? "alt-" : "",
    (modifiers & SHIFT) !== 0 ? "shift-" : "",
  ];
  return key(prefix.join(""), name);
}
