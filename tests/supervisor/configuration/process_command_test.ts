import assert from "node:assert/strict";
import { Command } from "npm:@commander-js/extra-typings@^15.1.0";
import { addressTexts, addRunOptions, capabilitiesById } from "../../../cli/kit/options.ts";
import { commandTree } from "../../../cli/command_tree.ts";
import { parseStoreLocation } from "../../../registry/store.ts";
import { formatDenial } from "../../../runtime/home/denials.ts";
import { formatAddress, formatEndpoint, parseAddresses } from "../../../runtime/wire/address.ts";
import { processCommand } from "../../../supervisor/configuration/process_command.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";

const FULL = {
  roles: {
    shop: {
      module: "svc.ts",
      args: ["--own", "8080", ""],
      roles: ["shop", "a b"],
      listen: ["tcp://127.0.0.1:4001", "unix:/tmp/a%20b"],
      announce: ["tls://host1:4001"],
      registry: ["tcp://127.0.0.1:4000"],
      log: { level: "debug", format: "json", file: "-" },
      http: "127.0.0.1:9100",
      httpToken: "secret.txt",
      grace: "1500ms",
      loader: false,
      deny: ["run", "write=/etc"],
      capabilities: { given: { deployer: ["loader", "jobs:run"] } },
    },
    executable: { executable: "tool" },
    other: { executable: "tool", plain: true, args: ["-v"] },
  },
  servers: {
    shop1: { role: "shop" },
    small: { role: "executable", announce: [] },
    other1: { role: "other" },
  },
  registry: {
    store: "etcd://127.0.0.1:2379/e",
    storeUser: "me",
    storePasswordFile: "secret.txt",
    lease: "1m",
  },
};

Deno.test("processCommand gives gxensemble run the options of the configuration", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read(FULL);
  assert.deepEqual(problems, []);
  const [shop1] = configuration!.servers;
  const [program, run, ...args] = processCommand(shop1!, ["gxensemble"]);
  assert.deepEqual([program, run], ["gxensemble", "run"]);
  const command = addRunOptions(new Command("run")).argument("<id>").argument("<module>")
    .argument("[args...]").action(() => {});
  command.parse(args, { from: "user" });
  assert.deepEqual(command.processedArgs, [
    "shop1",
    `${directory.path}/svc.ts`,
    ["--own", "8080", ""],
  ]);
  const options = command.opts();
  const { listen, announce, registry } = addressTexts(options);
  assert.deepEqual(
    { ...options, http: formatEndpoint(options.http!), listen, announce, registry },
    {
      log: "debug",
      logFormat: "json",
      logFile: "-",
      roles: ["shop", "a b"],
      listen: parseAddresses("tcp://127.0.0.1:4001 unix:/tmp/a%20b").map(formatAddress),
      announce: ['(tls: "host1:4001")'],
      registry: ['(tcp: "127.0.0.1:4000")'],
      grace: 1_500,
      http: "127.0.0.1:9100",
      httpToken: `${directory.path}/secret.txt`,
      loader: false,
      deny: options.deny,
      authorize: options.authorize,
    },
  );
  assert.deepEqual(options.deny.map(formatDenial), ["run", "write=/etc"]);
  assert.deepEqual(capabilitiesById(options.authorize), { deployer: ["jobs:run", "loader"] });
});

Deno.test("processCommand leaves out the options that have their defaults", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration } = await directory.read(FULL);
  const [, small, other] = configuration!.servers;
  const tool = `${directory.path}/tool`;
  assert.deepEqual(processCommand(small!, ["gxensemble"]), [
    ...[tool, "--announce", "()", "--roles", "(executable)", "small"],
  ]);
  assert.deepEqual(processCommand(other!, ["gxensemble"]), [tool, "-v"]);
});

Deno.test("processCommand gives gxensemble registry the options of the configuration", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration } = await directory.read(FULL);
  const [program, name, ...args] = processCommand(configuration!.registry!, ["gxensemble"]);
  assert.deepEqual([program, name], ["gxensemble", "registry"]);
  const registry = commandTree().commands.find((command) => command.name() === "registry")!;
  registry.action(() => {});
  registry.parse(args, { from: "user" });
  const { store, storeUser, storePasswordFile, lease } = registry.opts();
  assert.deepEqual(store, parseStoreLocation("etcd://127.0.0.1:2379/e"));
  assert.deepEqual([storeUser, lease], ["me", 60_000]);
  assert.equal(storePasswordFile, `${directory.path}/secret.txt`);
});
