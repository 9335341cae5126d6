/**
 * The commands of `gxensemble control` for configurations: `get-server-config`,
 * `update-server-config`, `get-ensemble-config` and `update-ensemble-config`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { forceOption, readOperand } from "../kit/options.ts";
import { printJson, printText } from "../kit/output.ts";
import { controlCommand, supervisedArgument } from "../supervisor/control_options.ts";

/** Prints the configuration of a server. */
export function getServerConfigCommand(): CommandUnknownOpts {
  return controlCommand("get-server-config", "print what a server is started with, complete")
    .addArgument(supervisedArgument())
    .addHelpText(
      "after",
      examples(["see all that applies to a server", "gxensemble control get-server-config web-1"]),
    )
    .action(async (id, options) => {
      const { withControl } = await import("../supervisor/control_work.ts");
      await withControl(options, async (context) => {
        const { selectServers, SUPERVISOR } = await import("../supervisor/chosen_supervisors.ts");
        const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
        for (const { supervisor } of await selectServers(context, { ...options, ids: [id] })) {
          const text = await context.administrator.elevating(
            supervisor,
            SUPERVISOR,
            () => supervisorClient(context.actors, supervisor).serverConfiguration({ id }),
          );
          printJson(JSON.parse(text));
        }
      });
    });
}

/** Changes own fields of a server. */
export function updateServerConfigCommand(): CommandUnknownOpts {
  return addChangeOptions(
    controlCommand("update-server-config", "change fields of a server in its supervisor's file"),
  )
    .addArgument(supervisedArgument())
    .addArgument(
      completing(
        "nothing",
        new Argument(
          "<changes...>",
          "field=value, with a value in JSON or a text; field= removes the field",
        ),
      ),
    )
    .addHelpText(
      "after",
      examples(
        [
          "see what other arguments would change",
          `gxensemble control update-server-config --dry-run web-1 args='["8081"]'`,
        ],
        [
          "go back to the limit of its role",
          "gxensemble control update-server-config web-1 memoryLimit=",
        ],
      ),
    )
    .action(async (id, texts, options, command) => {
      const { parseFieldChange } = await import("../supervisor/field_changes.ts");
      const changes = texts.map((text) => readOperand(() => parseFieldChange(text), command));
      const { withControl } = await import("../supervisor/control_work.ts");
      await withControl(options, async (context) => {
        const { selectServers } = await import("../supervisor/chosen_supervisors.ts");
        const { updateConfigurations } = await import("../supervisor/configuration_update.ts");
        const { changeServer } = await import("../../supervisor/configuration/editing.ts");
        const servers = await selectServers(context, { ...options, ids: [id] });
        await updateConfigurations(context, servers.map(({ supervisor }) => supervisor), {
          ...options,
          name: `${id} with ${texts.join(" ")}`,
          change: (text) => changeServer(text, { id, changes }),
        });
      });
    });
}

/** Prints the configuration of a host. */
export function getEnsembleConfigCommand(): CommandUnknownOpts {
  return controlCommand("get-ensemble-config", "print the configuration file of a supervisor")
    .addHelpText(
      "after",
      examples([
        "save it, to change it",
        "gxensemble control get-ensemble-config --host web1 > ensemble.jsonc",
      ]),
    )
    .action(async (options, command) => {
      const { onSupervisors } = await import("../supervisor/control_work.ts");
      const { supervisorClient } = await import("../../supervisor/supervisor_protocol.ts");
      if (options.all && !options.json) {
        command.error("--all needs --json, since the files would run into one another");
      }
      await onSupervisors(options, {
        work: (supervisor, { actors }) => supervisorClient(actors, supervisor).configuration(),
        print: ({ text }) => printText(text),
        toJson: (file) => file,
      });
    });
}

/** Replaces the configuration of hosts. */
export function updateEnsembleConfigCommand(): CommandUnknownOpts {
  return addChangeOptions(
    controlCommand("update-ensemble-config", "replace the configuration file of a supervisor"),
  )
    .addArgument(
      completing("files", new Argument("<file>", "the new configuration; - for standard input")),
    )
    .addHelpText(
      "after",
      examples(
        [
          "see what a new configuration changes, starts, stops and restarts",
          "gxensemble control update-ensemble-config --dry-run --all ensemble.jsonc",
        ],
        ["put it into effect", "gxensemble control update-ensemble-config --all ensemble.jsonc"],
      ),
    )
    .action(async (file, options) => {
      const { withControl } = await import("../supervisor/control_work.ts");
      const { readStandardInput, readTextFile } = await import("../kit/input.ts");
      const text = file === "-" ? await readStandardInput() : await readTextFile(file);
      await withControl(options, async (context) => {
        const { chosenIds } = await import("../supervisor/chosen_supervisors.ts");
        const { updateConfigurations } = await import("../supervisor/configuration_update.ts");
        await updateConfigurations(context, await chosenIds(context, options), {
          ...options,
          name: file === "-" ? "standard input" : file,
          change: () => text,
        });
      });
    });
}

function addChangeOptions(command: ReturnType<typeof controlCommand>) {
  return command
    .addOption(
      new Option("--dry-run", "only shows what it would change, start, stop and restart")
        .default(false),
    )
    .addOption(forceOption("do not ask for confirmation"));
}
