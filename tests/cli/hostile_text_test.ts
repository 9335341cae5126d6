import assert from "node:assert/strict";
import { escapeControls } from "../../runtime/safe_text.ts";
import { parseNotation } from "../../runtime/notation.ts";
import { TAB, Terminal } from "../terminal.ts";
import { pipeLines } from "../e2e/repl_process.ts";
import {
  ATTACK,
  HOSTILE_NAME,
  HostileEnsemble,
  STEERING,
  VISIBLE_ATTACK,
} from "./hostile_ensemble.ts";

const VISIBLE_NAME = escapeControls(HOSTILE_NAME);

/** A text of several lines, whose newlines are kept. */
const VISIBLE_LINES = VISIBLE_ATTACK.replace("\\n", "\n");

Deno.test("gxensemble prints no control characters from a server to a pipe", async () => {
  await using ensemble = await HostileEnsemble.start();
  await ensemble.refuse("refusing", ATTACK);
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await ensemble.places.run(...args);
    const printed = args.join(" ");
    assert.doesNotMatch(stdout + stderr, STEERING, printed);
    return { code, stdout, stderr };
  };
  const commands: [args: string[], check: (outcome: { stdout: string; stderr: string }) => void][] =
    [
      [["list-servers"], ({ stdout }) => {
        assert.equal(stdout.split("\n").length, 4);
        const [, , entry] = parseNotation(stdout);
        assert.deepEqual((entry as unknown[])[1], [{ symbol: `r${ATTACK}` }]);
      }],
      [["list-servers", "--json"], ({ stdout }) => {
        assert.deepEqual(JSON.parse(stdout)[2].roles, [`r${ATTACK}`]);
      }],
      [["list-servers", "--long"], ({ stdout }) => {
        const [, , row] = stdout.split("\n");
        assert.equal(row!.split("\t")[2], escapeControls(`r${ATTACK}`));
      }],
      [["lookup", "--role", "--long", `r${ATTACK}`], ({ stdout }) => {
        assert.equal(stdout.split("\n").length, 2);
      }],
      [["lookup", "--role", `s${ATTACK}`], ({ stderr }) => {
        assert.match(stderr, /did you mean --role 'r/);
      }],
      [["list-actors", "rogue"], ({ stdout }) => {
        assert.ok(stdout.split("\n").includes(VISIBLE_NAME), stdout);
      }],
      [["list-actors", "--long", "rogue"], ({ stdout }) => {
        assert.ok(stdout.includes(`\t${VISIBLE_ATTACK},answer\n`), stdout);
      }],
      [["call", "answering@rogue,rogue2", "answer"], ({ stdout }) => {
        assert.match(stdout, /^rogue: \{\n?/);
      }],
      [["call", "answering@rogue", ATTACK], ({ stderr }) => {
        assert.equal(
          stderr,
          `gxensemble: error: ${VISIBLE_LINES.replace("\n", "\n  ")} (FAILED)\n`,
        );
      }],
      [["call", "answering@rogue", "nosuch"], ({ stderr }) => {
        assert.ok(
          stderr.includes("unexpected message: nosuch; it takes \\u001b]0;t\\u0007"),
          stderr,
        );
      }],
      [["load", "--list", "rogue"], ({ stdout }) => assert.equal(stdout.split("\n").length, 2)],
      [["load", "--library", "rogue", "x"], ({ stderr }) => {
        assert.equal(stderr, `gxensemble: error: ${VISIBLE_LINES.replace("\n", "\n  ")}\n`);
      }],
      [["eval", "rogue", "value"], ({ stdout }) => assert.equal(stdout, `${VISIBLE_LINES}\n`)],
      [["eval", "--json", "rogue", "json"], ({ stdout }) => {
        assert.deepEqual(JSON.parse(stdout), { a: ATTACK });
        assert.equal(stdout.split("\n").length, 2);
      }],
      [["eval", "--json", "rogue", "not JSON"], ({ stdout, stderr }) => {
        assert.deepEqual({ stdout, stderr }, {
          stdout: "",
          stderr: "gxensemble: error: rogue answered with something that is not JSON\n",
        });
      }],
      [["eval", "--log", "DEBUG", "rogue", "fail"], ({ stderr }) => {
        assert.ok(stderr.includes(`gxensemble: error: ${VISIBLE_LINES.replace("\n", "\n  ")}\n`));
      }],
      [["status", "rogue"], ({ stdout }) => {
        assert.equal(stdout.split("\n").length, 19, stdout);
        assert.ok(stdout.includes(`  mailboxes    ${VISIBLE_NAME} 1\n`), stdout);
      }],
      [["status", "rogue,nosuch"], ({ stdout }) => {
        assert.ok(
          stdout.split("\n")[1]!.endsWith(`\t${VISIBLE_ATTACK}\t${VISIBLE_ATTACK}`),
          stdout,
        );
      }],
      [["logs", "rogue"], ({ stdout }) => {
        const [line, error, cut] = stdout.split("\n");
        const text = `${VISIBLE_ATTACK} a=${VISIBLE_ATTACK}`;
        assert.equal(line, `1970-01-01T00:00:00.000Z INFO ${VISIBLE_ATTACK}: ${text}`);
        // The lines of an error are separate.
        assert.equal(`${error}\\n${cut}`, `    ${VISIBLE_ATTACK}`);
      }],
      [["logs", "--json", "rogue"], ({ stdout }) => {
        const [first, second] = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
        assert.equal(first.message, ATTACK);
        assert.deepEqual(first.properties, { [ATTACK]: ATTACK });
        assert.equal(second.properties, ATTACK);
      }],
      [["trace", "answering@rogue"], ({ stdout, stderr }) => {
        assert.equal(
          stdout,
          `00:00:00.000 #1 took ${VISIBLE_ATTACK} from ${VISIBLE_ATTACK}, waited 0.000 ms: ` +
            `${VISIBLE_ATTACK}\n00:00:00.000 #1 failed after 0.000 ms: ${VISIBLE_ATTACK}\n`,
        );
        assert.match(stderr, /answering@rogue has ended/);
      }],
      [
        ["profile", "rogue", "--cpu", "1ms", "-f", "-o", `${ensemble.places.directory}/profile`],
        ({ stdout }) =>
          assert.equal(
            stdout.split("\n")[1],
            `100%\t${VISIBLE_ATTACK}\t/${VISIBLE_ATTACK}:1`,
          ),
      ],
      [["log-level", "rogue"], ({ stdout }) => {
        assert.equal(stdout, `${VISIBLE_ATTACK}\tINFO\t-\t-\n`);
      }],
      [["log-level", "rogue", "debug", "app"], ({ stderr }) => {
        assert.match(stderr, /^rogue has no logger of the category \\u001b/);
      }],
      [["top", "--once", "rogue,nosuch"], ({ stdout }) => {
        assert.ok(stdout.includes(`  ${VISIBLE_ATTACK.slice(0, 10)}`), stdout);
      }],
      [["ping", "refusing"], ({ stderr }) => assert.match(stderr, /\\u001b\]0;t\\u0007/)],
    ];
  await Promise.all(commands.map(async ([args, check]) => check(await run(...args))));
});

Deno.test("gxensemble repl prints no control characters from a server to a pipe", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { stdout, stderr } = await pipeLines(ensemble.places, ["rogue"], [
    "value",
    "fail",
    ",(doc x)",
    ",(defined? x)",
    ",(thread-state)",
  ]);
  assert.doesNotMatch(stdout + stderr, STEERING);
  assert.ok(stdout.includes(`output ${VISIBLE_LINES}\nresult: 1, ${VISIBLE_LINES}\n`), stdout);
  assert.ok(stdout.includes(`\n${VISIBLE_ATTACK}\ngroup 1 root\n`), stdout);
  assert.match(stderr, /^error \\u001b/);
  const [, listing] = stdout.split("group 1 root\n");
  assert.ok(listing!.includes(` ${VISIBLE_NAME} `), listing);
  const columns = listing!.trimEnd().split("\n").map((line) =>
    line.search(/receiving|running|state/)
  );
  assert.equal(new Set(columns).size, 1, listing);
});

Deno.test("gxensemble repl prints no control characters from a server to a terminal", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  await using terminal = new Terminal(places, [...places.program, "repl", "rogue"]);
  await terminal.shows("rogue> ");
  terminal.type("1\r");
  await terminal.shows("result: \x1b[33m1\x1b[39m, \\u001b]0;t");
  await terminal.shows("rogue> ");
  terminal.type("fail\r");
  await terminal.shows("error ");
  await terminal.shows("rogue> ");
  terminal.type("nam");
  await terminal.shows("nam");
  terminal.type(TAB);
  await terminal.shows("e");
  terminal.type(TAB);
  await terminal.shows("names");
  terminal.type("\x15,q\r");
  const { raw } = await terminal.end();
  assert.ok(!raw.includes("other") && !raw.includes("name\u3164"), raw);
  assert.doesNotMatch(withoutEditing(raw), STEERING);
});

Deno.test("gxensemble prints no control characters from a server to a terminal", async () => {
  await using ensemble = await HostileEnsemble.start();
  const { places } = ensemble;
  const commands = [
    ["list-actors", "rogue"],
    ["list-servers", "--long"],
    ["eval", "rogue", "value"],
    ["eval", "rogue", "fail"],
    ["status", "rogue"],
    ["list-actors", "--long", "rogue"],
    ["call", "answering@rogue", "answer"],
    ["call", "answering@rogue", "nosuch"],
  ];
  for (const args of commands) {
    await using terminal = new Terminal(places, [...places.program, ...args]);
    const { raw } = await terminal.end();
    assert.match(raw, /\\(?:u00|x)1b\[2J/);
    assert.doesNotMatch(
      withoutEditing(raw),
      STEERING,
      args.join(" "),
    );
  }
});

/**
 * The output on a terminal, without colors and without the sequences that move the cursor in a line
 * or clear it.
 */
function withoutEditing(raw: string): string {
  // deno-lint-ignore no-control-regex -- control sequences are what has to be found
  const editing = /\x1b\[(?:1|22|3[1-9]|90)m|\x1b\[\d*[GJKACD]|\x1b\[\?2004[hl]|\r|\x07/g;
  return raw.replaceAll(editing, "");
}
