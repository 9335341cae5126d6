/**
 * The command tree of `gxensemble`. Each file of `cli/commands` contains one command: declaration,
 * examples, completion and action.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { adminCommand } from "./commands/admin.ts";
import { authorizeCommand, retractCommand } from "./commands/authorize.ts";
import { caCommand } from "./commands/ca.ts";
import { callCommand, tellCommand } from "./commands/call.ts";
import { compileCommand } from "./commands/compile.ts";
import { completeCommand, completionsCommand } from "./commands/completions.ts";
import { configCommand } from "./commands/config.ts";
import { controlCommandTree } from "./commands/control.ts";
import { cookieCommand } from "./commands/cookie.ts";
import { devCommand } from "./commands/dev.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { drainCommand, undrainCommand } from "./commands/drain.ts";
import { envCommand } from "./commands/env.ts";
import { evalCommand } from "./commands/eval.ts";
import { forgetCommand } from "./commands/forget.ts";
import { listGroupsCommand, publishCommand } from "./commands/groups.ts";
import { helpCommand } from "./commands/help.ts";
import {
  listActorsCommand,
  listConnectionsCommand,
  listServersCommand,
  lookupCommand,
} from "./commands/list.ts";
import { loadCommand } from "./commands/load.ts";
import { logLevelCommand } from "./commands/log_level.ts";
import { logsCommand } from "./commands/logs.ts";
import { observerCommand } from "./commands/observer.ts";
import { packageCommand } from "./commands/package.ts";
import { pingCommand } from "./commands/ping.ts";
import { profileCommand } from "./commands/profile.ts";
import { registryCommand } from "./commands/registry.ts";
import { replCommand } from "./commands/repl.ts";
import { runCommand } from "./commands/run.ts";
import { shutdownCommand } from "./commands/shutdown.ts";
import { statusCommand } from "./commands/status.ts";
import { supervisorCommand } from "./commands/supervisor.ts";
import { topCommand } from "./commands/top.ts";
import { traceCommand } from "./commands/trace.ts";
import { unpackCommand } from "./commands/unpack.ts";
import { watchCommand } from "./commands/watch.ts";
import { formatVersion } from "./kit/build.ts";
import { asRoot } from "./kit/command_line.ts";

/** Creates the tree, in the order of the help. */
export function commandTree(): CommandUnknownOpts {
  const root = new Command("gxensemble").description("the Actor Ensemble Manager")
    .enablePositionalOptions();
  const commands = [
    runCommand(),
    registryCommand("gxensemble registry"),
    supervisorCommand(),
    devCommand(),
    loadCommand(),
    compileCommand(),
    evalCommand(),
    replCommand(),
    callCommand(),
    tellCommand(),
    publishCommand(),
    pingCommand(),
    shutdownCommand(),
    drainCommand(),
    undrainCommand(),
    listServersCommand(),
    listActorsCommand(),
    listConnectionsCommand(),
    listGroupsCommand(),
    lookupCommand(),
    statusCommand(),
    topCommand(),
    watchCommand(),
    logsCommand(),
    logLevelCommand(),
    traceCommand(),
    profileCommand(),
    observerCommand(),
    doctorCommand(),
    forgetCommand(),
    authorizeCommand(),
    retractCommand(),
    cookieCommand(),
    adminCommand(),
    caCommand(),
    packageCommand(),
    unpackCommand(),
    envCommand(),
    configCommand(),
    controlCommandTree(),
    completionsCommand(),
    helpCommand(),
  ];
  for (const command of commands) root.addCommand(command);
  root.addCommand(completeCommand(), { hidden: true });
  return asRoot(root, formatVersion("gxensemble"));
}
