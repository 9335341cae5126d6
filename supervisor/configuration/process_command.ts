/**
 * The command line of a process: the options of `gxensemble run`, of an executable that takes the
 * same, or of `gxensemble registry`.
 *
 * @module
 */
import { DEFAULT_LEASE } from "../../registry/store.ts";
import { DEFAULT_GRACE } from "../../runtime/ensemble/start_options.ts";
import { formatLogLevel } from "../../runtime/home/log_options.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import type {
  ProcessConfiguration,
  RegistryConfiguration,
  ServerConfiguration,
} from "./configuration.ts";

/**
 * Makes the command line of a process.
 *
 * @param gxensemble the command line that starts this program: `["/usr/bin/gxensemble"]`.
 */
export function processCommand(
  process: ServerConfiguration | RegistryConfiguration,
  gxensemble: readonly string[],
): string[] {
  if (!("program" in process)) return [...gxensemble, "registry", ...registryOptions(process)];
  const { id, program, args } = process;
  if (program.kind === "plain") return [program.path, ...args];
  return program.kind === "module"
    ? [...gxensemble, "run", ...runOptions(process), id, program.path, ...args]
    : [program.path, ...runOptions(process), id, ...args];
}

/** The options of `gxensemble run` for a server. Those that have their defaults are left out. */
export function runOptions(server: ServerConfiguration): string[] {
  const { roles, registry, grace, deny, capabilities } = server;
  return [
    ...commonOptions(server),
    ...roles.length > 0 ? ["--roles", formatNotation(roles.map(symbol))] : [],
    ...registry.flatMap((address) => ["--registry", address]),
    ...grace === DEFAULT_GRACE ? [] : ["--grace", `${grace / 1000}`],
    ...deny.flatMap((permission) => ["--deny", permission]),
    ...Object.entries(capabilities).flatMap(([id, names]) =>
      names.length > 0 ? ["--authorize", `${id}=${names.join(",")}`] : []
    ),
  ];
}

/** The options of `gxensemble registry`. */
export function registryOptions(registry: RegistryConfiguration): string[] {
  const { store, storeUser, storePasswordFile, storeCa, storeCert, storeKey, lease } = registry;
  return [
    ...commonOptions(registry),
    ...store === "sqlite:" ? [] : ["--store", store],
    ...valueOption("--store-user", storeUser),
    ...valueOption("--store-password-file", storePasswordFile),
    ...valueOption("--store-ca", storeCa),
    ...valueOption("--store-cert", storeCert),
    ...valueOption("--store-key", storeKey),
    ...lease === DEFAULT_LEASE ? [] : ["--lease", `${lease / 1000}`],
  ];
}

function commonOptions(process: ProcessConfiguration): string[] {
  const { listen, announce, log, http, httpToken, loader } = process;
  return [
    ...log.level === "info" ? [] : ["--log", formatLogLevel(log.level)],
    ...log.format === "text" ? [] : ["--log-format", log.format],
    ...valueOption("--log-file", log.file),
    ...listen.flatMap((address) => ["--listen", address]),
    // An empty list announces nothing.
    ...(announce?.length === 0 ? ["()"] : announce ?? [])
      .flatMap((address) => ["--announce", address]),
    ...valueOption("--http", http),
    ...valueOption("--http-token", httpToken),
    ...loader ? [] : ["--no-loader"],
  ];
}

function valueOption(option: string, value: string | undefined): string[] {
  return value === undefined ? [] : [option, value];
}
