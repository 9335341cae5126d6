import assert from "node:assert/strict";
import { MemoryStore } from "../../registry/memory_store.ts";
import { parseServerId } from "../../runtime/actor/server_id.ts";
import { listServers } from "../../runtime/ensemble/remote.ts";
import type { RegistryEntry } from "../../runtime/server/registry_entry.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { listenAt } from "../../runtime/wire/transport.ts";
import { anyPort, LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { commandsIn } from "./commands_in.ts";

/** Nobody listens there. */
const CLOSED: Address = { kind: "tcp", host: "127.0.0.1", port: 1 };

/** More than any kernel numbers its processes: 2^22 is the most on Linux. */
const NO_PID = 2 ** 30;

function entry(id: string, addresses: Address[], pid: number): RegistryEntry {
  const instance = new Uint8Array(32);
  return { id: parseServerId(id), instance, addresses, roles: [], pid, host: Deno.hostname() };
}

Deno.test("shutdown -f takes out the dead, names those that may live, and leaves them the registry", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const good = await ensemble.start("good");
  // It runs, and is connected with the registry; its socket is gone.
  await ensemble.start("alive", { announce: [ensemble.socket("nosuch")] });
  await store.put(entry("cut-off", [ensemble.socket("nosuch")], Deno.pid));
  await store.put(entry("dead", [CLOSED], Deno.pid));
  await store.put(entry("dead-too", [ensemble.socket("nosuch")], NO_PID));
  // Somebody is there who hangs up.
  const port = await listenAt(anyPort());
  const hangingUp = (async () => {
    for (let next; (next = await port.accept());) next.stream.close();
  })();
  await store.put(entry("strange", [port.address], NO_PID));

  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  port.close();
  await hangingUp;
  assert.deepEqual(
    stdout.trimEnd().split("\n"),
    ["alive", "cut-off", "dead", "dead-too", "good", "strange"].map((id) =>
      `... shutting down ${id}`
    ),
  );
  assert.equal(code, 1, stderr);
  const process = (id: string, pid: number) => `${id} (pid ${pid} on host ${Deno.hostname()})`;
  const socket = `unix:${ensemble.directory}/nosuch`;
  const lines = stderr.trimEnd().split("\n").sort();
  const strange = lines.findIndex((line) => line.includes("strange"));
  assert.match(
    lines.splice(strange, 1)[0]!,
    /^gxensemble: error: strange \(pid \d+ on host \S+\) does not answer: cannot reach strange: tcp:/,
  );
  assert.deepEqual(lines, [
    `${process("dead", Deno.pid)} has ended without a word; it is taken out of the registry`,
    `${process("dead-too", NO_PID)} has ended without a word; it is taken out of the registry`,
    `gxensemble: error: 3 of 6 servers did not shut down`,
    ...["alive", "cut-off"].map((id) =>
      `gxensemble: error: ${
        process(id, Deno.pid)
      } does not answer: cannot reach ${id}: ${socket}: no such socket`
    ),
    "the registry is left running, for the servers that are",
  ]);
  await good.stopped;
  assert.equal(registry.signal.aborted, false);
  const left = (await listServers(registry.actors)).map(({ id }) => id);
  assert.deepEqual(left, ["alive", "cut-off", "strange"]);
});

Deno.test("list-servers and shutdown -f take more entries than fit on a page", async () => {
  await using ensemble = new LocalEnsemble();
  using commands = commandsIn(ensemble);
  const store = new MemoryStore();
  const registry = await ensemble.startRegistry(store);
  const ids = Array.from({ length: 1_000 }, (_, n) => `s${n}`).sort();
  for (const id of ids) await store.put(entry(id, [CLOSED], NO_PID));
  const listed = await commands.run("list-servers");
  assert.equal(listed.code, 0, listed.stderr);
  const line = (id: string) => `(${id} () (tcp: "127.0.0.1:1"))`;
  assert.deepEqual(listed.stdout.trimEnd().split("\n"), ids.map(line));

  const { code, stdout, stderr } = await commands.run("shutdown", "-f");
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trimEnd().split("\n").length, 1_001);
  assert.equal(stderr.trimEnd().split("\n").length, 1_000);
  await registry.stopped;
  assert.deepEqual(await store.list({ limit: 1 }), []);
});
