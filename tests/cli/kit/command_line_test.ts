import assert from "node:assert/strict";
import { commandTree } from "../../../cli/command_tree.ts";
import { registryCommand } from "../../../cli/commands/registry.ts";
import { asRoot, runCommandLine, UsageError } from "../../../cli/kit/command_line.ts";
import { TemporaryEnsemble } from "../../temporary_ensemble.ts";
import { REGISTRY_PROGRAM } from "../../tested_program.ts";

Deno.test("wrong usage exits with 2, and prints the error and where to find help", async () => {
  using ensemble = new TemporaryEnsemble();
  assert.deepEqual(await ensemble.run("lst-servers"), {
    code: 2,
    stdout: "",
    stderr: "gxensemble: error: unknown command 'lst-servers' (Did you mean list-servers?)\n" +
      "see gxensemble help\n",
  });
  assert.deepEqual(await ensemble.run("ping"), {
    code: 2,
    stdout: "",
    stderr: "gxensemble: error: missing required argument 'server-id'\n" +
      "see gxensemble help ping\n",
  });
});

const WRONG: [string[], RegExp][] = [
  [["nosuch"], /^unknown command 'nosuch'$/],
  [["help", "cokie"], /^unknown command 'cokie' \(Did you mean cookie\?\)$/],
  [["help", "ca", "shw"], /^unknown command 'shw' \(Did you mean show\?\)$/],
  [["ca", "shw"], /^unknown command 'shw' \(Did you mean show\?\)$/],
  [
    ["list"],
    /^unknown command 'list' \(Did you mean one of list-servers, list-actors, list-connections, list-groups\?\)$/,
  ],
  [["servers"], /^unknown command 'servers' \(Did you mean list-servers\?\)$/],
  [["revoke"], /^unknown command 'revoke' \(Did you mean ca revoke\?\)$/],
  [["--versoin"], /^unknown option '--versoin' \(Did you mean --version\?\)$/],
  [["--json", "ping", "a"], /^unknown option '--json' \(options come after the command .*\)$/],
  [["--registry=unix:/x", "ping", "a"], /^unknown option '--registry' \(options come after/],
  [
    ["ping", "--registr=unix:/x", "a"],
    /^unknown option '--registr' \(Did you mean --registry\?\)$/,
  ],
  [["ping", "--nosuch=x"], /^unknown option '--nosuch'$/],
  [["ca", "setup", "--domian", "x"], /^unknown option '--domian' \(Did you mean --domain\?\)$/],
  [["ca", "--view", "show"], /^ca --view takes no command$/],
  [["ca", "--json", "show"], /^--json comes after the command, as in: ca show --json$/],
  [["cookie", "--json"], /^--json requires --view, --rotate, --status or --abort$/],
  [["admin", "-f", "--view"], /'-v, --view' cannot be used with option '-f, --force'$/],
  [["authorize", "a", "b", "shutdwn"], /"shutdwn"; use one of admin, shutdown, loader, .* a colon/],
  [["ca", "cert", "a", "--capabilities", "(admin shutdwn)"], /"shutdwn"; use one of admin, shut/],
  [["--nosuch"], /^unknown option '--nosuch'$/],
  [["ping", "--jsn", "a"], /^unknown option '--jsn' \(Did you mean --json\?\)$/],
  [["load", "--list", "--rerun", "a"], /'--list' cannot be used with option '--rerun'$/],
  [["load", "--library", "--rerun", "a", "x"], /^--rerun and --library exclude each other$/],
  [["run", "httpd1"], /^missing required argument 'module-id'$/],
  [
    ["run", "httpd1", "--roles", "a", "x.ts"],
    /options come before the arguments; a file of that name is \.\/--roles$/,
  ],
  [["run", "--roles", "(a", "httpd1", "x.ts"], /'--roles <roles>'.* without its "\)"/],
  [["run", "--roles", "||", "httpd1", "x.ts"], /'--roles <roles>'.* a role must not be empty$/],
  [["ping", "a", "b", "c"], /^too many arguments for 'ping'/],
  [["ping", "a/b"], /not a server id: "a\/b"/],
  [["shutdown", "a/b"], /not a server id: "a\/b"/],
  [["shutdown", "()"], /no server id given$/],
  [["shutdown", "-f", "--role", ""], /the role is empty$/],
  [["lookup", "--role", ""], /^the role is empty$/],
  [["shutdown", "--role"], /^option '--role <roles>' argument missing$/],
  [["shutdown", "--role", "()"], /no role given$/],
  [
    ["eval", "--role", "web", "--all", "1"],
    /^option '--role <roles>' cannot be used with option '--all'$/,
  ],
  [["eval", "--role", "web"], /^missing required argument 'expr'$/],
  [["eval", "a", "1", "--file", "x.js"], /^--file takes the place of the expression$/],
  [
    ["eval", "--role", "web", "a", "1"],
    /^--role takes the place of the server id: "1" is too much$/,
  ],
  [["ping", "--all", "a", "b"], /^--all takes the place of the server id: "b" is too much$/],
  [["ping", "--concurrency", "0", "a"], /not a number from 1 to 10000: "0"$/],
  [["call", "counter", "add"], /^no actor is named: "counter" has no @$/],
  [["call", "@web1", "add"], /^not an actor name: ""/],
  [["call", "a@web1,b@web1", "add"], /^web1 is named twice/],
  [
    ["call", "--all", "counter@web1", "add"],
    /^--all names the servers: give the name of the actor/,
  ],
  [["call", "counter@web1"], /^missing required argument 'type'$/],
  [["call", "counter@web1", "add", "3"], /^not an argument: "3"; write key=value, or one JSON/],
  [["tell", "counter@web1", "add", "{amount:3}"], /^the argument is not JSON: /],
  [["eval", "", "1"], /^not a server id: ""/],
  [["eval", "a,../b", "1"], /^not a server id: "\.\.\/b"/],
  [["lookup", "a/b"], /^not a server id: "a\/b"/],
  [["registry", "-l", "nope"], /'-l, --listen <listen>'.* not an address: nope/],
  [["registry", "-a", "tcp://a:99999"], /'-a, --announce <announce>'.* up to 65535$/],
  [["ping", "--registry", "unix:x", "a"], /'--registry <registry>'.* must be absolute$/],
  [["ping", "--registry", "()", "a"], /'--registry <registry>'.* no registry address given$/],
  [["ping", "-G", "", "a"], /'-G, --gerbil-path <dir>'.* the directory is empty$/],
  [["env", "known-servers", "--add"], /^--add needs a server id$/],
  [
    ["env", "known-servers", "--set", "a"],
    /^--set needs addresses; to remove the server, use --remove$/,
  ],
  [["env", "known-servers", "a", "tcp://a:1"], /pass --add, --set or --remove$/],
  [["env", "known-servers", "--set", "--add", "a"], /^--add and --set exclude each other$/],
  [["env", "known-servers", "--add", "a", "b"], /not an address: b/],
  [["registry", "--log", "LOUD"], /'--log <logging>'.* use DEBUG, INFO, WARN or ERROR$/],
  [["registry", "--store", "redis:"], /'--store <store>'.* use "sqlite:"/],
  [["registry", "--log"], /^option '--log <logging>' argument missing$/],
];

for (const [args, message] of WRONG) {
  Deno.test(`gxensemble refuses ${args.join(" ")}`, async () => {
    await assert.rejects(commandTree().parseAsync(args, { from: "user" }), (error) => {
      assert.ok(error instanceof UsageError, `${error}`);
      assert.match(error.message, message);
      assert.match(error.help, /^gxensemble help/);
      return true;
    });
  });
}

Deno.test("a failure exits with 1 and prints only its reason, with --log DEBUG also the stack", async () => {
  using ensemble = new TemporaryEnsemble();
  const failure = await ensemble.run("ping", "httpd1");
  assert.deepEqual({ code: failure.code, stdout: failure.stdout }, { code: 1, stdout: "" });
  // There is no cookie.
  assert.match(failure.stderr, /^gxensemble: error: no cookie at .*\n$/);

  const { code, stderr } = await ensemble.run("ping", "httpd1", "--log", "DEBUG");
  assert.equal(code, 1);
  assert.match(stderr, /^gxensemble: error: no cookie at .*\n/m);
  assert.match(stderr, /^ +at .*\breadCookie\b/m);
});

/**
 * Runs `ensemble-registry` in this process; gives its exit code and what it printed on standard
 * error.
 */
async function run(...args: string[]): Promise<{ code: number; printed: string }> {
  let printed = "";
  const { writeSync } = Deno.stderr;
  Deno.stderr.writeSync = (bytes) => {
    printed += new TextDecoder().decode(bytes);
    return bytes.length;
  };
  try {
    const root = asRoot(registryCommand("ensemble-registry"), "1.2.3");
    return { code: await runCommandLine(root, args), printed };
  } finally {
    Deno.stderr.writeSync = writeSync;
  }
}

Deno.test("ensemble-registry prints its arguments without control characters", async () => {
  for (const args of [["--a\x1b[2J\u202e"], ["--store", "a\x1b[2J\u202e"], ["--stor\x9b"]]) {
    const { code } = await run(...args);
    assert.equal(code, 2);
  }
  assert.match((await run("--a\x1b[2J\u202e")).printed, /unknown option '--a\\u001b\[2J\\u202e'/);
  using ensemble = new TemporaryEnsemble();
  const { code, stderr } = await ensemble
    .external(...REGISTRY_PROGRAM, "--log-file", "/no/such\x1b[2J/file").output();
  assert.equal(code, 1);
  assert.match(
    new TextDecoder().decode(stderr),
    /^ensemble-registry: error: cannot write the log file \/no\/such\\u001b\[2J/,
  );
});
