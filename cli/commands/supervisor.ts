/**
 * `gxensemble supervisor`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { checkServerId } from "../../runtime/actor/references.ts";
import type { SupervisorConfiguration } from "../../supervisor/configuration/configuration.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  httpOption,
  type HttpOptions,
  httpTokenOption,
  requireHttpToken,
  serveHttp,
} from "../kit/http_options.ts";
import {
  addressTexts,
  announceOption,
  configOption,
  configurationPath,
  forceOption,
  listenOption,
  logFileOption,
  logFormatOption,
  logOption,
  registryOption,
  type ServerOptions,
} from "../kit/options.ts";
import type { Address } from "../../runtime/wire/address.ts";
import { parseHttpAddress } from "../../runtime/wire/http_address.ts";

/** The options of the command. */
interface SupervisorOptions extends ServerOptions, HttpOptions {
  config?: string | undefined;
  id?: string | undefined;
  registry: Address[];
}

/** The options for the service of systemd. */
interface ServiceOptions {
  install: boolean;
  user: boolean;
  dryRun: boolean;
  force: boolean;
  config?: string | undefined;
}

/** The help's heading for those. */
const SERVICE_OPTIONS = "Service of systemd:";

/** Options of the supervisor itself, which a service has from the configuration. */
const OWN_OPTIONS = ["id", "log", "logFile", "logFormat", "listen", "announce", "registry", "http"];

const serviceOption = <Name extends string>(name: Name, what: string) =>
  new Option(name, what).default(false).helpGroup(SERVICE_OPTIONS);

/** Set for the process that replaces this one, if this one was told to end meanwhile. */
const ENDS_AT_ONCE = "GXENSEMBLE_SUPERVISOR_ENDS";

/** Runs the supervisor of this host. */
export function supervisorCommand(): CommandUnknownOpts {
  return new Command("supervisor")
    .description("run the supervisor of this host, which keeps its servers running")
    .addOption(configOption())
    .addOption(completing(
      "nothing",
      new Option("--id <server-id>", "the supervisor's own server id")
        .default<string | undefined>(undefined, "supervisor-<host>")
        .argParser<string | undefined>(reading(checkServerId)),
    ))
    .addOption(logOption("info"))
    .addOption(logFileOption())
    .addOption(logFormatOption())
    .addOption(listenOption())
    .addOption(announceOption())
    .addOption(registryOption())
    .addOption(httpOption())
    .addOption(httpTokenOption())
    .addOption(
      serviceOption("--install", "write the unit of a systemd service that runs the supervisor")
        .conflicts([...OWN_OPTIONS, "uninstall"]),
    )
    .addOption(
      serviceOption("--uninstall", "remove that unit").conflicts([...OWN_OPTIONS, "config"]),
    )
    .addOption(serviceOption("--user", "a service of your own, not of the system"))
    .addOption(serviceOption("--dry-run", "only print the unit"))
    .addOption(
      forceOption("replace or remove a unit that is different").helpGroup(SERVICE_OPTIONS),
    )
    .addHelpText(
      "after",
      examples(
        ["run the servers of this host's configuration", "gxensemble supervisor"],
        [
          "run the servers of another configuration, and log to a file",
          "gxensemble supervisor --config /etc/gxensemble/ensemble.jsonc --log-file -",
        ],
        ["have systemd run it", "sudo gxensemble supervisor --install"],
      ),
    )
    .action(async (options, command) => {
      if (options.install || options.uninstall) return await changeService(options, command);
      for (const name of ["user", "dryRun", "force"] as const) {
        if (!options[name]) continue;
        command.error(`--${name === "dryRun" ? "dry-run" : name} needs --install or --uninstall`);
      }
      requireHttpToken(options, command);
      await runSupervisor(options, command);
    });
}

async function changeService(
  { install, user, dryRun, force, config }: ServiceOptions,
  command: CommandUnknownOpts,
): Promise<void> {
  const { installService, uninstallService } = await import(
    "../supervisor/service_installation.ts"
  );
  if (install) {
    const path = config === undefined ? undefined : configurationPath({ config });
    return await installService({ user, dryRun, force, config: path });
  }
  if (dryRun) command.error("--dry-run needs --install");
  await uninstallService({ user, force });
}

async function runSupervisor(
  options: SupervisorOptions,
  command: CommandUnknownOpts,
): Promise<void> {
  const { readUsable } = await import("../../supervisor/host_supervisor.ts");
  const { supervisorId } = await import("../../supervisor/supervisor_protocol.ts");
  const { HostSupervisor } = await import("../../supervisor/host_supervisor.ts");
  const { serveSupervisor } = await import("../../supervisor/supervisor_actor.ts");
  const { SUPERVISOR_ROLE } = await import("../../supervisor/supervisor_protocol.ts");
  const { ServiceNotification } = await import("../../supervisor/service_notification.ts");
  const { hostLabel } = await import("../../supervisor/configuration/configuration.ts");
  const { provideRuntime } = await import("../../runtime/ensemble/ensemble_server.ts");
  const { runServer } = await import("../../runtime/ensemble/run_server.ts");
  const { findPlaces } = await import("../../runtime/home/paths.ts");
  const { onHangup, onSignal } = await import("../../runtime/home/signals.ts");
  const { hostName } = await import("../../runtime/wire/address.ts");
  const { ownCommand } = await import("../kit/own_command.ts");
  const { printNotice } = await import("../kit/output.ts");
  const { operatorName } = await import("../kit/administrator.ts");
  // SIGHUP must not end the process before there is something to reread.
  using _early = onHangup("reread", () => {});
  const host = hostLabel(hostName());
  const { configuration, warnings } = await readUsable(configurationPath(options), host);
  for (const warning of warnings) printNotice(warning);
  const { program, args, env } = await ownCommand();
  using notification = ServiceNotification.start();
  const supervisor = new HostSupervisor(configuration, {
    places: findPlaces(),
    host,
    gxensemble: [program, ...args],
    environment: env,
    notification,
  });
  const given = withConfiguration(options, { configuration: configuration.supervisor, command });
  provideRuntime(() => import("../../mod.ts"));
  const endsAtOnce = Deno.env.get(ENDS_AT_ONCE) !== undefined;
  Deno.env.delete(ENDS_AT_ONCE);
  // A signal in the course of a restart concerns the servers, too, which the next process has.
  using signals = new DisposableStack();
  const endNext = () => {
    if (supervisor.ending === "restart") Deno.env.set(ENDS_AT_ONCE, "1");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) signals.use(onSignal(signal, endNext));
  signals.use(onHangup("end", endNext));
  await runServer(options.id ?? supervisorId(host), async (server) => {
    using _reload = onHangup("reread", () => {
      void supervisor.reread(operatorName());
    });
    notification?.ready();
    if (endsAtOnce) void server.stop();
    await supervisor.follow(server);
    await server.stopped;
  }, {
    ...given.server,
    roles: [SUPERVISOR_ROLE],
    registerLater: true,
    beforeStop: supervisor.beforeStop,
    async prepare(server) {
      await serveHttp(server, given.http);
      serveSupervisor(server, supervisor);
      await supervisor.begin(server);
    },
  });
  if (supervisor.ending === "restart") await restart();
}

/** Options of the command line replace those of the configuration. */
function withConfiguration(
  options: SupervisorOptions,
  { configuration, command }: {
    readonly configuration: SupervisorConfiguration;
    readonly command: CommandUnknownOpts;
  },
) {
  const isGiven = (name: string) => command.getOptionValueSource(name) === "cli";
  const addresses = addressTexts(options);
  const { log, http, httpToken } = configuration;
  return {
    server: {
      listen: isGiven("listen") ? addresses.listen : configuration.listen,
      announce: isGiven("announce") ? addresses.announce : configuration.announce,
      registry: isGiven("registry") ? addresses.registry : configuration.registry,
      log: {
        level: isGiven("log") ? options.log : log.level,
        file: isGiven("logFile") ? options.logFile : log.file,
        format: isGiven("logFormat") ? options.logFormat : log.format,
      },
    },
    http: {
      http: isGiven("http") || http === undefined ? options.http : parseHttpAddress(http),
      httpToken: isGiven("httpToken") ? options.httpToken : httpToken,
    },
  };
}

/** Replaces this process by a new one with the same command line. */
async function restart(): Promise<void> {
  const { ownCommandLine, replaceProcess, cacheVariables } = await import("../kit/own_command.ts");
  for (const [name, value] of Object.entries(cacheVariables())) Deno.env.set(name, value);
  replaceProcess(await ownCommandLine(), "cannot restart the supervisor");
}
