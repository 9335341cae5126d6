import assert from "node:assert/strict";
import { RunningEnsemble, WAITING } from "../e2e/running_ensemble.ts";
import { type Need, testWith } from "../requirements.ts";

/** The right to give a process and its children their own host name. */
const HOST_NAMES: Need = {
  name: "UTS namespaces",
  isMet() {
    try {
      return new Deno.Command("unshare", { args: ["--uts", "hostname", "other"] }).outputSync()
        .success;
    } catch {
      return false;
    }
  },
};

testWith([HOST_NAMES], {
  name: "servers are reached and shut down after their host was renamed",
  async fn() {
    await using ensemble = new RunningEnsemble();
    await ensemble.run("cookie");
    const file = await ensemble.write("main.ts", WAITING);
    const gxensemble = ensemble.places.program.map((word) => `'${word}'`).join(" ");
    // One shell for all, because the name belongs to its namespace and ends with it.
    const script = `
      until_ok() { until ${gxensemble} "$@"; do sleep 0.1; done }
      hostname before
      ${gxensemble} registry &
      until_ok ping registry >/dev/null 2>&1
      ${gxensemble} run a ${file} &
      until_ok ping a 2>/dev/null
      hostname after
      ${gxensemble} ping a && ${gxensemble} shutdown -f && wait`;
    const shell = ensemble.spawnProgram("unshare", "--uts", "sh", "-c", script);
    assert.equal(await shell.exit(), 0, shell.log.join("\n"));
    assert.deepEqual(shell.output, [
      "OK",
      "OK",
      "... shutting down a",
      "... shutting down registry",
    ]);
  },
});
