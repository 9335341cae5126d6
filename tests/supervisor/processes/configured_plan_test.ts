import assert from "node:assert/strict";
import { processesOn } from "../../../supervisor/configuration/configuration.ts";
import { configuredPlan } from "../../../supervisor/processes/configured_plan.ts";
import { ConfigurationDirectory } from "../configuration/configuration_directory.ts";
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";

const CONFIGURATION = {
  registry: true,
  roles: {
    shop: { module: "svc.ts", after: ["db"], env: { COLOR: "red" }, health: { ping: true } },
    db: { executable: "tool", plain: true, args: ["-v"] },
  },
  servers: { shop1: { role: "shop" }, db: { role: "db" } },
};

Deno.test("configuredPlan says how each process is run and kept", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read(CONFIGURATION);
  assert.deepEqual(problems, []);
  const plans = processesOn(configuration!, "host1").map((process) =>
    configuredPlan(process, {
      gxensemble: ["gx"],
      environment: { COLOR: "blue", SIZE: "1" },
      after: ["registry"],
    })
  );
  const [registry, shop, db] = plans as [ServerPlan, ServerPlan, ServerPlan];
  assert.deepEqual(plans.map(({ id, after }) => [id, ...after]), [
    ["registry"],
    ["shop1", "registry", "db"],
    ["db", "registry"],
  ]);
  assert.deepEqual(await shop.launch(), {
    command: ["gx", "run", "--roles", "(shop)", "shop1", `${directory.path}/svc.ts`],
    environment: { COLOR: "red", SIZE: "1" },
  });
  assert.deepEqual((await registry.launch()).command.slice(0, 2), ["gx", "registry"]);
  assert.deepEqual((await db.launch()).command, [`${directory.path}/tool`, "-v"]);
  assert.deepEqual(plans.map(({ announcesUp }) => announcesUp), [true, true, false]);
  assert.deepEqual(plans.map(({ finalCodes }) => finalCodes), [[2], [2], []]);
  assert.ok(shop.health);
  assert.equal(db.health, undefined);
  assert.notEqual(shop.hash, db.hash);
});
