import assert from "node:assert/strict";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import type { ActorServerOptions } from "../../runtime/server/actor_server_options.ts";
import { anyPort, LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { commandsIn } from "./commands_in.ts";

/** An actor that distinguishes servers with the same id. */
const marked = (mark: string): Partial<ActorServerOptions> => ({
  prepare: ({ actors }) => void actors.serve(mark, {}),
});

function portOf(server: ActorServer): string {
  return formatAddressUrl(server.entry.addresses.find(({ kind }) => kind === "tcp")!);
}

Deno.test("a command that names a registry reaches only the servers of that registry", async () => {
  await using here = new LocalEnsemble();
  await using there = new LocalEnsemble();
  using commands = commandsIn(here);
  // They have the same cookie and the same ids, so that only their addresses distinguish them.
  const cookies = [here.cookie];
  const hereRegistry = await here.startRegistry();
  const hereWeb = await here.start("web", marked("here"));
  const thereRegistry = await there.startRegistry(undefined, {
    cookies,
    listen: [there.socket("registry"), anyPort()],
  });
  const thereWeb = await there.start("web", { cookies, ...marked("there") });
  const address = portOf(thereRegistry);
  const known = `${commands.gerbilPath}/ensemble/known-servers`;
  const actors = async (...args: string[]) => {
    const { code, stdout, stderr } = await commands.run("list-actors", ...args, "web");
    assert.equal(code, 0, stderr);
    return stdout.split("\n").filter((name) => name.includes("here"));
  };

  // The file of this host does not name the servers there, whose ids are the same.
  await Deno.writeTextFile(known, `web ${formatAddressUrl(here.socket("web"))}\n`);
  assert.deepEqual(await actors("--registry", address), ["there"]);
  await Deno.writeTextFile(known, `registry ${address}\n`);
  assert.deepEqual(await actors(), ["there"]);
  const { code, stdout, stderr } = await commands.run("shutdown", "-f", "--registry", address);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "... shutting down web\n... shutting down registry\n");
  await Promise.all([thereWeb.stopped, thereRegistry.stopped]);
  assert.equal(hereWeb.signal.aborted || hereRegistry.signal.aborted, false);
});

Deno.test("--gerbil-path replaces GERBIL_PATH, before and after the command", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  await ensemble.startRegistry();
  const path = commands.gerbilPath;
  commands.environment.GERBIL_PATH = `${commands.directory}/empty`;
  commands.workingDirectory = commands.directory;
  const relative = path.slice(commands.directory.length + 1);
  for (
    const args of [
      ["--gerbil-path", path, "ping", "registry"],
      // The nearer setting takes precedence.
      ["-G", "/nosuch", "ping", `--gerbil-path=${relative}`, "registry"],
    ]
  ) {
    const { code, stderr } = await commands.run(...args);
    assert.equal(code, 0, `${args}: ${stderr}`);
  }
  const complete = ["complete", "--shell", "zsh", "--"];
  // On a busy machine an answer can come too late for a Tab.
  for (let attempt = 1;; attempt++) {
    const { stdout } = await commands.run(...complete, "-G", path, "ping", "registry", "");
    if (stdout === "" && attempt < 8) continue;
    assert.match(stdout, /^actor\n(.*\n)*registry\t\n/);
    break;
  }
});

Deno.test("ping and shutdown reach a server without a registry, at its socket or a known address", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const register = { register: false };
  const servers = await Promise.all([
    ensemble.start("a", register),
    ensemble.start("b", { ...register, listen: [anyPort()] }),
  ]);
  await Deno.writeTextFile(
    `${commands.gerbilPath}/ensemble/known-servers`,
    `b ${portOf(servers[1])}\n`,
  );
  // A command that names a registry gets none of the servers known here.
  const beside = ["--registry", formatAddressUrl(ensemble.socket("registry"))];
  const elsewhere = await commands.run("shutdown", ...beside, "b");
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.stderr, /^gxensemble: error: cannot reach b: cannot reach registry: /);
  const ping = await commands.run("ping", "b");
  assert.deepEqual([ping.code, ping.stdout], [0, "OK\n"], ping.stderr);
  const shutdown = await commands.run("shutdown", ...beside, "a");
  assert.equal(shutdown.code, 0, shutdown.stderr);
  await servers[0].stopped;
});
