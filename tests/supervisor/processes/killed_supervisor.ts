/**
 * A supervisor that the tests kill. It runs servers `a` to `e` in the directory of a
 * `TestSupervisor`, and starts, stops and restarts them all the time.
 *
 * Each server creates a directory while it runs. If there is one already, it notes a double start.
 *
 * @module
 */
import type { ServerPlan } from "../../../supervisor/processes/server_plan.ts";
import { ProcTable } from "../../../supervisor/processes/process_table.ts";
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

/** The moments at which it kills itself. */
export const MOMENTS = [
  "before a start",
  "after a start",
  "before it takes servers over",
  "while a server stops",
] as const;

function killSelf(): void {
  Deno.kill(Deno.pid, "SIGKILL");
}

if (import.meta.main) {
  const [directory, moment] = Deno.args;
  console.log("begins");
  const table = new ProcTable();
  const processes = await SupervisedProcesses.open({
    id: "supervisor-test",
    directory: `${directory}/supervisor-test`,
    outputDirectory: (id) => `${directory}/${id}`,
    onChange({ state }) {
      if (moment === "while a server stops" && state === "stopping") killSelf();
    },
    table: {
      find(pids) {
        // A process is looked for when it has just been started.
        if (moment === "after a start" && pids.length > 0) killSelf();
        return table.find(pids);
      },
      all: () => table.all(),
      variable: (pid, name) => table.variable(pid, name),
    },
  });
  if (moment === "before it takes servers over") killSelf();
  const plans = plansIn(directory!);
  processes.configure(plans.map((plan) => ({
    ...plan,
    launch() {
      if (moment === "before a start" && plan.id === "c") killSelf();
      return plan.launch();
    },
  })));
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
