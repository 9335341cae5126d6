import assert from "node:assert/strict";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { addRunOptions, type RunDefaults } from "../../../cli/kit/run_options.ts";
import { parseAddresses } from "../../../runtime/wire/address.ts";

const PROGRAM: RunDefaults = {
  roles: ["httpd"],
  listen: parseAddresses("tcp://127.0.0.1:1"),
  grace: 2_000,
  log: { level: "warning", file: "-", format: "json" },
};

function read(args: string[], defaults?: RunDefaults) {
  return addRunOptions(new Command("web"), defaults).parse(args, { from: "user" }).opts();
}

Deno.test("addRunOptions without defaults reads what run takes", () => {
  assert.deepEqual(read(["--roles", "(a b)", "--grace", "1"]), {
    log: "info",
    logFormat: "text",
    listen: [],
    registry: [],
    roles: ["a", "b"],
    grace: 1_000,
    loader: true,
    deny: [],
  });
});

Deno.test("addRunOptions keeps what the program says, adds roles and addresses, and lets the rest be replaced", () => {
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
  });
  const help = addRunOptions(new Command("web"), PROGRAM).helpInformation();
  assert.match(help, /--roles <roles>[^-]*\(httpd\)/s);
});
