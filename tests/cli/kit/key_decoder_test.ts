import assert from "node:assert/strict";
import { KeyDecoder, type TerminalInput } from "../../../cli/kit/key_decoder.ts";

/** The decoded pieces: names of keys, typed text in quotes, pastes in brackets. */
function decode(...pieces: string[]): string[] {
  const taken: string[] = [];
  const decoder = new KeyDecoder((input) => taken.push(describe(input)));
  for (const piece of pieces) decoder.push(piece);
  decoder.reset();
  return taken;
}

function describe(input: TerminalInput): string {
  if (input.kind === "key") return input.key;
  return input.kind === "text" ? `'${input.text}'` : `[${input.text}]`;
}

Deno.test("KeyDecoder names keys for the sequences that terminals send", () => {
  const cases: Record<string, string[]> = {
    "\x01\x12\x1f\x1e\x00": ["ctrl-a", "ctrl-r", "ctrl-_", "ctrl-^", "ctrl-space"],
    "\r\n\x7f\b": ["enter", "enter", "backspace", "backspace"],
    "ab日本😀": ["'ab日本😀'"],
    "a\t": ["'a'", "tab"],
    "\x1b[A\x1bOA\x1b[B\x1b[C\x1b[D": ["up", "up", "down", "right", "left"],
    "\x1b[H\x1b[1~\x1b[7~\x1bOF\x1b[4~\x1b[8~": ["home", "home", "home", "end", "end", "end"],
    "\x1b[3~\x1b[5~\x1b[6~\x1b[Z": ["delete", "page-up", "page-down", "shift-tab"],
    "\x1b[1;5C\x1b[1;3D\x1b[1;6A\x1b[3;5~": [
      "ctrl-right",
      "alt-left",
      "ctrl-shift-up",
      "ctrl-delete",
    ],
    // rxvt's.
    "\x1bOc\x1b[d\x1b[3^": ["ctrl-right", "shift-left", "ctrl-delete"],
    "\x1bb\x1b\x7f\x1b\r\x1b<\x1b日": ["alt-b", "alt-backspace", "alt-enter", "alt-<", "alt-日"],
    "\x1b\x1b[C": ["alt-right"],
    // From terminals that report every key by its code point.
    "\x1b[13;2u\x1b[27;5;13~\x1b[114;5u\x1b[97u": ["shift-enter", "ctrl-enter", "ctrl-r", "'a'"],
    // Sequences that the editor does not know: function keys, and replies of the terminal.
    "\x1b[[A\x1b[15~\x1bOP\x1b[24;80R\x1b]11;rgb:0/0/0\x07\x1bP1$r\x1b\\\x1b[I\x1b[201~": [],
  };
  for (const [sent, expected] of Object.entries(cases)) {
    assert.deepEqual(decode(sent), expected, JSON.stringify(sent));
    if (!sent.includes("\t")) {
      const together = (inputs: string[]) => inputs.join("").replaceAll("''", "");
      assert.deepEqual(together(decode(...sent)), together(expected), JSON.stringify(sent));
    }
  }
});

Deno.test("KeyDecoder decodes a paste as a whole, for any content", () => {
  assert.deepEqual(decode("a\x1b[200~b\rc\r\nd\n\x1b[A\x03\t\x1b[20\x1b[201~e"), [
    "'a'",
    "[b\nc\nd\n\x1b[A\x03\t\x1b[20]",
    "'e'",
  ]);
  assert.deepEqual(decode("\x1b[200~\x1b[201~"), ["[]"]);
  assert.deepEqual(decode("\x1b[200~a", "b\x1b[", "201~"), ["[ab]"]);
  assert.deepEqual(decode("\x1b[200~a", "\x03", "b"), ["ctrl-c", "'b'"]);
});

Deno.test("KeyDecoder reads an Escape without a sequence as the key", async () => {
  for (const [sent, expected] of [["\x1b", "escape"], ["\x1b[", "escape '['"]] as const) {
    const taken: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const decoder = new KeyDecoder((input) => {
      taken.push(describe(input));
      if (taken.join(" ") === expected) resolve();
    });
    decoder.push(sent);
    assert.deepEqual(taken, []);
    await promise;
  }
});
