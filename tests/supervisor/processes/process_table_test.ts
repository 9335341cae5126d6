import assert from "node:assert/strict";
import {
  membersOf,
  type ProcessTable,
  ProcTable,
  PsTable,
} from "../../../supervisor/processes/process_table.ts";
import { LINUX, testWith } from "../../requirements.ts";

for (
  const [name, makeTable] of [["ProcTable", () => new ProcTable()], [
    "PsTable",
    () => new PsTable(),
  ]] as const
) {
  testWith(name === "ProcTable" ? [LINUX] : ["ps"], {
    name: `${name} finds a process with its group, until it ends`,
    async fn() {
      const table: ProcessTable = makeTable();
      const child = new Deno.Command("sleep", { args: ["60"], detached: true }).spawn();
      const find = async () => (await table.find([child.pid])).get(child.pid)!;
      const { pid, group, startTime } = await find();
      assert.deepEqual([pid, group], [child.pid, child.pid]);
      // It has none before its program runs.
      while ((await find()).rss < 10_000) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.ok((await find()).rss < 100_000_000);
      assert.equal((await find()).startTime, startTime);
      assert.deepEqual(
        membersOf(child.pid, await table.all()).map(({ pid }) => pid),
        [child.pid],
      );
      child.kill("SIGKILL");
      await child.status;
      assert.equal((await table.find([child.pid])).size, 0);
      assert.equal((await table.find([])).size, 0);
    },
  });
}

testWith([LINUX], {
  name: "ProcTable counts a process as ended that its parent does not reap",
  async fn() {
    const child = new Deno.Command("sh", {
      args: ["-c", "sleep 0.3 & echo $!; exec sleep 60"],
      stdout: "piped",
    }).spawn();
    const { value } = await child.stdout.getReader().read();
    const pid = Number(new TextDecoder().decode(value));
    const table = new ProcTable();
    const stat = () => Deno.readTextFileSync(`/proc/${pid}/stat`);
    while (!/\) Z /.test(stat())) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal((await table.find([pid])).size, 0);
    child.kill("SIGKILL");
    await child.status;
    await child.stdout.cancel().catch(() => {});
  },
});

testWith([LINUX], {
  name: "ProcTable reads the variable that a process was started with",
  async fn() {
    const child = new Deno.Command("sleep", { args: ["60"], env: { COLOR: "two words" } }).spawn();
    const table = new ProcTable();
    assert.equal(await table.variable(child.pid, "COLOR"), "two words");
    assert.equal(await table.variable(child.pid, "COLO"), undefined);
    child.kill("SIGKILL");
    await child.status;
    assert.equal(await table.variable(child.pid, "COLOR"), undefined);
  },
});
