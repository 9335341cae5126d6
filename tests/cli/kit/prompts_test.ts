import assert from "node:assert/strict";
import { constants } from "node:os";
import { LINUX, testWith } from "../../requirements.ts";
import { eventually } from "../../runtime/server/captured_logs.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { CTRL_Z, type Seen, Terminal } from "../../terminal.ts";
import { SEALING_PROGRAM } from "../../tested_program.ts";
import { HostileEnsemble } from "../hostile_ensemble.ts";

const SOURCES = new URL("../../../", import.meta.url).href;

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

/** The state that a program leaves to its shell: its exit code and the settings of the terminal. */
interface Left {
  code: number;
  settings: string[];
  seen: Seen;
}

/** Runs a program from a shell, acts when it shows a text, and returns the state it leaves. */
async function leave(
  places: TemporaryEnsemble,
  command: string[],
  [shown, act]: [shown: string, act: (pid: number) => void],
): Promise<Left> {
  const pidFile = `${places.directory}/pid-${crypto.randomUUID()}`;
  const script = `
    sh -c 'echo $$ >"$0"; exec "$@"' ${pidFile} "$@"
    echo "code $?"
    echo settings $(stty -a)
  `;
  await using terminal = new Terminal(places, ["sh", "-c", script, "sh", ...command], {
    columns: 1000,
  });
  await terminal.shows(shown);
  act(Number(await Deno.readTextFile(pidFile)));
  const seen = await terminal.end();
  const [, code] = /^code (\d+)$/m.exec(seen.screen)!;
  const [, settings] = /^settings (.*)$/m.exec(seen.screen)!;
  return { code: Number(code), settings: settings!.split(/[ ;]+/), seen };
}

function assertSane({ settings, seen: { raw } }: Left): void {
  for (const setting of ["icanon", "echo", "isig", "icrnl", "opost"]) {
    assert.ok(settings.includes(setting), `not ${setting}: ${raw}`);
  }
  assert.ok(raw.lastIndexOf(SHOW_CURSOR) >= raw.lastIndexOf(HIDE_CURSOR), `no cursor: ${raw}`);
  assert.ok(raw.lastIndexOf("\x1b[?2004l") >= raw.lastIndexOf("\x1b[?2004h"), `pastes: ${raw}`);
}

const CODES = { SIGTERM: 143, SIGHUP: 129, SIGINT: 130 } as const;

Deno.test("a signal that ends the REPL or a prompt restores the terminal", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  const commands: [args: string[], shown: string][] = [
    [["repl", "rogue"], "rogue> \x1b[8G"],
    [["admin"], "\x1b[?25l"],
  ];
  for (const [args, shown] of commands) {
    await Promise.all(
      Object.entries(CODES).map(async ([signal, code]) => {
        const kill = (pid: number) => Deno.kill(pid, signal as Deno.Signal);
        const left = await leave(places, [...places.program, ...args], [shown, kill]);
        assert.equal(left.code, code, `${args} ${signal}`);
        assertSane(left);
      }),
    );
  }
});

Deno.test("a signal that ends a program which hides the cursor restores the terminal", async () => {
  using places = new TemporaryEnsemble();
  const script = `
    import { TerminalState } from "${SOURCES}cli/kit/prompts.ts";
    new TerminalState();
    Deno.stdin.setRaw(true);
    console.log("\\x1b[?25lready");
    setTimeout(() => {}, 60_000);
  `;
  await Promise.all(
    (["SIGQUIT", "SIGUSR2", "SIGALRM"] as const).map(async (signal) => {
      const kill = (pid: number) => Deno.kill(pid, signal);
      const left = await leave(places, [Deno.execPath(), "eval", script], ["ready", kill]);
      assert.equal(left.code, 128 + constants.signals[signal], signal);
      assertSane(left);
    }),
  );
});

testWith([LINUX], {
  name: "a passphrase stays hidden after its prompt was suspended and continued",
  async fn() {
    using places = new TemporaryEnsemble();
    const pidFile = `${places.directory}/pid`;
    const script = 'echo $$ >"$0"; exec "$@"';
    await using terminal = new Terminal(places, [
      "sh",
      "-c",
      script,
      pidFile,
      ...SEALING_PROGRAM,
      "admin",
    ]);
    await terminal.shows("passphrase for the administrator key:");
    await terminal.shows(HIDE_CURSOR);
    const pid = Number(await Deno.readTextFile(pidFile));
    Deno.kill(pid, "SIGTSTP");
    await terminal.shows(SHOW_CURSOR);
    await eventually(
      () => /^State:\tT/m.test(Deno.readTextFileSync(`/proc/${pid}/status`)),
      "it stops",
    );
    // As a shell does before it reads its next command.
    await new Deno.Command("stty", { args: ["-F", Deno.readLinkSync(`/proc/${pid}/fd/0`), "sane"] })
      .output();
    Deno.kill(pid, "SIGCONT");
    await terminal.shows("passphrase for the administrator key:");
    await terminal.shows(HIDE_CURSOR);
    terminal.type(`${CTRL_Z}secret\r`);
    await terminal.shows("repeat the passphrase:");
    terminal.type(`sec${CTRL_Z}ret\r`);
    const { code, raw } = await terminal.end();
    assert.equal(code, 0, raw);
    assert.doesNotMatch(raw, /secret/);
  },
});

const FAILURE = String.raw`throw new Error("nobody's \x1b[2J")`;

const FAILURES = {
  "an exception": `setTimeout(() => { ${FAILURE} })`,
  "a rejection": `void (async () => { ${FAILURE} })()`,
};

for (const [what, failure] of Object.entries(FAILURES)) {
  Deno.test(`${what} that is not handled ends a command, and restores the terminal`, async () => {
    await using ensemble = await HostileEnsemble.start();
    const script = `
      import { withConsole } from "${SOURCES}cli/kit/console.ts";
      import { printNotice } from "${SOURCES}cli/kit/output.ts";
      import { TerminalState } from "${SOURCES}cli/kit/prompts.ts";
      try {
        await withConsole({ log: "warning", registry: [] }, () => {
          new TerminalState();
          Deno.stdin.setRaw(true);
          ${failure};
          return new Promise(() => {});
        });
      } catch (error) {
        printNotice("failed: " + error.message);
        Deno.exit(1);
      }
    `;
    const command = [Deno.execPath(), "eval", script];
    const left = await leave(ensemble.places, command, ["failed", () => {}]);
    assert.equal(left.code, 1);
    assertSane(left);
    assert.ok(left.seen.raw.includes("failed: nobody's \\u001b[2J"), left.seen.raw);
  });
}
