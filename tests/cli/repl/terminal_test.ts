import assert from "node:assert/strict";
import xterm from "npm:@xterm/headless@^6.0.0";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { CTRL_C, CTRL_D, LEFT, onTerminal, Terminal, UP } from "../../terminal.ts";
import { HostileEnsemble } from "../hostile_ensemble.ts";

const CLI = new URL("../../../cli/", import.meta.url).href;

Deno.test("a passphrase typed in the REPL is not shown, evaluated or kept", async () => {
  using ensemble = new TemporaryEnsemble();
  const history = `${ensemble.directory}/history`;
  await Deno.writeTextFile(history, "earlier\n");
  const script = `
    import { askPassphrase } from "${CLI}kit/prompts.ts";
    import { History } from "${CLI}repl/editor/history.ts";
    import { Terminal } from "${CLI}repl/terminal.ts";
    const terminal = new Terminal({
      prompt: "repl> ",
      history: await History.open("${history}"),
      complete: () => Promise.resolve([[], ""]),
    });
    await terminal.run({
      isIncomplete: () => Promise.resolve(false),
      interrupt: () => false,
      async enter(line) {
        if (line === "quit") return "quit";
        if (line !== "ask") return terminal.print("entered " + line);
        const passphrase = await terminal.lend(() => askPassphrase("passphrase:", {}));
        terminal.print("asked " + [...passphrase].reverse().join(""));
      },
    }, new AbortController().signal);
  `;
  await using terminal = new Terminal(ensemble, [Deno.execPath(), "eval", "--no-check", script]);
  await terminal.shows("repl> ");
  terminal.type("ask\r");
  await terminal.shows("\x1b[?25l");
  terminal.type("secret\r");
  await terminal.shows("asked terces");
  await terminal.shows("repl> ");
  // There is no shell to continue the program after Ctrl-Z.
  terminal.type("\x1anext\r");
  await terminal.shows("entered next");
  await terminal.shows("repl> ");
  terminal.type(`${UP}${UP}${UP}`);
  await terminal.shows("earlier");
  terminal.type("\r");
  await terminal.shows("entered earlier");
  await terminal.shows("repl> ");
  terminal.type("quit\r");
  const { code, raw } = await terminal.end();
  assert.equal(code, 0, raw);
  assert.ok(!raw.includes("entered secret"), raw);
  assert.deepEqual((await Deno.readTextFile(history)).split("\n"), [
    "earlier",
    "ask",
    "next",
    "earlier",
    "quit",
    "",
  ]);
});

Deno.test("Ctrl-D leaves the REPL and ends its line, on a terminal without a size", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  const sizeless = ["sh", "-c", 'stty cols 0 rows 0; exec "$@"', "sh"];
  const command = [...sizeless, ...places.program, "repl", "rogue"];
  const { code, raw } = await onTerminal(places, command, [["rogue> \x1b[8G", CTRL_D]]);
  assert.equal(code, 0);
  assert.ok(raw.endsWith("rogue> \x1b[8G\r\n\x1b[?2004l"), JSON.stringify(raw));
});

Deno.test("Ctrl-Z returns the terminal to the shell, and the input is still there afterwards", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  const script = 'set -m; "$@"; case $(stty -a) in *" icanon"*) echo stopped icanon ;; esac; fg';
  const command = ["sh", "-c", script, "sh", ...places.program, "repl", "rogue"];
  await using terminal = new Terminal(places, command);
  await terminal.shows("rogue> ");
  terminal.type("[\r");
  await terminal.shows("... ");
  terminal.type("\x1a");
  await terminal.shows("stopped icanon");
  await terminal.shows("rogue> [");
  terminal.type("]\r");
  await terminal.shows("result: 1");
  terminal.type(",q\r");
  assert.equal((await terminal.end()).code, 0);
});

Deno.test("a dumb terminal receives no control sequences", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  const command = ["env", "TERM=dumb", ...places.program, "repl", "rogue"];
  await using terminal = new Terminal(places, command, { columns: 20 });
  for (
    const [typed, shown] of [
      ["", "rogue> "],
      ["f(\r", "... "],
      [CTRL_C, "rogue> "],
      ["[\r", "... "],
      ["]\r", "result: 1"],
      ["", "rogue> "],
    ] as const
  ) {
    terminal.type(typed);
    await terminal.shows(shown);
  }
  terminal.type(CTRL_D);
  const { code, raw } = await terminal.end();
  assert.equal(code, 0, raw);
  // Deno itself clears its line before the prompt.
  assert.ok(!raw.slice(raw.indexOf("rogue> ")).includes("\x1b"), JSON.stringify(raw));
});

Deno.test("a narrow terminal shows inputs, pastes and searches, and Ctrl-C drops text entered ahead", async () => {
  using ensemble = new TemporaryEnsemble();
  const script = `
    import { History } from "${CLI}repl/editor/history.ts";
    import { Terminal } from "${CLI}repl/terminal.ts";
    const terminal = new Terminal({
      prompt: "repl> ",
      history: await History.open("${ensemble.directory}/history"),
      complete: () => Promise.resolve([[], ""]),
    });
    let interrupt;
    await terminal.run({
      isIncomplete: () => Promise.resolve(false),
      interrupt: () => Boolean(interrupt?.("failed")),
      enter(line) {
        if (line === "quit") return Promise.resolve("quit");
        terminal.print("entered " + line);
        if (line !== "wait") return Promise.resolve("done");
        return new Promise((resolve) => interrupt = resolve);
      },
    }, new AbortController().signal);
  `;
  const columns = 20;
  const command = [Deno.execPath(), "eval", "--no-check", script];
  await using terminal = new Terminal(ensemble, command, { columns });
  await terminal.shows("repl> ");
  terminal.type("wait\r");
  await terminal.shows("entered wait");
  terminal.type(`ahead\r${CTRL_C}`);
  await terminal.shows("repl> ");
  terminal.type("next\r");
  await terminal.shows("entered next");
  await terminal.shows("repl> ");
  terminal.type("\x1b[200~'日本語日本語',\r\t'e\u0301\x1b[A'\x1b[201~");
  await terminal.shows("[A'");
  terminal.type(`${LEFT}${LEFT}!\r`);
  await terminal.shows("entered '");
  await terminal.shows("repl> ");
  terminal.type("\x12日");
  await terminal.shows("語");
  terminal.type("\r");
  await terminal.shows("entered '");
  await terminal.shows("repl> ");
  terminal.type("quit\r");
  const { code, raw } = await terminal.end();
  assert.equal(code, 0, raw);
  const input = ["repl> '日本語日本語'", ",", "...     'e\u0301\\u001b[!A'"];
  const printed = ["entered '日本語日本", "語',", "        'e\u0301\\u001b[!A'"];
  const screen = [...input, ...printed, ...input, ...printed, "repl> quit"];
  assert.deepEqual((await screenOf(raw, columns)).slice(-screen.length), screen);
  assert.ok(!raw.includes("entered ahead"), raw);
});

/** The screen of a terminal of the given width, for its output. */
async function screenOf(raw: string, columns: number): Promise<string[]> {
  const terminal = new xterm.Terminal({ cols: columns, rows: 100, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(raw, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from(
    { length: active.cursorY },
    (_, row) => active.getLine(row)!.translateToString(true),
  );
  terminal.dispose();
  return lines;
}
