import assert from "node:assert/strict";
import { RunningEnsemble } from "./running_ensemble.ts";

Deno.test("each command runs as a process that prints its result, and exits by itself", async () => {
  await using ensemble = await RunningEnsemble.start();
  const { places } = ensemble;
  const server = await ensemble.startServer("a", ["--roles", "web"]);
  const module = await ensemble.write("module.ts", "export const loaded: number = 7;");
  const lines = async (...args: string[]) => {
    const { code, stdout, stderr } = await places.runProcess(...args);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" }, args.join(" "));
    return stdout.split("\n").slice(0, -1);
  };
  const at = (id: string) => `(unix: "${Deno.hostname()}" "${ensemble.socket(id)}")`;
  const looking: [args: string[], printed: string[]][] = [
    [["ping", "a"], ["OK"]],
    [["lookup", "a"], [`(a ${at("a")})`]],
    [["list-servers"], [`(a (web) ${at("a")})`, `(registry () ${at("registry")})`]],
    [["list-actors", "a"], ["loader", "observer", "registration", "server"]],
    [["eval", "a", "6 * 7"], ["42"]],
    [["authorize", "--list", "a"], []],
  ];
  await Promise.all(looking.map(async ([args, printed]) => {
    assert.deepEqual(await lines(...args), printed);
  }));
  assert.deepEqual(await lines("list-connections", "a"), [`(registry ${at("registry")})`]);
  assert.match((await lines("load", "a", module))[0]!, /^\.\.\. loading code object file /);
  const failed = await places.runProcess("ping", "nosuch");
  assert.deepEqual(failed, {
    code: 1,
    stdout: "",
    stderr: "gxensemble: error: cannot reach nosuch: no server nosuch is registered\n",
  });
  assert.equal((await places.runProcess("ping", "a", "b", "c")).code, 2);
  assert.equal((await places.runProcess("shutdown", "-f")).code, 0);
  assert.equal(await server.exit(), 0);
});
