import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startServer } from "@gxensemble/ensemble";
import type { Dispatcher, Statistics } from "../../examples/jobs/job.ts";
import { CertifiedEnsemble } from "../cli/certified_ensemble.ts";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { NETWORKS, testWith } from "../requirements.ts";
import type { TemporaryEnsemble } from "../temporary_ensemble.ts";
import { RunningEnsemble, RunningProcess } from "./running_ensemble.ts";
import { copyOf, HostNetwork, inside, programInside } from "./network_hosts.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a module of the example. */
function example(name: string): string {
  return `${ROOT}examples/jobs/${name}.ts`;
}

/** The arguments that start the module of a server of the example in its role. */
function serve(role: string, id: string, ...options: string[]): string[] {
  return ["run", "--roles", `(${role})`, ...options, id, example(role)];
}

Deno.test("the dispatcher gives the job of a worker that was killed to another", async () => {
  await using ensemble = await RunningEnsemble.start();
  const start = async (role: string, id: string) => {
    const server = ensemble.spawn(...serve(role, id));
    await server.logged(/is in the registry$/);
    return server;
  };
  const [, worker1] = await Promise.all([
    start("dispatcher", "dispatcher"),
    start("worker", "worker1"),
  ]);
  const { gerbilPath, socketDirectory } = ensemble.places;
  await using client = await startServer({
    directory: `${gerbilPath}/ensemble`,
    socketDirectory,
    registry: [],
    log: false,
  });
  // It would last longer than the test.
  const job = { text: "hello", duration: 1_000_000 };
  const result = client.client<Dispatcher>("dispatcher@dispatcher").add(job, { timeout: 60_000 });
  const handled = 'ensemble.actors.find("worker").handled';
  await worker1.until(
    async () => (await ensemble.lines("eval", "worker1", handled))[0] === "1",
    "began the job",
  );
  await start("worker", "worker2");
  const atOnce = 'ensemble.module("examples/jobs/worker.ts").setHandler(({ text }) => text + "!")';
  await ensemble.lines("eval", "worker2", atOnce);
  await worker1.kill();
  assert.equal(await result, "hello!");
  assert.deepEqual(await client.client<Statistics>("statistics@dispatcher").report(), {
    done: { worker2: 1 },
    lost: 1,
  });
});

testWith(["ip", NETWORKS], {
  name: "a dispatcher finds a worker on another host by its role, over tls",
  async fn() {
    await using network = await HostNetwork.create();
    const [here, there] = network.hosts;
    await using ensemble = new RunningEnsemble();
    await ensemble.lines("cookie");
    await CertifiedEnsemble.giveAuthority(`${ensemble.places.gerbilPath}/ensemble`);
    const passphrase = [
      "--passphrase-file",
      await ensemble.write("passphrase", `${PASSPHRASE}\n`, { mode: 0o600 }),
    ];
    for (const id of ["registry", "dispatcher"]) {
      await ensemble.lines("ca", "cert", ...passphrase, id, "--host", here.address);
    }
    for (const id of ["worker4", "client"]) {
      await ensemble.lines("ca", "cert", ...passphrase, id, "--host", there.address);
    }
    using elsewhere = copyOf(ensemble);
    const registry = `tls://${here.address}:4000`;
    elsewhere.environment.ENSEMBLE_REGISTRY = registry;

    const running: RunningProcess[] = [];
    const start = async (
      { namespace }: typeof here,
      places: TemporaryEnsemble,
      args: string[],
      pattern = /is in the registry$/,
    ) => {
      const server = new RunningProcess(inside(namespace, places, ...args).spawn());
      running.push(server);
      await server.logged(pattern);
    };
    try {
      await start(
        here,
        ensemble.places,
        ["registry", "--listen", registry],
        /registry listens at tls:/,
      );
      await Promise.all([
        start(
          here,
          ensemble.places,
          serve("dispatcher", "dispatcher", "--listen", `tls://${here.address}:4001`),
        ),
        start(
          there,
          elsewhere,
          serve("worker", "worker4", "--listen", `tls://${there.address}:4001`),
        ),
      ]);
      const submit = ["run", "-A", "--config", `${ROOT}deno.json`, example("submit"), "hello"];
      const { code, stdout, stderr } = await programInside(
        there.namespace,
        elsewhere,
        Deno.execPath(),
        ...submit,
      ).output();
      const [output, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assert.equal(code, 0, errors);
      assert.equal(output, "HELLO\n{ done: { worker4: 1 }, lost: 0 }\n");
    } finally {
      await Promise.all(running.map((server) => server.kill()));
    }
  },
});
