import assert from "node:assert/strict";
import { shownConfiguration } from "../../../supervisor/configuration/shown_configuration.ts";
import { ConfigurationDirectory } from "./configuration_directory.ts";

Deno.test("shownConfiguration reads as a file that means the same", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration, problems } = await directory.read({
    registry: {
      host: ["host1", "host2"],
      store: "etcd://127.0.0.1:2379/e",
      lease: "20s",
      listen: ["tcp://127.0.0.1:4000"],
    },
    roles: {
      shop: {
        module: "svc.ts",
        args: ["$${a}", "${X}"],
        env: { A: "1", KEY: { file: "secret.txt" } },
        envFiles: ["vars"],
        listen: ["tcp://127.0.0.1:0"],
        announce: [],
        http: 9100,
        health: { expression: "`$${1}` === '1'" },
        memoryLimit: "1.5GiB",
        grace: "1.5s",
        capabilities: { given: { deployer: ["admin"] }, granted: { tool1: ["loader"] } },
        registry: ["tcp://127.0.0.1:4000"],
        log: { file: "a.log", level: "error" },
      },
      any: {},
      plain: { executable: "tool", plain: true },
    },
    servers: {
      shop1: { role: "shop", host: "host1" },
      tool1: { role: "any", executable: "tool", enabled: false, host: "host1", health: true },
      plain1: { role: "plain", after: ["shop1"], host: "host1", stop: { signal: "SIGINT" } },
    },
    workers: [{ role: "plain", prefix: "w", count: 2, host: "host2" }],
    supervisor: { http: "9200", executor: true, uploads: { directory: "up", limit: "3MB" } },
  }, { X: "${Y}" });
  assert.deepEqual(problems, []);
  const shown = shownConfiguration(configuration!);
  const again = await directory.read(shown);
  assert.deepEqual(again.problems, []);
  assert.deepEqual(again.configuration, { ...configuration, workers: [] });
});

Deno.test("shownConfiguration has no secret", async () => {
  using directory = new ConfigurationDirectory();
  const { configuration } = await directory.read({
    roles: { shop: { module: "svc.ts", env: { KEY: { file: "secret.txt" } }, envFiles: ["vars"] } },
    servers: { shop1: { role: "shop" } },
  });
  const shown = JSON.stringify(shownConfiguration(configuration!));
  assert.doesNotMatch(shown, /s3cret|REGION/);
  assert.match(shown, /"KEY":\{"file":"\/[^"]*\/secret.txt"\}/);
});
