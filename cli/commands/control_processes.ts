/**
 * The commands of `gxensemble control` for programs that operators run on hosts: `list-processes`,
 * `exec-process`, `kill-process`, `restart-process` and `get-process-output`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { isServerId } from "../../runtime/actor/references.ts";
import { EnsembleError, InvalidInputError } from "../../runtime/errors.ts";
import { parseDuration } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import type { KillSignal } from "../../supervisor/executions_protocol.ts";
import { collecting, completing, passOptionsThrough, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { printLine } from "../kit/output.ts";
import { controlCommand } from "../supervisor/control_options.ts";

/** The capability for programs. */
const EXECUTOR = "executor";

/** The signals that `--signal` takes, without SIG: those of the protocol, which loads late. */
const SIGNALS = ["TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"] as const;

/** The longest time that a program may run, in ms: a week. */
const MAX_RUN_TIME = 7 * 86_400_000;

/** Prints the programs that operators run. */
export function listProcessesCommand(): CommandUnknownOpts {
  return controlCommand("list-processes", "list the programs that operators run on a host")
    .addHelpText(
      "after",
      examples(["see what runs on all hosts", "gxensemble control list-processes --all"]),
    )
    .action(async (options) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { PROCESS_COLUMNS, processRow, processToJson } = await import(
        "../supervisor/remote_program.ts"
      );
      const { TablePrinter } = await import("../kit/table.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      const table = new TablePrinter([{ heading: "supervisor" }, ...PROCESS_COLUMNS]);
      await onSupervisors(options, {
        capability: EXECUTOR,
        async work(supervisor, { actors }) {
          return {
            supervisor,
            processes: await supervisorClient(actors, supervisor).listProcesses(),
          };
        },
        print: ({ supervisor, processes }) =>
          table.print(processes.map((process) => [supervisor, ...processRow(process)])),
        toJson: ({ processes }) => processes.map(processToJson),
      });
    });
}

/** Runs a program on a host. */
export function execProcessCommand(): CommandUnknownOpts {
  const command = controlCommand(
    "exec-process",
    "run a program on a host, without a terminal and without input",
  );
  return passOptionsThrough(command)
    .addOption(
      new Option("--detach", "leave it running, and print its name").default(false),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--name <name>", "its name, by default that of the program with a number")
          .argParser<string | undefined>(reading(parseName)),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option(
          "--directory <dir>",
          "where it runs on the host, by default in the directory of the ensemble's files",
        ),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--env <variable>", "sets a variable for it: NAME=value; may be repeated")
          .argParser<[string, string][] | undefined>(collecting(parseVariable)),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--limit <time>", "kills it after that time")
          .default<number | undefined>(undefined, "1h")
          .argParser<number | undefined>(reading((text) => parseDuration(text, MAX_RUN_TIME))),
      ),
    )
    .addArgument(completing("nothing", new Argument("<program>", "its name in PATH, or its path")))
    .addArgument(completing("nothing", new Argument("[args...]", "its arguments")))
    .addHelpText(
      "after",
      examples(
        [
          "see how full the disks of a host are",
          "gxensemble control exec-process --host web1 df -h",
        ],
        [
          "run an uploaded executable, and leave it running",
          "gxensemble control exec-process --detach --name migration migrate --all",
        ],
      ),
    )
    .action(async (program, args, options, command) => {
      const { detach, name, directory, env, limit, ...control } = options;
      const request = {
        program,
        args,
        ...name !== undefined && { name },
        ...directory !== undefined && { directory },
        ...env && { env: Object.fromEntries(env) },
        ...limit !== undefined && { timeout: limit },
      };
      const { onSupervisors, withControl } = await import("../supervisor/control_work.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      const { operatorName } = await import("../kit/administrator.ts");
      if (detach) {
        return await onSupervisors(control, {
          capability: EXECUTOR,
          work: (supervisor, { actors }) =>
            supervisorClient(actors, supervisor)
              .execute({ ...request, detached: true, by: operatorName() }),
          print: ({ name, pid }, label) => printLine(`${label}... ${name} runs (process ${pid})`),
          toJson: (started) => started,
        });
      }
      if (control.json) command.error("--json is not for the output of a program");
      if (control.all) {
        command.error("--all needs --detach: the outputs would run into one another");
      }
      await withControl(control, async (context) => {
        const { chosenIds } = await import("../supervisor/chosen_supervisors.ts");
        const { runRemotely } = await import("../supervisor/remote_program.ts");
        const [supervisor, second] = await chosenIds(context, control);
        if (second !== undefined) {
          throw new EnsembleError(
            "exec-process runs a program on one host; with --detach, it does so on several",
          );
        }
        Deno.exitCode = await context.administrator.elevating(
          supervisor!,
          EXECUTOR,
          () => runRemotely(context, supervisor!, request),
        );
      });
    });
}

function parseVariable(text: string): [string, string][] {
  const [, name, value] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [[name, value]];
  throw new InvalidInputError(`not NAME=value: ${quoted(text)}`);
}

const nameArgument = () =>
  completing(
    "nothing",
    new Argument("<name>", "the name that list-processes shows").argParser(reading(parseName)),
  );

/** Names of programs have the form of server ids. */
function parseName(text: string): string {
  if (isServerId(text)) return text;
  throw new InvalidInputError(`not a name such as backup-3: ${quoted(text)}`);
}

/** Sends a signal to a program. */
export function killProcessCommand(): CommandUnknownOpts {
  return controlCommand("kill-process", "send a signal to a program and its children")
    .addOption(
      new Option("--signal <signal>", "the signal").choices(SIGNALS).default("TERM" as const),
    )
    .addArgument(nameArgument())
    .addHelpText(
      "after",
      examples(["end a program", "gxensemble control kill-process --host web1 migration"]),
    )
    .action(async (name, { signal, ...options }) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { operatorName } = await import("../kit/administrator.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      const sent: KillSignal = `SIG${signal}`;
      await onSupervisors(options, {
        capability: EXECUTOR,
        async work(supervisor, { actors }) {
          const running = await supervisorClient(actors, supervisor)
            .killProcess({ name, signal: sent, by: operatorName() });
          if (!running) throw new EnsembleError(`${name} has ended already on ${supervisor}`);
          return { name, signal: sent };
        },
        print: ({ name }, label) => printLine(`${label}... sent ${sent} to ${name}`),
        toJson: (result) => result,
      });
    });
}

/** Runs a program again. */
export function restartProcessCommand(): CommandUnknownOpts {
  return controlCommand("restart-process", "end a detached program, and run it again")
    .addArgument(nameArgument())
    .addHelpText(
      "after",
      examples(["run it again", "gxensemble control restart-process --host web1 migration"]),
    )
    .action(async (name, options) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { operatorName } = await import("../kit/administrator.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      await onSupervisors(options, {
        capability: EXECUTOR,
        work: (supervisor, { actors }) =>
          supervisorClient(actors, supervisor)
            .restartProcess({ name, by: operatorName() }, { timeout: 30_000 }),
        print: ({ name, pid }, label) => printLine(`${label}... ${name} runs (process ${pid})`),
        toJson: (started) => started,
      });
    });
}

/** Prints what a program has written. */
export function getProcessOutputCommand(): CommandUnknownOpts {
  return controlCommand("get-process-output", "print what a detached program has written")
    .addOption(new Option("-f, --follow", "goes on until it ends").default(false))
    .addArgument(nameArgument())
    .addHelpText(
      "after",
      examples(["follow a program", "gxensemble control get-process-output -f migration"]),
    )
    .action(async (name, { follow, ...options }, command) => {
      if (options.json) command.error("--json is not for the output of a program");
      const { withControl } = await import("../supervisor/control_work.ts");
      await withControl(options, async (context) => {
        const { chosenIds } = await import("../supervisor/chosen_supervisors.ts");
        const { followOutput } = await import("../supervisor/remote_program.ts");
        const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
        for (const supervisor of await chosenIds(context, options)) {
          const client = supervisorClient(context.actors, supervisor);
          await context.administrator.elevating(
            supervisor,
            EXECUTOR,
            () => followOutput(client, { name, follow }),
          );
        }
      });
    });
}
