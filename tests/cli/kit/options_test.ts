import assert from "node:assert/strict";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { allCommands } from "../../../cli/kit/command_line.ts";
import {
  addRunOptions,
  capabilitiesById,
  parseDestination,
  type RunDefaults,
} from "../../../cli/kit/options.ts";
import { commandTree } from "../../../cli/command_tree.ts";
import { parseAddresses } from "../../../runtime/wire/address.ts";

/**
 * The options and arguments that the command named first in `args` would be called with. It is not
 * run.
 */
function parse(...args: string[]): { arguments: unknown[]; options: Record<string, unknown> } {
  const root = commandTree();
  const command = root.commands.find((command) => command.name() === args[0])!;
  command.action(() => {});
  root.parse(args, { from: "user" });
  return { arguments: command.processedArgs, options: command.opts() };
}

const A = { kind: "tcp", host: "a", port: 1 };
const B = { kind: "tls", host: "b", port: 2 };

Deno.test("option defaults match the tutorial", () => {
  assert.deepEqual(parse("run", "httpd1", "./svc.ts"), {
    arguments: ["httpd1", "./svc.ts", []],
    options: {
      log: "info",
      logFormat: "text",
      listen: [],
      registry: [],
      roles: [],
      grace: 5000,
      loader: true,
      deny: [],
      authorize: [],
    },
  });
  assert.deepEqual(parse("registry").options, {
    log: "info",
    logFormat: "text",
    listen: [],
    loader: true,
    lease: 15_000,
    store: { kind: "sqlite" },
  });
  assert.deepEqual(parse("load", "httpd1", "./a.ts").options, {
    force: false,
    library: false,
    list: false,
    check: false,
    dryRun: false,
    rerun: false,
    status: false,
    quiet: false,
    batch: 1,
    wait: 10_000,
    all: false,
    concurrency: 64,
    registry: [],
    libraryPrefix: ["@gxensemble/"],
    json: false,
    log: "warning",
  });
  assert.deepEqual(parse("shutdown"), {
    arguments: [undefined, undefined],
    options: {
      force: false,
      drain: false,
      registry: [],
      all: false,
      concurrency: 64,
      failFast: false,
      json: false,
      log: "warning",
    },
  });
});

Deno.test("addresses are read in both notations, and accumulate over repeated options", () => {
  for (
    const spelling of [
      ["--listen", "tcp://a:1 tls://b:2"],
      ["-l", '((tcp: "a:1") (tls: "b:2"))'],
      ["-l", '(tcp: "a:1")', "--listen", "tls://b:2"],
    ]
  ) assert.deepEqual(parse("registry", ...spelling).options.listen, [A, B]);
  assert.deepEqual(parse("registry", "-a", "tcp://a:1", "-a", "tls://b:2").options.announce, [
    A,
    B,
  ]);
  assert.deepEqual(parse("registry", "-a", "()").options.announce, []);
  assert.deepEqual(parse("ping", "x", "--registry", "tcp://a:1").options.registry, [A]);
});

Deno.test("symbols are read in both notations, and accumulate over repeated options", () => {
  for (const spelling of [["(a b)"], ["a,b"], ["a", "--roles", "(b)"]]) {
    assert.deepEqual(parse("run", "--roles", ...spelling, "x", "y").options.roles, ["a", "b"]);
  }
  assert.deepEqual(
    parse("load", "--library-prefix", "(std my/)", "x", "y").options.libraryPrefix,
    ["@gxensemble/", "std", "my/"],
  );
});

Deno.test("log levels are read in any case", () => {
  const levels = {
    DEBUG: "debug",
    info: "info",
    Warn: "warning",
    WARNING: "warning",
    error: "error",
  };
  for (const [text, level] of Object.entries(levels)) {
    assert.equal(parse("ping", "--log", text, "x").options.log, level);
  }
});

Deno.test("run passes everything after the module to main", () => {
  const args = ["--port", "8080", "--help", "-l", "--", "x"];
  assert.deepEqual(parse("run", "--log", "DEBUG", "httpd1", "./svc.ts", ...args), {
    arguments: ["httpd1", "./svc.ts", args],
    options: {
      log: "debug",
      logFormat: "text",
      listen: [],
      registry: [],
      roles: [],
      grace: 5000,
      loader: true,
      deny: [],
      authorize: [],
    },
  });
});

Deno.test("the grace is read in seconds, and an actor's serial number as a number", () => {
  for (const [text, grace] of [["0", 0], ["0.5", 500], ["30", 30_000], ["86400", 86_400_000]]) {
    assert.equal(parse("run", "--grace", `${text}`, "a", "b").options.grace, grace);
  }
  for (const text of ["", "-1", "5s", "1e3", "Infinity", "86401", "1."]) {
    assert.throws(
      () => parse("run", `--grace=${text}`, "a", "b"),
      /not a number of seconds from 0 to/,
    );
  }
  assert.deepEqual(parse("shutdown", "a", "12").arguments, [["a"], 12]);
  assert.deepEqual(parse("ping", "a", "jobs2").arguments[1], "jobs2");
});

Deno.test("each command that asks a server takes a timeout in seconds", () => {
  const asking = allCommands(commandTree()).filter(({ options }) =>
    options.some(({ long }) => long === "--registry")
  );
  const without = asking.filter(({ options }) => options.every(({ long }) => long !== "--timeout"));
  // `run` has none, since a server asks for as long as it runs.
  assert.deepEqual(without.map((command) => command.name()), ["run", "supervisor"]);
  assert.equal(parse("ping", "--timeout", "1.5", "a").options.timeout, 1_500);
  assert.equal(parse("ping", "a").options.timeout, undefined);
  for (const text of ["0", "-1", "5s", "1e3", "Infinity", "86401"]) {
    assert.throws(
      () => parse("ping", `--timeout=${text}`, "a"),
      /'--timeout <seconds>' argument '.*' is invalid\. not a number of seconds above 0/,
    );
  }
});

Deno.test("other commands accept options after the arguments", () => {
  assert.equal(parse("eval", "httpd1", "-1", "--json").options.json, true);
  assert.deepEqual(parse("eval", "httpd1", "--", "--x").arguments, [["httpd1"], "--x"]);
});

Deno.test("a list of servers holds each id once", () => {
  for (const list of ["a,b", "(a b)", "a b", "(a b a)", "a,b,b"]) {
    assert.deepEqual(parse("eval", list, "1").arguments[0], ["a", "b"], list);
  }
  for (const wrong of ["()", "(a", "((a))"]) {
    assert.throws(() => parse("load", wrong, "x.ts"), { name: "UsageError" }, wrong);
  }
});

const PROGRAM: RunDefaults = {
  roles: ["httpd"],
  listen: ["tcp://127.0.0.1:1"],
  grace: 2_000,
  log: { level: "warning", file: "-", format: "json" },
};

function read(args: string[], defaults?: RunDefaults) {
  return addRunOptions(new Command("web"), defaults).parse(args, { from: "user" }).opts();
}

Deno.test("addRunOptions without defaults reads the options of run", () => {
  assert.deepEqual(read(["--roles", "(a b)", "--grace", "1"]), {
    log: "info",
    logFormat: "text",
    listen: [],
    registry: [],
    roles: ["a", "b"],
    grace: 1_000,
    loader: true,
    deny: [],
    authorize: [],
  });
});

Deno.test("addRunOptions keeps what the program fixes, adds roles and addresses, and lets users replace the rest", () => {
  const own = read([], PROGRAM);
  assert.deepEqual(own, {
    log: "warning",
    logFile: "-",
    logFormat: "json",
    listen: parseAddresses("tcp://127.0.0.1:1"),
    registry: [],
    roles: ["httpd"],
    grace: 2_000,
    loader: true,
    deny: [],
    authorize: [],
  });
  const args =
    "--log debug --log-file log --log-format text -l tcp://127.0.0.1:2 --roles a --grace 3";
  const given = read([...args.split(" "), "--no-loader"], PROGRAM);
  assert.deepEqual(given, {
    log: "debug",
    logFile: "log",
    logFormat: "text",
    listen: parseAddresses("tcp://127.0.0.1:1,tcp://127.0.0.1:2"),
    registry: [],
    roles: ["httpd", "a"],
    grace: 3_000,
    loader: false,
    deny: [],
    authorize: [],
  });
  const help = addRunOptions(new Command("web"), PROGRAM).helpInformation();
  assert.match(help, /--roles <roles>[^-]*\(httpd\)/s);
});

Deno.test("parseDestination reads a server, or an actor on it", () => {
  assert.deepEqual(parseDestination("web1"), { server: "web1", actor: undefined });
  const { server, actor } = parseDestination("counter@web1");
  assert.deepEqual([server, actor], ["web1", "counter"]);
  assert.equal(parseDestination("12@web1").actor, 12);
  for (const text of ["", "@", "@web1", "counter@", "a@b@c"]) {
    assert.throws(() => parseDestination(text), /^InvalidInputError: not a/, text);
  }
});

Deno.test("--authorize reads a server and its capabilities, and may be repeated", () => {
  const { options } = parse(
    ...["run", "--authorize", "deployer=loader,shutdown", "--authorize", "b=(jobs:run)"],
    ...["--authorize=deployer=admin", "web1", "main.ts"],
  );
  const given = options.authorize as Parameters<typeof capabilitiesById>[0];
  assert.deepEqual(capabilitiesById(given, { b: ["jobs:run", "loader"] }), {
    b: ["jobs:run", "loader"],
    deployer: ["loader", "shutdown", "admin"],
  });
});
