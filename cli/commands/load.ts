/**
 * `gxensemble load`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { ArgumentUnlessListing, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  AS_LONG_AS_IT_TAKES,
  type ClientOptions,
  forceOption,
  jsonOption,
  libraryPrefixOption,
  logOption,
  type NamedServers,
  namedServers,
  type OutputOptions,
  parseModuleId,
  passphraseFileOption,
  registryOption,
  roleOption,
  serverListArgument,
  timeoutOption,
} from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import type { LoadingOptions } from "../modules/loading.ts";

/** Options of every use of the command. */
interface ListOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

interface LoadOptions extends ListOptions, LoadingOptions {
  /** Whether the module is a library that the server itself finds. */
  library: boolean;
  /** Whether it runs anew, when it has been loaded before. */
  rerun: boolean;
  /** Whether its types are checked first. */
  check: boolean;
  /** Whether nothing is printed but errors. */
  quiet: boolean;
}

/** Loads a module into running servers, or lists what has been loaded. */
export function loadCommand(): CommandUnknownOpts {
  return new Command("load").description("loads code in a running server")
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
    .addArgument(
      completing(
        "files",
        new ArgumentUnlessListing("module-id", "the module id")
          .argParser<string | undefined>(reading(parseModuleId)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["a module and all that it imports", "gxensemble load httpd1 handler.ts"],
        [
          "into several servers: two, and all of a role",
          "gxensemble load httpd1,httpd2 handler.ts",
          "gxensemble load --role httpd handler.ts",
        ],
        [
          "the module alone, linked to what the server runs already",
          "gxensemble load -f httpd1 handler.ts",
        ],
        [
          "a module that the server finds by itself",
          "gxensemble load --library httpd1 node:zlib",
        ],
        ["the module's top level once more", "gxensemble load --rerun httpd1 handler.ts"],
        ["what has been loaded, and what is current", "gxensemble load --list httpd1"],
        [
          "what a load would do, if the types are right",
          "gxensemble load --check --dry-run httpd1 handler.ts",
        ],
      ),
    )
    .action(async (names, moduleId, options, command) => {
      const servers = namedServers(names, { ...options, command });
      const { library, force, rerun, check, dryRun } = options;
      if (options.list && moduleId !== undefined) command.error("--list takes no module id");
      if (options.list) return await list(servers, options);
      if (moduleId === undefined) return command.error("missing required argument 'module-id'");
      if (library && (force || rerun)) {
        command.error(`--${force ? "force" : "rerun"} and --library exclude each other`);
      }
      if (library && (check || dryRun)) {
        const which = check ? "--check" : "--dry-run";
        command.error(`${which} is of modules that are shipped, not of libraries`);
      }
      await load(servers, moduleId, options);
    });
}

/** Loads a module into running servers, and prints each module with its hash: dependencies first. */
async function load(servers: NamedServers, moduleId: string, options: LoadOptions): Promise<void> {
  const { inEachServer } = await import("../kit/servers.ts");
  const { loaderClient } = await import("../../runtime/ensemble/remote.ts");
  const { checkTypes, formatLoadReport, loadLibrary, loadModule, printNotices } = await import(
    "../modules/loading.ts"
  );
  const { library, check, quiet, json, ...given } = options;
  if (check) await checkTypes(moduleId);
  await inEachServer(servers, {
    ...given,
    json: json && !quiet,
    capability: "loader",
    isLong: true,
    // One after the other: each load shows how far it is.
    atOnce: 1,
    work: (server, { actors }) =>
      (library ? loadLibrary : loadModule)(loaderClient(actors, server), moduleId, options),
    print(report, label) {
      if (quiet) return;
      for (const line of formatLoadReport(report)) printLine(label + line);
      printNotices(report, label);
    },
    toJson: (report) => report,
  });
}

/**
 * Prints what has been loaded into a server: `(module-id "hash" "time" "user@host" current)`, without
 * the last word where another load has replaced it, and with `rerun` before it where it ran anew.
 */
async function list(servers: NamedServers, options: ListOptions): Promise<void> {
  const { inEachServer } = await import("../kit/servers.ts");
  const { loaderClient } = await import("../../runtime/ensemble/remote.ts");
  await inEachServer(servers, {
    ...options,
    capability: "loader",
    isLong: true,
    work: (server, { actors }) => readLoads(loaderClient(actors, server)),
    print: printLoads,
    toJson: ({ loads }) => loads,
  });
}

/** What was loaded into a server, and the modules that are there. */
async function readLoads(loader: Client<LoaderHandlers>) {
  const loads = await loader.history();
  const modules = await loader.loaded();
  const bytes = new Map(modules.map((each) => [each.hash, each.bytes]));
  const timed = loads.map((load) => ({
    ...load,
    time: new Date(load.time).toISOString(),
    // Of what only an import() leads to nothing is there before it runs.
    bytes: bytes.get(load.hash) ?? 0,
  }));
  return { loads: timed, modules };
}

function printLoads({ loads, modules }: Awaited<ReturnType<typeof readLoads>>, label: string) {
  for (const { module, hash, time, by, rerun, current } of loads) {
    const marks = [...rerun ? [symbol("rerun")] : [], ...current ? [symbol("current")] : []];
    printLine(label + formatNotation([symbol(module), hash, time, by, ...marks]));
  }
  const ids = new Set(modules.map(({ module }) => module)).size;
  const sum = modules.reduce((all, each) => all + each.bytes, 0);
  printNotice(
    `${label}... ${modules.length} instances of ${ids} modules, ${sum} bytes of code`,
  );
}
