/**
 * The options of `run`, which the executables of servers take, too.
 *
 * @module
 */
import type { Command, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import {
  announceOption,
  listenOption,
  logFileOption,
  logFormatOption,
  logOption,
  noLoaderOption,
  type ServerOptions,
} from "../registry/options.ts";
import type { StartServerOptions } from "../runtime/ensemble/ensemble_server.ts";
import { type Address, formatAddressUrl } from "../runtime/wire/address.ts";
import { formatNotation, symbol } from "../runtime/wire/notation.ts";
import { type Denial, denyOption } from "./denied_permissions.ts";
import { graceOption, registryOption, rolesOption } from "./options.ts";

/** What `run` is told. */
export interface RunOptions extends ServerOptions {
  /** Where the registry is; none when not given. */
  registry: Address[];
  /** What the server does in the ensemble. */
  roles: string[];
  /** How long the server may take to stop, in ms. */
  grace: number;
  /** Whether it takes code from others. */
  loader: boolean;
  /** The permissions that it does without. */
  deny: Denial[];
}

/** What a program says itself, where its command line does not. */
export type RunDefaults = Pick<
  StartServerOptions,
  "roles" | "listen" | "announce" | "registry" | "grace" | "log"
>;

/**
 * Adds the options to a command. Roles and places to listen at that are given are added to the program's own, all else
 * takes the place of it.
 */
export function addRunOptions(command: Command, defaults: RunDefaults = {}) {
  const { roles, listen, announce, registry, grace, log } = defaults;
  const { level = "info", file, format } = log || {};
  const addresses = (list: readonly Address[]) => list.map(formatAddressUrl).join(",");
  return command.passThroughOptions()
    .addOption(logOption(level))
    .addOption(standing(logFileOption(), { value: file, text: file }))
    .addOption(standing(listenOption(), listen && { value: [...listen], text: addresses(listen) }))
    .addOption(standing(announceOption(), announce && { text: addresses(announce) }))
    .addOption(standing(registryOption(), registry && { text: addresses(registry) }))
    .addOption(
      standing(
        rolesOption(),
        roles && { value: [...roles], text: formatNotation(roles.map(symbol)) },
      ),
    )
    .addOption(standing(logFormatOption(), { value: format, text: format }))
    .addOption(standing(graceOption(), { value: grace, text: grace && `${grace / 1000}` }))
    .addOption(noLoaderOption())
    .addOption(denyOption());
}

/** An option that stands for something else, where it is not given. */
function standing<Own extends Option>(
  option: Own,
  { value, text }: { value?: unknown; text?: string | number | undefined } = {},
): Own {
  if (text !== undefined) option.default(value ?? option.defaultValue, String(text));
  return option;
}
