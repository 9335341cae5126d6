import assert from "node:assert/strict";
import { clearProgress, ProgressLine } from "../../../cli/kit/progress.ts";

/** Collects the output. */
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

Deno.test("a progress line is drawn on a terminal, not for every step, and removed at the end", () => {
  const screen = terminal(true);
  {
    using progress = new ProgressLine(screen);
    progress.showBar("shipping modules:", 10, 20);
    progress.showBar("shipping modules:", 11, 20);
  }
  assert.deepEqual(screen.written, [
    `\rshipping modules: [${"=".repeat(15)}${" ".repeat(15)}] 10/20\x1b[K`,
    "\r\x1b[K",
  ]);
});

Deno.test("a progress line prints nothing without a terminal", () => {
  const file = terminal(false);
  {
    using progress = new ProgressLine(file);
    progress.showBar("reading modules:", 1);
  }
  assert.deepEqual(file.written, []);
});

Deno.test("a progress line does not stop the work when its terminal is gone", () => {
  const gone = {
    isTerminal: () => true,
    writeSync(): number {
      throw new Deno.errors.BrokenPipe("gone");
    },
  };
  using progress = new ProgressLine(gone);
  progress.showBar("reading modules:", 1);
});

Deno.test("a progress line is cleared before something is printed, and drawn again with the next step", () => {
  const screen = terminal(true);
  using progress = new ProgressLine(screen);
  progress.show("1 of 3 servers");
  clearProgress();
  clearProgress();
  progress.show("2 of 3 servers");
  assert.deepEqual(screen.written, [
    "\r1 of 3 servers\x1b[K",
    "\r\x1b[K",
    "\r2 of 3 servers\x1b[K",
  ]);
});
