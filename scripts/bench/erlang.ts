/**
 * Contestants in Erlang: two nodes and Erlang's own distribution, or one node.
 *
 * @module
 */
import type { Contestant } from "./case.ts";
import { outputOf, RunningProgram } from "./running_program.ts";

const SOURCE = new URL("bench.erl", import.meta.url).pathname;

/** Work that `bench.erl` does. */
export type ErlangWork = "asks" | "outstanding" | "texts" | "one_way" | "local";

/** Two nodes, with plain messages. */
export function erlang(work: ErlangWork): Contestant {
  return nodes(work, "plain");
}

/** Two nodes, with a `gen_server`, which also watches the process that it asks. */
export function genServer(work: ErlangWork): Contestant {
  return nodes(work, "server");
}

/** One node, with plain messages between its processes. */
export function erlangAlone(work: ErlangWork): Contestant {
  return async ({ duration, directory }) => {
    if (!await isInstalled()) return undefined;
    await compileIn(directory);
    const call = `bench:measure(${work}, plain, node(), ${duration}).`;
    const output = await outputOf("erl", ["-noshell", "-eval", call], inDirectory(directory));
    return JSON.parse(output.slice(output.indexOf("{")));
  };
}

function nodes(work: ErlangWork, kind: "plain" | "server"): Contestant {
  return async ({ duration, directory }) => {
    if (!await isInstalled()) return undefined;
    await compileIn(directory);
    const port = freePort();
    const options = inDirectory(directory, { ERL_EPMD_PORT: `${port}` });
    const node = (name: string, call: string) => [
      ...["-noshell", "-name", `${name}@127.0.0.1`, "-setcookie", "bench"],
      ...["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"],
      ...["-eval", call],
    ];
    // A name server of our own, in the foreground, so that none is left running.
    const epmdArgs = ["-port", `${port}`, "-address", "127.0.0.1"];
    await using _epmd = await RunningProgram.start("epmd", epmdArgs, {
      ...options,
      // It reports the connection that checks whether it listens.
      quiet: true,
    });
    while (!await canConnect(port)) await new Promise((resolve) => setTimeout(resolve, 5));
    await using _server = await RunningProgram.start("erl", node("server", "bench:serve()."), {
      ...options,
      ready: "ready",
    });
    const call = `bench:measure(${work}, ${kind}, 'server@127.0.0.1', ${duration}).`;
    return JSON.parse(await outputOf("erl", node("client", call), options));
  };
}

async function compileIn(directory: string): Promise<void> {
  await outputOf("erlc", [SOURCE], { cwd: directory });
}

function inDirectory(directory: string, env: Record<string, string> = {}) {
  return {
    cwd: directory,
    env: { ...env, HOME: directory, ERL_EPMD_ADDRESS: "127.0.0.1", ERL_CRASH_DUMP: "/dev/null" },
  };
}

let installed: Promise<boolean> | undefined;

/** Whether this host has Erlang. */
function isInstalled(): Promise<boolean> {
  return installed ??= (async () => {
    try {
      const { success } = await new Deno.Command("erl", {
        args: ["-noshell", "-eval", "halt()."],
        stdout: "null",
        stderr: "null",
      }).output();
      return success;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  })();
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function canConnect(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
