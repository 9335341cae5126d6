/**
 * `gxensemble watch`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { REGISTRY_ID } from "../../runtime/actor/references.ts";
import { hasReader } from "../../runtime/home/standard_stream.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  type ClientOptions,
  jsonOption,
  logOption,
  ofGroupOption,
  ofRoleOption,
  type OutputOptions,
  registryOption,
  timeoutOption,
} from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

interface WatchOptions extends ClientOptions, OutputOptions {
  /** Only servers with this role. */
  role?: string | undefined;
  /** Only servers with members of this group. */
  group?: string | undefined;
  /** The shell command for each change. */
  exec?: string | undefined;
}

/** Prints the registered servers, and then each change of them. */
export function watchCommand(): CommandUnknownOpts {
  return new Command("watch")
    .description("prints the registered servers, and then each change of them, until it is stopped")
    .addOption(ofRoleOption())
    .addOption(ofGroupOption())
    .addOption(
      completing(
        "nothing",
        new Option(
          "--exec <command>",
          "shell command to run for each of them, one after the other, with ENSEMBLE_CHANGE, " +
            "ENSEMBLE_SERVER, ENSEMBLE_ROLES, ENSEMBLE_STATE and ENSEMBLE_ADDRESSES in its " +
            "environment and the JSON on its standard input",
        ),
      ),
    )
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption("prints each as a line of JSON"))
    .addOption(logOption("warning"))
    .addHelpText(
      "after",
      examples(
        ["follow all servers", "gxensemble watch"],
        ["follow the web servers, for a program", "gxensemble watch --role httpd --json"],
        [
          "reload a proxy whenever a web server comes or goes",
          "gxensemble watch --role httpd --exec 'systemctl reload nginx'",
        ],
      ),
    )
    .action(watch);
}

async function watch(options: WatchOptions): Promise<void> {
  const { withConsole } = await import("../kit/console.ts");
  const { registryClient } = await import("../../runtime/server/registry_protocol.ts");
  const { changeToJson, formatChange } = await import("../kit/listing.ts");
  const { runForChange } = await import("../kit/change_command.ts");
  const { role, group, exec } = options;
  await withConsole(options, async (actors, console) => {
    // At first a registry that is not there is an error, as for other commands.
    await registryClient(actors).lookup({ id: REGISTRY_ID });
    const changes = console.view.watch({ role, group }, {
      onAway: (reason) => printNotice(`the registry was lost; waiting for it: ${reason}`),
      onBack: () => printNotice("the registry is back"),
    });
    for await (const change of changes) {
      if (options.json) printJson(changeToJson(change), { oneLine: true });
      else printLine(formatChange(change));
      if (!hasReader()) return;
      if (exec !== undefined) await runForChange(exec, change);
    }
  });
}
