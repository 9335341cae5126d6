import assert from "node:assert/strict";
import { writeErrors, writeOutput } from "../../../runtime/ensemble/command_output.ts";

/** Lets a stream fail in each write, while something is done. */
function whileFailing(
  stream: { writeSync(bytes: Uint8Array): number },
  error: Error,
  act: () => void,
): void {
  const { writeSync } = stream;
  stream.writeSync = () => {
    throw error;
  };
  try {
    act();
  } finally {
    stream.writeSync = writeSync;
  }
}

Deno.test("writeOutput throws when the output cannot be written, and not when its reader has gone", () => {
  whileFailing(Deno.stdout, new Error("disk full"), () => {
    assert.throws(() => writeOutput("text"), /the output cannot be written: disk full/);
  });
  whileFailing(Deno.stdout, new Deno.errors.BrokenPipe("gone"), () => writeOutput("text"));
});

Deno.test("writeErrors throws nothing, and says why a text is lost", () => {
  const error = new Error("the terminal has closed");
  whileFailing(Deno.stderr, error, () => assert.equal(writeErrors("text"), error));
});
