import { PageClient } from "../e2e/page_client.ts";
import { RunningEnsemble } from "../e2e/running_ensemble.ts";
import assert from "node:assert/strict";

Deno.test("the observer says which server does not answer, and shows the others", async () => {
  await using ensemble = await RunningEnsemble.start();
  const stopped = await ensemble.startServer("stopped");
  await ensemble.startServer("other");
  const observer = ensemble.spawn("observer", "--listen", "127.0.0.1:0");
  await using page = await PageClient.open(await observer.printed("http://"));
  await page.until(() => page.servers.get("stopped")?.status, "its figures");
  stopped.signal("SIGSTOP");
  await page.until(() => page.servers.get("stopped")!.error, "that it does not answer");
  assert.match(page.servers.get("stopped")!.error!, /no answer/);
  const before = page.servers.get("other")!.status!.at;
  await page.until(() => page.servers.get("other")!.status!.at > before, "news of the other");
  stopped.signal("SIGCONT");
  await page.until(() => !page.servers.get("stopped")!.error, "that it answers again");
});
