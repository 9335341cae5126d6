import assert from "node:assert/strict";
import { ProgressBar } from "../../../cli/kit/progress_bar.ts";

/** Collects what is written. */
function terminal(isTerminal: boolean) {
  const written: string[] = [];
  return {
    written,
    isTerminal: () => isTerminal,
    writeSync(bytes: Uint8Array): number {
      written.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  };
}

Deno.test("a bar is drawn on a terminal, not for every step, and is gone at the end", () => {
  const screen = terminal(true);
  {
    using progress = new ProgressBar(screen);
    progress.show("shipping modules:", 10, 20);
    progress.show("shipping modules:", 11, 20);
  }
  assert.deepEqual(screen.written, [
    `\rshipping modules: [${"=".repeat(15)}${" ".repeat(15)}] 10/20\x1b[K`,
    "\r\x1b[K",
  ]);
});

Deno.test("elsewhere nothing is written", () => {
  const file = terminal(false);
  {
    using progress = new ProgressBar(file);
    progress.show("reading modules:", 1);
  }
  assert.deepEqual(file.written, []);
});

Deno.test("a terminal that has gone keeps nobody from working", () => {
  const gone = {
    isTerminal: () => true,
    writeSync(): number {
      throw new Deno.errors.BrokenPipe("gone");
    },
  };
  using progress = new ProgressBar(gone);
  progress.show("reading modules:", 1);
});
