/**
 * The options of `run`, which the executables of servers take, too.
 *
 * @module
 */
import type { Command, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { StartServerOptions } from "../../runtime/ensemble/ensemble_server.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { type Address, formatAddressUrl } from "../../runtime/wire/address.ts";
import {
  announceOption,
  denyOption,
  graceOption,
  listenOption,
  logFileOption,
  logFormatOption,
  logOption,
  noLoaderOption,
  registryOption,
  rolesOption,
  type ServerOptions,
} from "./options.ts";
import type { Denial } from "./permissions.ts";

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
 * Adds the options to a command. Roles and addresses to listen at that are given are added to the program's own; all
 * other options replace what the program says.
 */
export function addRunOptions(command: Command, defaults: RunDefaults = {}) {
  const { roles, listen, announce, registry, grace, log } = defaults;
  const { level = "info", file, format } = log || {};
  const addresses = (list: readonly Address[]) => list.map(formatAddressUrl).join(",");
  return command.passThroughOptions()
    .addOption(logOption(level))
    .addOption(withDefault(logFileOption(), { value: file, text: file }))
    .addOption(
      withDefault(listenOption(), listen && { value: [...listen], text: addresses(listen) }),
    )
    .addOption(withDefault(announceOption(), announce && { text: addresses(announce) }))
    .addOption(withDefault(registryOption(), registry && { text: addresses(registry) }))
    .addOption(
      withDefault(
        rolesOption(),
        roles && { value: [...roles], text: formatNotation(roles.map(symbol)) },
      ),
    )
    .addOption(withDefault(logFormatOption(), { value: format, text: format }))
    .addOption(withDefault(graceOption(), { value: grace, text: grace && `${grace / 1000}` }))
    .addOption(noLoaderOption())
    .addOption(denyOption());
}

/** An option with another default, if there is one. */
function withDefault<Own extends Option>(
  option: Own,
  { value, text }: { value?: unknown; text?: string | number | undefined } = {},
): Own {
  if (text !== undefined) option.default(value ?? option.defaultValue, String(text));
  return option;
}
