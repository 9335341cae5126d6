import assert from "node:assert/strict";
import { LINUX, testWith } from "../requirements.ts";
import { withSeed } from "../seeded_random.ts";
import { runs, SupervisedHost, SUPERVISOR } from "./supervised_host.ts";

/** Servers that fail, each in its own way. */
const FAILING = {
  registry: true,
  roles: {
    crashing: {
      module: "CRASHING",
      restart: { policy: "permanent", backoff: { min: "100ms", max: "100ms" } },
    },
    never: {
      module: "NEVER",
      start: { timeout: "2s" },
      restart: "temporary",
      grace: "100ms",
    },
    sick: {
      module: "WAITING",
      health: {
        expression: "false",
        ...{ interval: "100ms", timeout: "10s", failures: 3, startAfter: "50ms" },
      },
      restart: "temporary",
    },
    leaking: { module: "LEAKING", memoryLimit: "250MiB", restart: "temporary", grace: "100ms" },
  },
  servers: {
    crashing1: { role: "crashing" },
    never1: { role: "never" },
    sick1: { role: "sick" },
    leaking1: { role: "leaking" },
  },
};

testWith([LINUX], {
  name: "supervisor says what is wrong with servers that crash, hang, are sick or leak",
  async fn() {
    await using host = await SupervisedHost.with({});
    const paths: Record<string, string> = {};
    const modules = {
      CRASHING: 'export function main() { throw new Error("out of luck"); }',
      NEVER: "await new Promise(() => setInterval(() => {}, 1e6)); export function main() {}",
      LEAKING: `const kept = [];
        export async function main() {
          setInterval(() => kept.push(new Uint8Array(30 << 20).fill(1)), 100);
          await new Promise(() => {});
        }`,
    };
    for (const [name, text] of Object.entries(modules)) {
      await host.ensemble.write(`${name.toLowerCase()}.js`, text);
      paths[name] = host.ensemble.path(`${name.toLowerCase()}.js`);
    }
    host.configure(JSON.parse(
      JSON.stringify(FAILING).replaceAll(/CRASHING|NEVER|LEAKING/g, (name) => paths[name]!),
    ));
    const supervisor = await host.start();
    const failed = async (id: string) =>
      (await host.server(id, ({ state }) => state === "failed")).reason;
    assert.equal(
      await failed("crashing1"),
      "crash loop: it ended 6 times within 60 s; last: exit code 1",
    );
    assert.equal(
      await failed("never1"),
      "not up within 2 s; a temporary server is not restarted",
    );
    assert.equal(
      await failed("sick1"),
      "3 health checks failed: false is false, not true; a temporary server is not restarted",
    );
    assert.match(
      (await failed("leaking1"))!,
      /^memory limit passed: \d+ MiB used, 250 MiB allowed; a temporary server is not restarted$/,
    );
    await supervisor.logged(/ERROR .*crashing1 is failed: crash loop: .*get-server-log crashing1/);
    const { bytes } = await host.ask((each) => each.readOutput({ id: "crashing1", lines: 1 }));
    assert.match(new TextDecoder().decode(bytes as Uint8Array), /out of luck/);
  },
});

testWith([LINUX], {
  name: "supervisor leaves healthy servers alone that it took over while the registry is down",
  async fn() {
    const health = { ping: true, interval: "100ms", timeout: "10s", failures: 1, startAfter: 0 };
    await using host = await SupervisedHost.with({
      roles: { shop: { module: "WAITING", health } },
      servers: { shop1: { role: "shop" } },
    });
    const registry = await host.ensemble.startRegistry();
    const killed = await host.start();
    const { pid } = await host.up("shop1");
    await killed.kill();
    await registry.kill();
    const supervisor = await host.start();
    await supervisor.logged(/cannot register yet/);
    // Many checks fail to find it by now.
    await host.ensemble.startRegistry();
    await supervisor.logged(/supervisor-t1 is in the registry/);
    const after = await host.up("shop1");
    assert.deepEqual(supervisor.matching(/health check/), []);
    assert.deepEqual([after.pid, after.restarts, after.adopted], [pid, 0, true]);
  },
});

testWith([LINUX], {
  name: "supervisor has each server once after it was killed again and again",
  fn: () =>
    withSeed(async (random) => {
      await using host = await SupervisedHost.with({
        registry: true,
        roles: { shop: { module: "WAITING", restart: "permanent" } },
        servers: { shop1: { role: "shop" }, shop2: { role: "shop", after: ["shop1"] } },
      });
      for (let run = 0; run < 3; run++) {
        const supervisor = host.ensemble.spawn("supervisor", "--id", SUPERVISOR);
        host.supervisor = supervisor;
        await supervisor.logged(/registry is/);
        await new Promise((resolve) => setTimeout(resolve, random.below(800)));
        await supervisor.kill();
      }
      await host.start();
      const pids = [];
      for (const id of ["registry", "shop1", "shop2"]) pids.push((await host.up(id)).pid!);
      assert.deepEqual(processesOf(host).sort(), pids.sort());
      assert.ok(pids.every(runs));
    }),
});

/** The first processes of the servers of a host. */
function processesOf(host: SupervisedHost): number[] {
  const mark = `GXENSEMBLE_SUPERVISED=${SUPERVISOR} `;
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      const marker = environment.find((each) => each.startsWith(mark));
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const session = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[3];
      const isOwn = marker?.includes(host.ensemble.places.gerbilPath) && session === name;
      return isOwn ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}
