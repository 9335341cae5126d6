/**
 * The command tree of `gxensemble`: its commands, their arguments and options.
 *
 * Values are read here, once, so that a command's function gets what it works with; the function
 * itself is imported when its command runs, and with it only what that command needs.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { registryCommand } from "./commands/registry.ts";
import { helpFormat } from "./kit/help.ts";
import {
  actorIdArgument,
  addGerbilPath,
  addRunOptions,
  AS_LONG_AS_IT_TAKES,
  authorizedServerIdArgument,
  capabilitiesArgument,
  forceOption,
  includeOption,
  jsonOption,
  libraryPrefixOption,
  loadedModuleIdArgument,
  logOption,
  moduleIdArgument,
  optionalServerListArgument,
  outputOption,
  type OutputOptions,
  passphraseFileOption,
  portableOption,
  registryOption,
  retractedServerIdArgument,
  roleOption,
  serverIdArgument,
  serverListArgument,
  targetOption,
  timeoutOption,
  viewOption,
} from "./kit/options.ts";
import { formatVersion } from "./kit/build.ts";
import { parseServerId, type ServerId } from "../runtime/actor/references.ts";
import { addAuthorityCommand } from "./ca_program.ts";
import { allCommands, asUsageError, UsageError } from "./kit/command_line.ts";
import { addCompletionCommands } from "./completion_program.ts";
import { addEnvironmentCommand } from "./env_program.ts";
import type { NamedServers } from "./kit/servers.ts";
import { addHelpCommand } from "./help_command.ts";
import { EXAMPLES } from "./help_examples.ts";
import { helpWidth, printNotice, printText } from "./kit/output.ts";

/**
 * Makes the command tree.
 *
 * Its `parseAsync` runs a command; it rejects with a {@linkcode UsageError} for a command line that
 * makes no sense, with a `CommanderError` after the help or the version was printed, and with
 * whatever the command throws.
 */
export function createProgram(): CommandUnknownOpts {
  const program = new Command("gxensemble").description("the Actor Ensemble Manager")
    .version(formatVersion("gxensemble"), "-V, --version", "display the version and the build")
    .addHelpOption(new Option("-h, --help", "display help; after a command, its help"))
    .helpCommand(false)
    .enablePositionalOptions()
    .configureHelp(helpFormat(EXAMPLES))
    .configureOutput({
      writeOut: printText,
      writeErr: (text) => printNotice(text.trimEnd()),
      getOutHelpWidth: () => helpWidth(Deno.stdout),
      getErrHelpWidth: () => helpWidth(Deno.stderr),
      getOutHasColors: () => false, // The help has none.
      getErrHasColors: () => false,
      outputError: () => {}, // main.ts prints errors, of commander and all others alike.
    });
  addServerCommands(program);
  addCodeCommands(program);
  addManagementCommands(program);
  addAuthorizationCommands(program);
  addCookieCommand(program);
  addAdminCommand(program);
  addAuthorityCommand(program);
  addEnvironmentCommand(program);
  addCompletionCommands(program);
  addHelpCommand(program);
  for (const command of [program, ...allCommands(program)]) {
    addGerbilPath(command);
    command.exitOverride((error) => {
      throw asUsageError(error, command);
    });
  }
  return program;
}

function addServerCommands(program: CommandUnknownOpts): void {
  addRunOptions(program.command("run"))
    .description("run a server in the ensemble")
    .addArgument(serverIdArgument())
    .addArgument(moduleIdArgument())
    .argument("[main-args...]", "arguments for the module's main procedure")
    .action(async (serverId, moduleId, mainArguments, options) => {
      if (options.deny.length > 0) {
        // First of all: the process may start anew.
        const { dropPermissions } = await import("./kit/permissions.ts");
        await dropPermissions(serverId, options);
      }
      const { run } = await import("./commands/run.ts");
      await run(serverId, moduleId, mainArguments, options);
    });

  program.addCommand(registryCommand("registry").copyInheritedSettings(program));
}

function addCodeCommands(program: CommandUnknownOpts): void {
  program.command("load").description("loads code in a running server")
    .addOption(forceOption("load the module alone, and link it to what the server runs already"))
    .addOption(
      new Option(
        "--library",
        "loads the code as library module; the library must be in the servers load path",
      ).default(false),
    )
    .addOption(registryOption())
    .addOption(timeoutOption(AS_LONG_AS_IT_TAKES))
    .addOption(roleOption())
    .addOption(libraryPrefixOption())
    .addOption(
      new Option("--list", "prints what has been loaded into the server, instead").default(false)
        .conflicts(["force", "library", "rerun", "check", "dryRun"]),
    )
    .addOption(
      new Option("--rerun", "runs the module anew when it has been loaded before").default(false),
    )
    .addOption(
      new Option("--check", "checks the types first, as deno check does").default(false),
    )
    .addOption(
      new Option("--dry-run", "prints what would be loaded, and loads nothing").default(false),
    )
    .addOption(new Option("-q, --quiet", "prints nothing but errors").default(false))
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .addArgument(loadedModuleIdArgument())
    .action(async (names, moduleId, options) => {
      const servers = readServers(names, { ...options, command: "load" });
      const { listLoaded, load } = await import("./commands/load.ts");
      if (options.list !== (moduleId === undefined)) {
        const message = options.list
          ? "--list takes no module id"
          : "missing required argument 'module-id'";
        throw new UsageError(message, "gxensemble help load");
      }
      if (moduleId === undefined) return await listLoaded(servers, options);
      await load(servers, moduleId, options);
    });

  program.command("compile").description("compiles a server's program into one executable")
    .addOption(outputOption())
    .addOption(includeOption())
    .addOption(targetOption())
    .addOption(portableOption())
    .addOption(jsonOption())
    .addArgument(moduleIdArgument())
    .action(async (moduleId, options) => {
      const { compile } = await import("./commands/compile.ts");
      await compile(moduleId, options);
    });

  program.command("eval").description("evals code in a running server")
    .addOption(registryOption())
    .addOption(timeoutOption(AS_LONG_AS_IT_TAKES))
    .addOption(roleOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .argument("<expr>", "the expression to eval")
    .action(async (names, expression, options) => {
      const servers = readServers(names, { ...options, command: "eval" });
      const { evaluate } = await import("./commands/eval.ts");
      await evaluate(servers, expression, options);
    });

  program.command("repl").description("provides a repl for a running server")
    .addOption(registryOption())
    .addOption(timeoutOption(AS_LONG_AS_IT_TAKES))
    .addOption(libraryPrefixOption())
    .addOption(passphraseFileOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .action(async (serverId, options) => {
      const { repl } = await import("./commands/repl.ts");
      await repl(serverId, options);
    });
}

function addManagementCommands(program: CommandUnknownOpts): void {
  program.command("ping").description("pings a server or actor in the server")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .addArgument(actorIdArgument())
    .action(async (serverId, actorId, options) => {
      const { ping } = await import("./commands/ping.ts");
      await ping(serverId, actorId, options);
    });

  program.command("shutdown")
    .description(
      "shuts down an actor, server, or the entire ensemble including the registry",
    )
    .addOption(
      forceOption("do not ask; with an actor id, end the actor at once, without its clean-up"),
    )
    .addOption(registryOption())
    .addOption(timeoutOption("5, and then as long as the server may take to stop"))
    .addOption(roleOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(optionalServerListArgument())
    .addArgument(actorIdArgument())
    .action(async (names, actorId, options) => {
      if (names === undefined && options.role) {
        throw new UsageError(
          "--role takes a role in the place of the server id",
          "gxensemble help shutdown",
        );
      }
      const servers = names && readServers(names, { ...options, command: "shutdown" });
      const { shutdown } = await import("./commands/shutdown.ts");
      await shutdown(servers, actorId, options);
    });

  program.command("list-servers").description("lists known servers")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .action(async (options) => {
      const { listServers } = await import("./commands/list_servers.ts");
      await listServers(options);
    });

  program.command("list-actors").description("list actors registered in a server")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .action(async (serverId, options) => {
      const { listActors } = await import("./commands/list_actors.ts");
      await listActors(serverId, options);
    });

  program.command("list-connections").description("list a server's connection")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverIdArgument())
    .action(async (serverId, options) => {
      const { listConnections } = await import("./commands/list_connections.ts");
      await listConnections(serverId, options);
    });

  program.command("lookup").description("looks up a server by id or role")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(new Option("--role", "lookup by role").default(false))
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .argument("<server-or-role>", "the server or role to lookup")
    .action(async (serverOrRole, options) => {
      const query = options.role
        ? { role: readRole(serverOrRole, "lookup") }
        : { server: readServerId(serverOrRole, "lookup") };
      const { lookup } = await import("./commands/lookup.ts");
      await lookup(query, options);
    });
}

/** An argument that is a server id only without `--role` is read once the options are known. */
function readServerId(text: string, command: string): ServerId {
  try {
    return parseServerId(text);
  } catch (error) {
    throw new UsageError((error as Error).message, `gxensemble help ${command}`);
  }
}

/** The role after `--role`. It must not be empty: a variable in a script may be unset. */
function readRole(text: string, command: string): string {
  if (text !== "") return text;
  throw new UsageError("the role is empty", `gxensemble help ${command}`);
}

/** Reads one server or role, or several. */
function readServers(
  names: string[],
  { role, command }: { role: boolean; command: string },
): NamedServers {
  if (role) return { roles: names.map((name) => readRole(name, command)) };
  return { ids: names.map((name) => readServerId(name, command)) };
}

function addCookieCommand(program: CommandUnknownOpts): void {
  program.command("cookie").description("generate a new ensemble cookie")
    .addOption(forceOption("replace a cookie that exists"))
    .addOption(viewOption())
    .addOption(jsonOption())
    .action(async (options) => {
      const { cookie, viewCookie } = await import("./commands/cookie.ts");
      if (options.view) return await viewCookie(options);
      refuseJson(options, "cookie");
      await cookie(options);
    });
}

/** A command that generates something has a result only with `--view`. */
function refuseJson({ json }: OutputOptions, command: string): void {
  if (json) throw new UsageError("--json only goes with --view", `gxensemble help ${command}`);
}

function addAuthorizationCommands(program: CommandUnknownOpts): void {
  program.command("authorize").description("authorize capabilities for a server")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(roleOption())
    .addOption(
      new Option("--list", "prints who has capabilities in the server, instead").default(false),
    )
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .addArgument(authorizedServerIdArgument())
    .addArgument(capabilitiesArgument())
    .action(async (names, authorizedId, capabilities, options) => {
      const servers = readServers(names, { ...options, command: "authorize" });
      const { authorize, listAuthorized } = await import("./commands/authorize.ts");
      if (options.list !== (authorizedId === undefined)) {
        const message = options.list
          ? "--list takes no authorized server id"
          : "missing required argument 'authorized-server-id'";
        throw new UsageError(message, "gxensemble help authorize");
      }
      if (authorizedId === undefined) return await listAuthorized(servers, options);
      await authorize(servers, authorizedId, capabilities, options);
    });

  program.command("retract").description("retract all capabilities granted to a server")
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(roleOption())
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .addArgument(retractedServerIdArgument())
    .action(async (names, authorizedId, options) => {
      const servers = readServers(names, { ...options, command: "retract" });
      const { retract } = await import("./commands/retract.ts");
      await retract(servers, authorizedId, options);
    });
}

function addAdminCommand(program: CommandUnknownOpts): void {
  program.command("admin").description("generate a new ensemble administrator key pair")
    .addOption(forceOption("replace a key pair that exists"))
    .addOption(viewOption())
    .addOption(jsonOption())
    .addOption(passphraseFileOption())
    .action(async (options) => {
      const { admin, viewAdmin } = await import("./commands/admin.ts");
      if (options.view) return await viewAdmin(options);
      refuseJson(options, "admin");
      await admin(options);
    });
}
