import assert from "node:assert/strict";
import { unpackTar } from "npm:modern-tar@^0.8.6";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { installAdministrator } from "./administrator.ts";
import { RunningEnsemble } from "./running_ensemble.ts";

Deno.test("doctor says that all is well, and then what is not", async () => {
  await using ensemble = await RunningEnsemble.start();
  const a = await ensemble.startServer("a", ["--roles", "web"]);
  const well = await ensemble.run("doctor");
  assert.equal(well.code, 0, well.stdout + well.stderr);
  assert.match(well.stdout, /^ok {7}servers: all 2 answer, the registry included$/m);
  assert.match(well.stderr, /^\.\.\. \d+ checks passed, \d warnings?, 0 failures$/m);
  a.signal("SIGSTOP");
  const stopped = await ensemble.run("doctor", "--timeout", "1", "--json");
  a.signal("SIGCONT");
  assert.equal(stopped.code, 1);
  const findings: { severity: string; check: string; message: string }[] = JSON.parse(
    stopped.stdout,
  );
  const failures = findings.filter(({ severity }) => severity === "failure");
  assert.deepEqual(failures.map(({ check }) => check), ["server a"]);
  assert.match(failures[0]!.message, new RegExp(`pid ${a.pid} .* is stopped: continue it with`));
  assert.match(stopped.stderr, /error: \d+ checks passed, \d warnings?, 1 failure$/m);
});

Deno.test("doctor checks the host where no registry answers", async () => {
  await using ensemble = new RunningEnsemble();
  const { code, stdout, stderr } = await ensemble.run("doctor");
  assert.equal(code, 1, stderr);
  assert.match(
    stdout,
    /^FAILURE {2}state directory: there is no .*\n +make it with "gxensemble cookie"/m,
  );
  await ensemble.run("cookie");
  const { stdout: later } = await ensemble.run("doctor");
  assert.match(later, /^ok {7}cookie: /m);
  assert.match(later, /^FAILURE {2}registry: .*gxensemble registry/m);
});

Deno.test("doctor --bundle writes an archive without secrets, which only its user can read", async () => {
  await using ensemble = new RunningEnsemble();
  const { right } = await installAdministrator(ensemble);
  await ensemble.run("cookie");
  await ensemble.startRegistry();
  ensemble.places.environment.API_TOKEN = "token-in-the-environment";
  await ensemble.startServer(
    "a",
    [],
    `
      import { currentServer } from "@gxensemble/ensemble";
      import { getLogger } from "npm:@logtape/logtape@^2.4.2";
      export const main = () => {
        getLogger(["shop"]).warn("logged in with password-in-the-log");
        return currentServer().stopped;
      };
    `,
  );
  const path = `${ensemble.places.directory}/report.tar.gz`;
  const { code, stderr } = await ensemble.run("doctor", ...right, "--bundle", path);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /wrote .*report\.tar\.gz: it has no secrets/);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  const archive = new Blob([await Deno.readFile(path)]).stream();
  const entries = await unpackTar(archive.pipeThrough(new DecompressionStream("gzip")));
  const files = new Map(
    entries.map(({ header, data }) => [header.name, new TextDecoder().decode(data)]),
  );
  assert.deepEqual([...files.keys()].toSorted(), [
    ...["files", "findings", "host"].map((name) => `gxensemble-report/${name}.json`),
    ...["a", "registry"].map((id) => `gxensemble-report/logs/${id}.jsonl`),
    "gxensemble-report/servers.json",
  ]);
  const all = [...files.values()].join("\n");
  assert.match(files.get("gxensemble-report/logs/a.jsonl")!, /is in the registry/);
  const state = `${ensemble.places.gerbilPath}/ensemble`;
  const cookie = await Deno.readFile(ensemble.places.cookiePath);
  const secrets = [
    ...["token-in-the-environment", "password-in-the-log", PASSPHRASE, "PRIVATE KEY"],
    ...[cookie.toHex(), cookie.toBase64(), new TextDecoder().decode(cookie)],
    ...(await Deno.readTextFile(`${state}/admin.priv`)).split("\n").slice(1, 3),
  ];
  for (const secret of secrets) assert.ok(!all.includes(secret), secret);
  const again = await ensemble.run("doctor", ...right, "--bundle", path);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /exists already: name another file/);
});
