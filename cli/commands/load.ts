/**
 * `gxensemble load`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { formatNotation, symbol } from "../../runtime/notation.ts";
import { ArgumentUnless, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  addResultOptions,
  type ClientOptions,
  forceOption,
  libraryPrefixOption,
  NO_LIMIT,
  type OutputOptions,
  parseModuleId,
} from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import {
  addServersOptions,
  namedServers,
  serverListArgument,
  ServersCommand,
  type ServerSet,
} from "../kit/server_set_options.ts";
import type { LoadingOptions } from "../modules/loading.ts";

/** Options of every use of the command. */
interface ListOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

interface LoadOptions extends ListOptions, LoadingOptions {
  /** Whether the module is a library module, which the server resolves itself. */
  library: boolean;
  /** Whether to run it again if it has been loaded before. */
  rerun: boolean;
  /** Whether to check its types first. */
  check: boolean;
  /** Whether to print errors only. */
  quiet: boolean;
}

/** Loads a module into running servers, or lists what has been loaded. */
export function loadCommand(): CommandUnknownOpts {
  const command = new ServersCommand("load").description("loads code in a running server")
    .addOption(forceOption("load only the module, and link it to what the server has loaded"))
    .addOption(
      new Option(
        "--library",
        "loads the code as library module; the library must be in the servers load path",
      ).default(false),
    );
  return addResultOptions(
    addServersOptions(command, NO_LIMIT)
      .addOption(libraryPrefixOption())
      .addOption(
        new Option("--list", "lists what was loaded, and loads nothing").default(false)
          .conflicts(["force", "library", "rerun", "check", "dryRun"]),
      )
      .addOption(
        new Option("--rerun", "runs the module again, even if it has been loaded before").default(
          false,
        ),
      )
      .addOption(
        new Option("--check", "checks the types first, as deno check does").default(false),
      )
      .addOption(
        new Option("--dry-run", "prints what would be loaded, and loads nothing").default(false),
      )
      .addOption(new Option("-q, --quiet", "prints nothing but errors").default(false)),
  )
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        "files",
        new ArgumentUnless("module-id", { description: "the module id", options: ["--list"] })
          .argParser<string | undefined>(reading(parseModuleId)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["load a module and all that it imports", "gxensemble load httpd1 handler.ts"],
        [
          "load it into two servers, and into all servers with a role",
          "gxensemble load httpd1,httpd2 handler.ts",
          "gxensemble load --role httpd handler.ts",
        ],
        [
          "load only the module, linked to what the server has loaded",
          "gxensemble load -f httpd1 handler.ts",
        ],
        [
          "load a library module that the server has",
          "gxensemble load --library httpd1 node:zlib",
        ],
        ["run the module's top level again", "gxensemble load --rerun httpd1 handler.ts"],
        ["list what was loaded, and what is current", "gxensemble load --list httpd1"],
        [
          "check the types, and show what would be loaded",
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
        command.error(`${which} and --library exclude each other: library modules are not shipped`);
      }
      await load(servers, moduleId, options);
    });
}

/**
 * Loads a module into running servers, and prints each module with its hash: dependencies first.
 */
async function load(servers: ServerSet, moduleId: string, options: LoadOptions): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
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
    // One server at a time, since each load shows its progress.
    concurrency: 1,
    showsProgress: true,
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
 * Prints what was loaded into a server: `(module-id "hash" "time" "user@host" current)`, without
 * the last word if another load has replaced it, and with `rerun` before it if the module ran
 * again.
 */
async function list(servers: ServerSet, options: ListOptions): Promise<void> {
  const { inEachServer } = await import("../kit/server_set.ts");
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

/** Reads the history of a server's loads, and its loaded modules. */
async function readLoads(loader: Client<LoaderHandlers>) {
  const loads = await loader.history();
  const modules = await loader.loaded();
  const bytes = new Map(modules.map((each) => [each.hash, each.bytes]));
  const timed = loads.map((load) => ({
    ...load,
    time: new Date(load.time).toISOString(),
    // A module behind an import() is absent until the import runs.
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
    `${label}... ${modules.length} loaded modules of ${ids} module ids, ${sum} bytes of code`,
  );
}
