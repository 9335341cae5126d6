import assert from "node:assert/strict";
import { PASSPHRASE } from "../cheap_passphrase.ts";
import { installAdministrator } from "../e2e/administrator.ts";
import { cookieOf, exists, on, otherHost, startSupervisor } from "../e2e/rotating_hosts.ts";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";
import { SEALING_PROGRAM } from "../tested_program.ts";

Deno.test("cookie --rotate goes on after it was killed at each step", async () => {
  await using ensemble = await RunningEnsemble.start();
  const there = await otherHost(ensemble, "there");
  await ensemble.startServer("web1");
  await on(ensemble, there, () => startSupervisor(ensemble, "supervisor-there"));
  // One whose files are those of the command.
  await startSupervisor(ensemble, "supervisor-here");
  const steps = [
    "... made ",
    "... the host of supervisor-there accepts both",
    "... web1 accepts both",
    "... the host of supervisor-here uses the new one",
    "... the host of supervisor-there uses the new one",
    "... registry accepts the new one only",
    "... web1 accepts the new one only",
  ];
  for (const step of steps) {
    const old = cookieOf(ensemble.places.gerbilPath);
    const cut = ensemble.spawn("cookie", "--rotate");
    await cut.printed(step);
    await cut.kill();
    // Whatever state it is in, all servers are reachable with the files of both hosts.
    await ensemble.lines("ping", "web1");
    await on(ensemble, there, () => ensemble.lines("ping", "web1"));
    // It may have been killed after it was done.
    const isDone = !await exists(`${ensemble.places.cookiePath}.next`);
    if (!isDone) await ensemble.lines("cookie", "--rotate");
    const now = cookieOf(ensemble.places.gerbilPath);
    assert.notDeepEqual(now, old, step);
    assert.deepEqual(cookieOf(there), now, step);
    assert.equal(await exists(`${there}/ensemble/cookie.next`), false, step);
    assert.equal(await exists(`${ensemble.places.cookiePath}.next`), false, step);
  }
});

Deno.test("admin --rotate goes on from each state that it may leave", async () => {
  await using ensemble = new RunningEnsemble();
  await ensemble.lines("cookie");
  const { right } = await installAdministrator(ensemble);
  await ensemble.startRegistry();
  await ensemble.startServer("web1");
  const next = await ensemble.write("next", `${PASSPHRASE}\n`, { mode: 0o600 });
  ensemble.places.program = SEALING_PROGRAM;
  const args = ["admin", "--rotate", ...right, "--new-passphrase-file", next];
  for (const step of ["... made ", "... web1 accepts both", "... web1 accepts the new one only"]) {
    const cut = ensemble.spawn(...args);
    await cut.printed(step);
    await cut.kill();
    await ensemble.lines(...args);
    for (const name of ["admin.pub.next", "admin.priv.next"]) {
      assert.equal(await exists(`${ensemble.places.gerbilPath}/ensemble/${name}`), false, step);
    }
    await ensemble.lines("eval", ...right, "web1", "1 + 1");
  }
});
