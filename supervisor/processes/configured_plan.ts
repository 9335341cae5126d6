/**
 * The plan of a process in the configuration of a host.
 *
 * @module
 */
import type { RegistryConfiguration, ServerConfiguration } from "../configuration/configuration.ts";
import { configurationHash } from "../configuration/differences.ts";
import { processCommand } from "../configuration/process_command.ts";
import { processEnvironment } from "../configuration/process_environment.ts";
import type { Addition, ServerPlan } from "./server_plan.ts";

/** The exit code of this program for a wrong command line. Another start would find the same. */
const WRONG_COMMAND_LINE = 2;

/** What a plan depends on besides the configuration of the process. */
export interface ConfiguredPlanOptions {
  /** The command line that starts this program: `["/usr/bin/gxensemble"]`. */
  readonly gxensemble: readonly string[];
  /** Environment variables of all processes, which those of the configuration replace. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Ids of servers that it starts after, besides those of its configuration: the registry. */
  readonly after?: readonly string[] | undefined;
  /** Set for a server that an operator added. */
  readonly addition?: Addition | undefined;
}

/**
 * Makes the plan of a process. Its variables and secrets are read at each start.
 *
 * A program that is no server of the ensemble counts as up while it runs.
 */
export function configuredPlan(
  process: ServerConfiguration | RegistryConfiguration,
  { gxensemble, environment = {}, after = [], addition }: ConfiguredPlanOptions,
): ServerPlan {
  const { id, enabled, restart, start, stop, memoryLimit, workingDirectory, user } = process;
  const isServer = !("program" in process) || process.program.kind !== "plain";
  return {
    ...{ id, enabled, restart, start, stop, memoryLimit, workingDirectory, user, addition },
    after: [...new Set([...after, ...process.after])].filter((each) => each !== id),
    output: process.output,
    health: isServer ? process.health : undefined,
    hash: configurationHash(process),
    announcesUp: isServer,
    finalCodes: isServer ? [WRONG_COMMAND_LINE] : [],
    launch: async () => ({
      command: processCommand(process, gxensemble),
      environment: { ...environment, ...await processEnvironment(process) },
    }),
  };
}
