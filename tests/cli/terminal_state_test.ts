import assert from "node:assert/strict";
import type { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { type Seen, Terminal } from "../terminal.ts";
import { HostileEnsemble } from "./hostile_ensemble.ts";

const SOURCES = new URL("../../", import.meta.url).href;

/** What a shell finds after a program: its exit code and the settings of the terminal. */
interface Left {
  code: number;
  settings: string[];
  seen: Seen;
}

/** Runs a program from a shell, does something when it shows a text, and looks at what it leaves behind. */
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
  assert.ok(raw.lastIndexOf("\x1b[?25h") >= raw.lastIndexOf("\x1b[?25l"), `no cursor: ${raw}`);
  assert.ok(raw.lastIndexOf("\x1b[?2004l") >= raw.lastIndexOf("\x1b[?2004h"), `pastes: ${raw}`);
}

const CODES = { SIGTERM: 143, SIGHUP: 129, SIGINT: 130 } as const;

Deno.test("a signal that ends the REPL or a prompt gives the terminal back as it was", async () => {
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

const FAILURE = String.raw`throw new Error("nobody's \x1b[2J")`;

const FAILURES = {
  "an exception": `setTimeout(() => { ${FAILURE} })`,
  "a rejection": `void (async () => { ${FAILURE} })()`,
};

for (const [what, failure] of Object.entries(FAILURES)) {
  Deno.test(`${what} that nobody handles ends a command, and gives the terminal back`, async () => {
    await using ensemble = await HostileEnsemble.start();
    const script = `
      import { withConsole } from "${SOURCES}cli/console.ts";
      import { printNotice } from "${SOURCES}cli/output.ts";
      import { TerminalState } from "${SOURCES}cli/terminal_state.ts";
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
