import assert from "node:assert/strict";
import { EtcdCluster } from "../etcd_cluster.ts";
import { testWith } from "../requirements.ts";
import { RunningEnsemble, RunningProcess } from "./running_ensemble.ts";
import { copyOf } from "./network_hosts.ts";

/** Some servers in one process, which look each other up all the time, and say how long that took at most. */
const SERVERS = `
  import { startServer } from "@gxensemble/ensemble";
  const ids = Array.from({ length: Number(Deno.args[0]) }, (_, at) => "w" + at);
  const servers = await Promise.all(ids.map((id) => startServer(id, { roles: ["worker"] })));
  console.log("started");
  let count = 0;
  let slowest = 0;
  const looking = setInterval(async () => {
    const id = ids[++count % ids.length];
    const began = performance.now();
    try {
      const [[found], workers] = await Promise.all([
        servers[count % 7 % ids.length].lookup({ id }),
        servers[0].lookup({ role: "worker" }),
      ].map(async (each) => [await each].flat()));
      if (found?.id !== id) console.log("lost " + id);
      if (workers.length !== ids.length) console.log("lost workers: " + workers.length);
    } catch (error) {
      console.log("failed " + id + ": " + error.message);
    }
    slowest = Math.max(slowest, performance.now() - began);
  }, 50);
  Deno.addSignalListener("SIGUSR1", () => {
    console.log("looked " + count + " times, slowest " + Math.round(slowest) + " ms");
  });
  await Promise.all(servers.map((server) => server.stopped));
  clearInterval(looking);
`;

testWith(["etcd"], {
  name: "a registry and an etcd member die, and every lookup during and after is answered",
  async fn() {
    await using cluster = await EtcdCluster.start({ size: 3 });
    const store = ["--store", cluster.url("ensemble"), "--lease", "6"];
    await using ensemble = new RunningEnsemble();
    await ensemble.lines("cookie");
    const registry = await ensemble.startRegistry(...store);
    // As on another host: with the same cookie, and directories of its own.
    using elsewhere = copyOf(ensemble);
    const startOther = async () => {
      const process = new RunningProcess(elsewhere.gxensemble("registry", ...store).spawn());
      await process.logged(/registry listens at unix:/);
      return process;
    };
    let other = await startOther();
    try {
      const sockets = [ensemble.socket("registry"), `${elsewhere.socketDirectory}/registry`];
      ensemble.places.environment.ENSEMBLE_REGISTRY = sockets.map((path) => `unix:${path}`)
        .join(" ");
      const file = await ensemble.write("servers.js", SERVERS);
      const configuration = new URL("../../deno.json", import.meta.url).pathname;
      const count = 8;
      const servers = ensemble.spawnDeno(
        "run",
        "-A",
        `--config=${configuration}`,
        file,
        `${count}`,
      );
      await servers.printed("started");
      const ids = Array.from({ length: count }, (_, at) => `w${at}`);
      const watch = ensemble.spawn("watch", "--role", "worker");
      await watch.printed("present w7");

      const list = async () => {
        type Row = { server: string; state: string; leaseLeft: number | null };
        return JSON.parse((await ensemble.lines("list-servers", "--json")).join("\n")) as Row[];
      };
      // A registry knows the leases of the servers that renew there.
      const hearsAll = async () =>
        (await list()).filter(({ state, leaseLeft }) => state === "up" && leaseLeft !== null)
          .length === count;

      let isDone = false;
      const looking = (async () => {
        for (let at = 0; !isDone; at++) {
          await ensemble.lines("lookup", "--timeout", "1", ids[at % count]!);
          const workers = await ensemble.lines("lookup", "--timeout", "1", "--role", "worker");
          assert.equal(workers.length, count);
        }
      })();
      // It fails, too, when something else does and all processes end.
      looking.catch(() => {});
      registry.signal("SIGKILL");
      await cluster.members[0]!.kill();
      await registry.exit();
      await other.until(hearsAll, "hears all servers");
      const again = await ensemble.startRegistry(...store);
      cluster.members[0]!.start();
      other.signal("SIGKILL");
      await other.exit();
      await again.until(hearsAll, "hears all servers");
      isDone = true;
      await looking;

      servers.signal("SIGUSR1");
      const said = await servers.printed("looked");
      assert.deepEqual(servers.output, ["started", said]);
      assert.deepEqual(watch.output.map((line) => line.split(" ").slice(0, 2).join(" ")), [
        ...ids.map((id) => `present ${id}`),
      ]);

      // It stops all registries.
      other = await startOther();
      await other.until(
        async () => (await list()).filter(({ server }) => server === "registry").length === 2,
        "knows that the killed ones are gone",
      );
      await ensemble.lines("shutdown", "-f");
      assert.equal(await servers.exit(), 0);
      assert.equal(await again.exit(), 0);
      assert.equal(await other.exit(), 0);
    } finally {
      await other.kill();
    }
  },
});

testWith(["etcd"], {
  name: "cookie --rotate reaches each of several registries",
  async fn() {
    await using cluster = await EtcdCluster.start({ size: 1 });
    const store = ["--store", cluster.url("ensemble")];
    await using ensemble = new RunningEnsemble();
    await ensemble.lines("cookie");
    await ensemble.startRegistry(...store);
    using elsewhere = copyOf(ensemble);
    const other = new RunningProcess(elsewhere.gxensemble("registry", ...store).spawn());
    try {
      await other.logged(/registry listens at unix:/);
      const sockets = [ensemble.socket("registry"), `${elsewhere.socketDirectory}/registry`];
      const { environment } = ensemble.places;
      environment.ENSEMBLE_REGISTRY = sockets.map((path) => `unix:${path}`).join(" ");
      await ensemble.startServer("web1");
      const { code, stderr } = await ensemble.run("cookie", "--rotate");
      assert.equal(code, 1);
      // Only the other one has files of its own.
      assert.match(
        stderr,
        new RegExp(
          `^gxensemble: error: registry at unix:${sockets[1]} on \\S+ has the old one only$`,
          "m",
        ),
      );
      const next = await Deno.readFile(`${ensemble.places.cookiePath}.next`);
      await Deno.writeFile(elsewhere.cookiePath, next, { mode: 0o600 });
      const lines = await ensemble.lines("cookie", "--rotate");
      assert.ok(lines.includes("... web1 accepts the new one only"), lines.join("\n"));
      for (const socket of sockets) {
        const line = `... registry at unix:${socket} accepts the new one only`;
        assert.ok(lines.includes(line), lines.join("\n"));
      }
      await ensemble.lines("ping", "web1");
    } finally {
      await other.kill();
    }
  },
});
