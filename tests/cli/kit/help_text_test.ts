import assert from "node:assert/strict";
import type { CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { commandTree } from "../../../cli/command_tree.ts";
import { splitBashLine } from "../../../cli/completion/typed_line.ts";
import { allCommands, commandPath } from "../../../cli/kit/command_line.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { onTerminal } from "../../terminal.ts";
import { REGISTRY_PROGRAM } from "../../tested_program.ts";

const TIMEOUT = "--timeout <seconds> seconds to wait for each answer [default: 5]";

const REGISTRY =
  "--registry <registry> additional registry addresses; by default the registry is reachable at " +
  "unix /tmp/ensemble/registry [default: #f]; when given, only these are used";
const LOG_FILE =
  "--log-file <logging-file> specifies a log file instead of logging to stderr; if it is - then " +
  "the log will be written into the ensemble server directory log [default: #f]";
const LISTEN =
  "-l --listen <listen> additional addresses to listen to; by default the server listens at unix " +
  "/tmp/ensemble/<server-id> [default: ()]";
const ANNOUNCE =
  "-a --announce <announce> public addresses to announce to the registry; by default these are " +
  "the listen addresses [default: #f]";
const PASSPHRASE_FILE =
  "--passphrase-file <file> file whose first line is the passphrase; by default you are asked for it";
const JSON_OPTION = "--json prints the result as JSON";
const INFO = "--log <logging> specifies the log level to run with [default: INFO]";
const WARN = "--log <logging> specifies the log level to run with [default: WARN]";
const FORCE = "-f --force force the action: ";
const VIEW = "-v --view prints fingerprints, and changes nothing";
const SEVERAL =
  "Several Servers: --role <roles> all running servers with this role, or with one of several, in " +
  "place of the server id --all all running servers but the registry, in place of the server id";
const PARALLEL =
  "--concurrency <number> the most servers to work in at the same time [default: 64] " +
  "--fail-fast starts in no other server after the first failure";
const SERVER = "server-id the server id";

/** The help of each command as the tutorial prints it, with its lines joined. */
const HELP: Record<string, string[]> = {
  run: [
    "[command-option ...] <server-id> <module-id> <main-args> ... run a server in the ensemble",
    `Command Options: ${INFO} ${LOG_FILE} ${LISTEN} ${ANNOUNCE} ${REGISTRY}`,
    "--roles <roles> server role(s); a list of symbols [default: ()]",
    `Arguments: ${SERVER} module-id the module id`,
    "main-args arguments for the module's main procedure",
  ],
  registry: [
    "[command-option ...] runs the ensemble registry",
    `Command Options: ${INFO} ${LOG_FILE} ${LISTEN} ${ANNOUNCE}`,
    "--store <store> store for the entries: sqlite: (in the ensemble server directory)",
    "[default: sqlite:]",
  ],
  load: [
    "[command-option ...] <server-id> <module-id> loads code in a running server",
    `Command Options: ${FORCE}load only the module, and link it to what the server has loaded ` +
    `--library loads the code as library module; the library must be in ` +
    `the servers load path ${REGISTRY}`,
    "--library-prefix <library-prefix> list of package prefixes to consider as library modules " +
    "installed in the server [default: (@gxensemble/)]",
    `${JSON_OPTION} ${WARN} Arguments: ${SERVER} module-id the module id`,
    SEVERAL,
  ],
  eval: [
    "[command-option ...] <server-id> <expr> evals code in a running server",
    `Command Options: ${REGISTRY} ${
      TIMEOUT.replace("5", "no limit")
    } ${PASSPHRASE_FILE} ${JSON_OPTION} ${WARN} --file <file> reads the expression from a file`,
    `Arguments: ${SERVER} expr the expression to eval`,
    `${SEVERAL} ${PARALLEL}`,
  ],
  repl: [
    "[command-option ...] <server-id> provides a repl for a running server",
    `Command Options: ${REGISTRY}`,
    "--library-prefix <library-prefix> list of package prefixes to consider as library modules " +
    "installed in the server [default: (@gxensemble/)]",
    `${PASSPHRASE_FILE} ${WARN} Arguments: ${SERVER}`,
  ],
  ping: [
    "[command-option ...] <server-id> [<actor-id>] pings a server or actor in the server",
    `Command Options: ${REGISTRY} ${TIMEOUT} ${JSON_OPTION} ${WARN} Arguments: ${SERVER} actor-id the ` +
    "actor's registered name [default: #f]",
    `${SEVERAL} ${PARALLEL}`,
  ],
  shutdown: [
    "[command-option ...] [<server-id>] [<actor-id>] shuts down an actor, server, or the entire " +
    "ensemble including the registry",
    `Command Options: ${FORCE}do not ask for confirmation; with an actor id, end the actor at once, without its ` +
    `clean-up ${REGISTRY} ${
      TIMEOUT.replace("5", "5, plus the time that the server has to stop")
    } ${PASSPHRASE_FILE} ${JSON_OPTION} ${WARN} Arguments: ` +
    `${SERVER} [default: ` +
    "#f] actor-id the actor's registered name [default: #f]",
    `${SEVERAL} ${PARALLEL}`,
  ],
  "list-servers": [
    "[command-option ...] lists known servers",
    `Command Options: ${REGISTRY} ${TIMEOUT} ${JSON_OPTION} ${WARN}`,
  ],
  "list-actors": [
    "[command-option ...] <server-id> list actors registered in a server",
    `Command Options: ${REGISTRY} ${TIMEOUT} ${JSON_OPTION} ${WARN} --long shows the state`,
    `Arguments: ${SERVER} ${SEVERAL} ${PARALLEL}`,
  ],
  "list-connections": [
    "[command-option ...] <server-id> list a server's connection",
    `Command Options: ${REGISTRY} ${TIMEOUT} ${JSON_OPTION} ${WARN} --long shows since when`,
    `Arguments: ${SERVER} ${SEVERAL} ${PARALLEL}`,
  ],
  lookup: [
    "[command-option ...] <server-or-role> ... looks up a server by id or role",
    `Command Options: ${REGISTRY} ${TIMEOUT} --role lookup by role --state <state> only servers`,
    `${JSON_OPTION} ${WARN}`,
    "Arguments: server-or-role the server or role to lookup",
  ],
  authorize: [
    "[command-option ...] <server-id> <authorized-server-id> [<capabilities>] authorize " +
    "capabilities for a server",
    `Command Options: ${REGISTRY}`,
    `Arguments: ${SERVER} authorized-server-id the server to authorize capabilities for ` +
    "capabilities the server capabilities to authorize [default: (admin)]",
  ],
  retract: [
    "[command-option ...] <server-id> <authorized-server-id> retract all capabilities granted to " +
    "a server",
    `Command Options: ${REGISTRY}`,
  ],
  admin: [
    "[command-option ...] generate a new ensemble administrator key pair",
    `Command Options: ${FORCE}replace a key pair that exists ${VIEW} ${JSON_OPTION} ${PASSPHRASE_FILE}`,
  ],
  cookie: [
    "[command-option ...] generate a new ensemble cookie",
    `Command Options: ${FORCE}replace a cookie that exists ${VIEW} ${JSON_OPTION}`,
  ],
  help: ["[<command>] display help; help <command> for command help"],
};

/** Only command lines in examples may be longer. */
function assertWrapped(help: string, width: number): void {
  const [text] = help.split("\nExamples:\n");
  for (const line of text!.split("\n")) assert.ok(line.length <= width, line);
}

for (const [command, parts] of Object.entries(HELP)) {
  Deno.test(`the help of ${command} matches the tutorial`, async () => {
    using ensemble = new TemporaryEnsemble();
    const { code, stdout, stderr } = await ensemble.run("help", command);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    const text = stdout.replace(/\s+/g, " ");
    assert.ok(text.startsWith(`Usage: gxensemble ${command} ${parts[0]}`), text);
    for (const part of parts) assert.ok(text.includes(part), `${part}\nis not in\n${text}`);
    assertWrapped(stdout, 80);
  });
}

Deno.test("the help of each command ends with the options and variables for locations", () => {
  const root = commandTree();
  const gerbilPath =
    "GERBIL_PATH the ensemble's state is in $GERBIL_PATH/ensemble [default: ~/.gerbil]";
  const registry =
    "ENSEMBLE_REGISTRY registry addresses, if --registry is not given [default: those in " +
    "the file known-servers, else $ENSEMBLE_SOCKET_DIR/registry]";
  const sockets = "ENSEMBLE_SOCKET_DIR the directory of the unix sockets: a server listens at " +
    "$ENSEMBLE_SOCKET_DIR/<server-id> [default: /tmp/ensemble]";
  for (const command of allCommands(root)) {
    const has = (long: string) => command.options.some((option) => option.long === long);
    const variables = [
      ...has("--registry") ? [registry, sockets] : has("--listen") ? [sockets] : [],
      gerbilPath,
    ];
    // An ensemble under development has a state of its own, and no variable leads elsewhere.
    const end = command.name() === "dev"
      ? "Global Options: -G --gerbil-path <dir> directory of the state of this ensemble " +
        "[default: .gxensemble in the project]"
      : "Global Options: -G --gerbil-path <dir> directory of the ensemble's state, " +
        `<dir>/ensemble [default: $GERBIL_PATH] Environment: ${variables.join(" ")}`;
    const [text] = command.helpInformation().replace(/\s+/g, " ").split(" Examples: ");
    assert.ok(text!.trimEnd().endsWith(end), text);
  }
});

Deno.test("--help and -h after a command print its help", async () => {
  using ensemble = new TemporaryEnsemble();
  const expected = await ensemble.run("help", "run");
  assert.deepEqual(await ensemble.run("run", "--help"), expected);
  assert.deepEqual(await ensemble.run("run", "-h"), expected);
});

Deno.test("the help of the program lists every command as the tutorial does", async () => {
  using ensemble = new TemporaryEnsemble();
  const help = await ensemble.run("help");
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^gxensemble: .*\n\nUsage: gxensemble <command> command-arg \.\.\.\n/);
  const text = help.stdout.replace(/\s+/g, " ");
  for (const [command, parts] of Object.entries(HELP)) {
    const description = parts[0]!.replace(/^(?:\[command-option|\[?<[-a-z]+>\]?|\.{3}\]?| )+/, "");
    assert.ok(text.includes(`${command} ${description}`), command);
  }
  assert.deepEqual(await ensemble.run("--help"), help);
});

Deno.test("gxensemble without arguments prints help to standard error, and exits with 2", async () => {
  using ensemble = new TemporaryEnsemble();
  const { stdout } = await ensemble.run("help");
  assert.deepEqual(await ensemble.run(), { code: 2, stdout: "", stderr: stdout });
});

Deno.test("help is as wide as the terminal, and stacked in a narrow one", async () => {
  using ensemble = new TemporaryEnsemble();
  const help = [...ensemble.program, "help", "load"];
  const helpAt = async (columns: number, command = help) => {
    const { code, screen } = await onTerminal(ensemble, command, [], { columns });
    assert.equal(code, 0);
    return screen;
  };
  const wide = await helpAt(200);
  assert.match(wide, /^ {2}--library {26}loads .*; the library must be in the servers load path$/m);
  const narrow = await helpAt(50);
  assertWrapped(narrow, 50);
  assert.match(narrow, /^ {2}--library\n {6}loads the code as library module; the$/m);
  assert.match(narrow, /^Usage: gxensemble load \[command-option \.\.\.\]\n {11}<server-id>/);
  const unknown = ["sh", "-c", 'stty columns 0 && exec "$@"', "sh", ...help];
  assert.equal(await helpAt(200, unknown), await helpAt(80), "a terminal of no known width");
});

Deno.test("the help of a command shows which arguments it can do without", async () => {
  using ensemble = new TemporaryEnsemble();
  for (
    const [command, usage] of [
      ["status", "[command-option ...] [<server-id> ...] shows "],
      ["call", "[command-option ...] <actor@server> <type> [<argument> ...] sends "],
      ["lookup", "[command-option ...] <server-or-role> ... looks "],
      ["log-level", "[command-option ...] <server-id> [<level>] [<category>] shows "],
    ] as const
  ) {
    const text = (await ensemble.run("help", command)).stdout.replace(/\s+/g, " ");
    assert.ok(text.startsWith(`Usage: gxensemble ${command} ${usage}`), text.slice(0, 200));
  }
});

Deno.test("ensemble-registry --help has the same form, and wrong usage points to it", async () => {
  using ensemble = new TemporaryEnsemble();
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await ensemble.external(...REGISTRY_PROGRAM, ...args)
      .output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  };
  const help = await run("--help");
  assert.equal(help.code, 0);
  assertWrapped(help.stdout, 80);
  const text = help.stdout.replace(/\s+/g, " ");
  const start = `Usage: ensemble-registry [command-option ...] ${HELP.registry![0]!.slice(21)} `;
  assert.ok(text.startsWith(start + HELP.registry![1]), text);
  assert.match(text, /-h --help display help Global Options: -G .* Environment: .* Examples: #/);
  assert.deepEqual(await run("--lgo"), {
    code: 2,
    stdout: "",
    stderr: "ensemble-registry: error: unknown option '--lgo' (Did you mean --log?)\n" +
      "see ensemble-registry --help\n",
  });
});

/** The command lines at the end of a command's help, without their comments. */
function examplesOf(command: CommandUnknownOpts): string[] {
  let help = "";
  command.configureOutput({ writeOut: (text) => void (help += text) }).outputHelp();
  const [, examples = ""] = help.split("\nExamples:\n");
  return examples.split("\n").filter((line) => line !== "" && !line.startsWith("  # "))
    .map((line) => line.trimStart());
}

const COMMANDS = allCommands(commandTree()).filter((command) => command.name() !== "complete");

const LINES = COMMANDS.flatMap((command) =>
  examplesOf(command).map((line) => ({ name: commandPath(command), line }))
);

/**
 * The arguments of `gxensemble` in a line, which can be in a pipe or a substitution; undefined if
 * there is none.
 */
function argumentsIn(line: string): string[] | undefined {
  const [, inner = line] = /<\((.*)\)/.exec(line) ?? [];
  const command = inner.split(" | ").find((part) => part.startsWith("gxensemble "));
  return command === undefined ? undefined : splitBashLine(`${command} `).words.slice(1);
}

for (const { name, line } of LINES) {
  const args = argumentsIn(line);
  if (!args) continue;
  Deno.test(`the example parses: ${line}`, async () => {
    const root = commandTree();
    let ran: string | undefined;
    for (const command of allCommands(root)) {
      command.action(() => {
        ran = commandPath(command);
      });
    }
    await root.parseAsync(args, { from: "user" });
    assert.ok(ran !== undefined);
    // The examples of `ca` use its subcommands.
    assert.ok(ran.startsWith(name), `an example of ${name} runs ${ran}`);
  });
}

Deno.test("every command has an example", () => {
  for (const command of COMMANDS) {
    const lines = examplesOf(command);
    assert.ok(lines.some((line) => argumentsIn(line)), `${commandPath(command)}: ${lines}`);
  }
});
