import assert from "node:assert/strict";
import { stopServer } from "../../cli/stop_server.ts";
import { DisconnectedError } from "../../runtime/errors.ts";
import { FakeTime, LinkedSystems } from "../runtime/actor/linked_systems.ts";

Deno.test("stopServer says what it waits for once it has waited for a while", async () => {
  using time = new FakeTime();
  const systems = new LinkedSystems();
  const [near, far] = [systems.start("near"), systems.start("far")];
  far.serve("server", {
    shutdown: () => ({ grace: 57_500 }),
    monitor: () => {},
    demonitor: () => {},
  });
  const printed: string[] = [];
  let gone = false;
  const stopped = stopServer(near, far.id, { print: (line) => printed.push(line) })
    .then(() => gone = true);
  await time.pass(4_999);
  assert.deepEqual(printed, []);
  await time.pass(20_000);
  assert.deepEqual(printed, ["far is stopping: its actors have up to 57.5 s to shut down"]);
  assert.equal(gone, false);
  near.disconnected(far.id, new DisconnectedError("far has stopped"));
  await stopped;
  far.kill("server");
});
