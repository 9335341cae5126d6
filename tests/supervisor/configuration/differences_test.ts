import assert from "node:assert/strict";
import type { Configuration } from "../../../supervisor/configuration/configuration.ts";
import {
  configurationDifferences,
  configurationHash,
} from "../../../supervisor/configuration/differences.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";

const ROLES = { shop: { module: "svc.ts", env: { A: "1" } } };

async function differences(earlier: object, later: object) {
  using directory = new ConfigurationDirectory();
  const read = async (text: object): Promise<Configuration> => {
    const { configuration, problems } = await directory.read({ roles: ROLES, ...text });
    return configuration ?? assert.fail(JSON.stringify(problems));
  };
  return configurationDifferences(await read(earlier), {
    configuration: await read(later),
    host: "host1",
  });
}

const NONE = { started: [], stopped: [], restarted: [], changed: [], supervisor: [] };

Deno.test("configurationDifferences finds none between equal configurations in another notation", async () => {
  const earlier = { servers: { a: { role: "shop", grace: "90s", env: { B: "2", A: "1" } } } };
  const later = { servers: { a: { env: { B: "2" }, grace: 90, role: "shop" } } };
  assert.deepEqual(await differences(earlier, later), NONE);
});

Deno.test("configurationDifferences starts and stops what comes, goes, moves and is turned off", async () => {
  const shop = { role: "shop" };
  assert.deepEqual(
    await differences(
      {
        servers: {
          gone: shop,
          moved: { ...shop, host: "host1" },
          off: { ...shop, host: "host1" },
          on: { ...shop, enabled: false, host: "host1" },
          elsewhere: { ...shop, host: "host2" },
        },
        workers: [{ role: "shop", prefix: "w", count: 3 }],
      },
      {
        registry: true,
        servers: {
          moved: { ...shop, host: "host2" },
          off: { ...shop, enabled: false, host: "host1" },
          on: { ...shop, host: "host1" },
          elsewhere: { ...shop, host: "host2", args: ["new"] },
          idle: { ...shop, enabled: false, host: "host1" },
        },
        workers: [{ role: "shop", prefix: "w", count: 1 }],
      },
    ),
    {
      ...NONE,
      started: ["registry", "on"],
      stopped: ["gone", "moved", "off", "w-1", "w-2"],
    },
  );
});

Deno.test("configurationDifferences restarts what is started with other fields, and names them", async () => {
  assert.deepEqual(
    await differences(
      { servers: { a: { role: "shop" }, b: { role: "shop" }, c: { role: "shop" } } },
      {
        servers: {
          a: { role: "shop", args: ["1"], env: { A: "2", B: "1" }, grace: "6s" },
          b: { role: "shop", executable: "tool" },
          c: { role: "shop", restart: "temporary", memoryLimit: "1GiB", after: ["a"] },
        },
        supervisor: { executor: true, uploads: { limit: "2GiB" } },
      },
    ),
    {
      ...NONE,
      restarted: [
        { id: "a", fields: ["env.A", "env.B", "stop.killAfter", "args", "grace"] },
        { id: "b", fields: ["executable"] },
      ],
      changed: [{ id: "c", fields: ["restart.policy", "memoryLimit", "after"] }],
      supervisor: ["executor", "uploads.limit"],
    },
  );
});

Deno.test("configurationHash is the same in any order of fields, and ignores what needs no restart", async () => {
  using directory = new ConfigurationDirectory();
  const hash = async (server: object) => {
    const { configuration } = await directory.read({ roles: ROLES, servers: { a: server } });
    return configurationHash(configuration!.servers[0]!);
  };
  const first = await hash({ role: "shop", env: { B: "1", C: "2" } });
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await hash({ env: { C: "2", B: "1" }, role: "shop", restart: "temporary" }), first);
  assert.notEqual(await hash({ role: "shop", env: { B: "1", C: "3" } }), first);
});
