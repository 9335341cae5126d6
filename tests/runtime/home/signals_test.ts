import assert from "node:assert/strict";
import { constants } from "node:os";
import { ENDING_SIGNALS } from "../../../runtime/home/signals.ts";
import { testWith } from "../../requirements.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { onTerminal } from "../../terminal.ts";

const HANGUP = JSON.stringify(new URL("../../../runtime/home/signals.ts", import.meta.url).href);

const IGNORED = ["env", "--ignore-signal=HUP"];
const OBEYED = ["env", "--default-signal=HUP"];

/** A program that uses the module with the given permissions. */
function using(statements: string, ...options: string[]): string[] {
  const program = `import { hangupMeaning, keepIgnoringHangup } from ${HANGUP}; ${statements}`;
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  return [Deno.execPath(), "run", "--quiet", "--no-check", ...options, url];
}

/** Runs a command to its end, without a terminal. */
async function outputOf(...command: string[]): Promise<string> {
  using ensemble = new TemporaryEnsemble();
  const { stdout, stderr } = await ensemble.external(...command).output();
  return new TextDecoder().decode(stdout) || new TextDecoder().decode(stderr);
}

const TELL = "console.log(hangupMeaning());";

Deno.test("ENDING_SIGNALS has the system's numbers", () => {
  for (const [name, number] of Object.entries(ENDING_SIGNALS)) {
    assert.equal(number, constants.signals[name as keyof typeof constants.signals], name);
  }
});

Deno.test("hangupMeaning depends on whether SIGHUP is ignored, and on the terminal", async () => {
  using ensemble = new TemporaryEnsemble();
  const tell = using(TELL, "-A");
  assert.equal(await outputOf(...OBEYED, ...tell), "reread\n");
  assert.equal(await outputOf(...IGNORED, ...tell), "nothing\n");
  const [obeyed, ignored] = await Promise.all([
    onTerminal(ensemble, [...OBEYED, ...tell]),
    onTerminal(ensemble, [...IGNORED, ...tell]),
  ]);
  assert.equal(obeyed.screen, "end\n");
  assert.equal(ignored.screen, "nothing\n");
});

testWith(["ps"], {
  name: "hangupMeaning treats an unreadable state as not ignored, and asks for no permission",
  async fn() {
    using ensemble = new TemporaryEnsemble();
    const imports = "--allow-import";
    assert.equal(await outputOf(...IGNORED, ...using(TELL, imports)), "reread\n");
    const asked = await onTerminal(ensemble, [...IGNORED, ...using(TELL, imports)]);
    assert.equal(asked.screen, "end\n");
    assert.equal(
      await outputOf(...IGNORED, ...using(TELL, imports, "--allow-run=ps")),
      "nothing\n",
    );
    assert.equal(await outputOf(...OBEYED, ...using(TELL, imports, "--allow-run=ps")), "reread\n");
  },
});

Deno.test("keepIgnoringHangup keeps a process alive that was started to ignore SIGHUP", async () => {
  // Deno takes over SIGHUP together with any other signal.
  const statements = `
    keepIgnoringHangup();
    Deno.addSignalListener("SIGUSR2", () => {
      console.log("alive");
      Deno.exit();
    });
    setTimeout(() => {}, 20_000);
    Deno.kill(Deno.pid, "SIGHUP");
    Deno.kill(Deno.pid, "SIGUSR2");
  `;
  assert.equal(await outputOf(...IGNORED, ...using(statements, "-A")), "alive\n");
  assert.equal(await outputOf(...OBEYED, ...using(statements, "-A")), "");
});
