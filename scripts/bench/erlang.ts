/**
 * The contestant in Erlang: two nodes that use Erlang's own distribution.
 *
 * @module
 */
import { Contestant } from "./contestant.ts";
import { type Figures, ONE_WAY, OUTSTANDING_ROUND_TRIPS, ROUND_TRIPS } from "./workload.ts";

const SOURCE = new URL("./bench_erlang.erl", import.meta.url).pathname;

/** Measures two nodes on this host. Returns undefined if Erlang is not installed. */
export async function measureErlang(directory: string): Promise<Figures | undefined> {
  if (!await isInstalled()) return undefined;
  const port = freePort();
  const env = { ERL_EPMD_PORT: `${port}`, HOME: directory };
  const options = { env, cwd: directory };
  const erl = (node: string, call: string) => [
    ...["-noshell", "-sname", `${node}@localhost`, "-setcookie", "bench"],
    ...["-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"],
    ...["-eval", call],
  ];
  const compile = `{ok, _} = compile:file("${SOURCE}"), halt().`;
  await (await Contestant.start("erl", ["-noshell", "-eval", compile], options)).output();
  // A separate name server, in the foreground, so that none keeps running.
  const epmdArgs = ["-port", `${port}`, "-address", "127.0.0.1"];
  await using _epmd = await Contestant.start("epmd", epmdArgs, options);
  await until(() => canConnect(port));
  await using _peer = await Contestant.start("erl", erl("peer", "bench_erlang:peer()."), {
    ...options,
    ready: "ready",
  });
  const counts = `${ROUND_TRIPS}, ${OUTSTANDING_ROUND_TRIPS}, ${ONE_WAY}`;
  const call = `bench_erlang:bench('peer@localhost', ${counts}), halt().`;
  const output = await (await Contestant.start("erl", erl("bench", call), options)).output();
  const [p50, p99, outstanding, oneWay] = output.trim().split(" ").map(Number);
  return {
    roundTrip: { p50: p50! / 1000, p99: p99! / 1000 },
    outstanding: outstanding!,
    oneWay: oneWay!,
  };
}

async function isInstalled(): Promise<boolean> {
  try {
    return (await new Deno.Command("erl", { args: ["-version"], stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
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

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}
