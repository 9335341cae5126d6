/**
 * A supervisor that the tests kill. It runs servers `a` to `e` in the directory of a
 * `TestSupervisor`, and starts, stops and restarts them all the time.
 *
 * Each server creates a directory while it runs. If there is one already, it notes a double start.
 *
 * @module
 */
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";
import { SupervisedProcesses } from "../../../supervisor/processes/supervised_processes.ts";
import { planOf } from "./supervised_programs.ts";

/** The plans of its servers. `e` starts after `a`. */
export function plansIn(directory: string): ServerPlan[] {
  return ["a", "b", "c", "d", "e"].map((id) =>
    planOf(
      id,
      `trap 'rmdir running-${id}; exit 0' TERM
       mkdir running-${id} || echo ${id} >>doubles
       while :; do sleep 0.01; done`,
      { workingDirectory: directory, after: id === "e" ? ["a"] : [] },
    )
  );
}

if (import.meta.main) {
  const [directory] = Deno.args;
  console.log("begins");
  const processes = await SupervisedProcesses.open({
    id: "supervisor-test",
    directory: `${directory}/supervisor-test`,
    outputDirectory: (id) => `${directory}/${id}`,
  });
  processes.configure(plansIn(directory!));
  const by = "me@host1";
  while (true) {
    await processes.whenUp("b");
    processes.restart("b", { by });
    processes.stop("c", { by });
    await processes.whenStopped("c");
    processes.start("c");
    await processes.whenUp("e");
    processes.restart("a", { by });
  }
}
