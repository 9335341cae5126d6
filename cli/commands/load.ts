/**
 * `gxensemble load`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { parseSeconds } from "../../runtime/measures.ts";
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
  ROLL_OUTS,
} from "../kit/options.ts";
import { printLine, printNotice } from "../kit/output.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import {
  addServersOptions,
  concurrencyOption,
  isSet,
  namedServers,
  parseCount,
  serverListArgument,
  ServersCommand,
  type ServerSet,
} from "../kit/server_set_options.ts";
import type { LoadingOptions } from "../modules/loading.ts";

/** Options of every use of the command. */
interface ListOptions extends ClientOptions, OutputOptions, PassphraseOptions {}

interface LoadOptions extends ListOptions, LoadingOptions {
  /** The number of servers to ask at the same time. */
  concurrency: number;
  /** The number of servers that load at the same time. */
  batch: number;
  /** An expression that is truthy in a server that is well. */
  health?: string | undefined;
  /** How long a server may take to be well, in ms. */
  wait: number;
  /** Whether servers load the module again when they start. Default: those of a set do. */
  keep?: boolean | undefined;
  /** True to go back and load nothing; false to not go back when a roll-out fails. */
  rollback?: boolean | undefined;
  /** Whether the module is a library module, which the server resolves itself. */
  library: boolean;
  /** Whether to run it again if it has been loaded before. */
  rerun: boolean;
  /** Whether to check its types first. */
  check: boolean;
  /** Whether to print errors only. */
  quiet: boolean;
  /** Whether to only say what would be done. */
  dryRun: boolean;
}

/** The default of `--wait`, in ms. */
const DEFAULT_WAIT = 10_000;

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
          .conflicts([
            "force",
            "library",
            "rerun",
            "check",
            "dryRun",
            "status",
            "rollback",
            "keep",
          ]),
      )
      .addOption(
        new Option("--status", "prints who runs which version, and where they differ").default(
          false,
        )
          .conflicts(["force", "library", "rerun", "check", "dryRun", "rollback", "keep"]),
      )
      .addOption(
        new Option("--rollback", "goes back to the version before the newest load").conflicts([
          "force",
          "library",
          "rerun",
          "check",
          "keep",
        ]),
      )
      .addOption(
        new Option(
          "--keep",
          "has the server load it again each time that it starts, as roll-outs do",
        ),
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
      .addOption(new Option("-q, --quiet", "prints nothing but errors").default(false))
      .addOption(concurrencyOption())
      .addOption(
        completing(
          "nothing",
          new Option("--batch <number>", "the most servers that load at the same time")
            .default<number>(1, "1").argParser<number>(reading(parseCount)).helpGroup(ROLL_OUTS),
        ),
      )
      .addOption(
        completing(
          "nothing",
          new Option(
            "--health <expr>",
            "expression that is truthy in a server that is well; by default, what healthy() " +
              "returns, if the module exports it",
          ).argParser<string | undefined>(reading(parseHealth)).helpGroup(ROLL_OUTS),
        ),
      )
      .addOption(
        completing(
          "nothing",
          new Option("--wait <seconds>", "seconds until a server has to be well after the load")
            .default<number>(DEFAULT_WAIT, `${DEFAULT_WAIT / 1000}`)
            .argParser<number>(reading((text) => parseSeconds(text, { isZeroAllowed: true })))
            .helpGroup(ROLL_OUTS),
        ),
      )
      .addOption(
        new Option("--no-keep", "does not have the servers load it again when they start")
          .helpGroup(ROLL_OUTS),
      )
      .addOption(
        new Option("--no-rollback", "when a server fails, leaves the others as they are")
          .helpGroup(ROLL_OUTS),
      ),
  )
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        "files",
        new ArgumentUnless("module-id", {
          description: "the module id",
          options: ["--list"],
        })
          .argParser<string | undefined>(reading(parseModuleId)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["load a module and all that it imports", "gxensemble load httpd1 handler.ts"],
        [
          "roll it out: load it into two servers, or all with a role, one after the other",
          "gxensemble load httpd1,httpd2 handler.ts",
          "gxensemble load --role httpd handler.ts",
        ],
        [
          "check each server, two at a time; go back in all when one is not well within 30 s",
          "gxensemble load --role httpd --batch 2 --wait 30 --health 'ensemble.module(\"handler.ts\").ready' handler.ts",
        ],
        [
          "load it again each time that the server starts",
          "gxensemble load --keep httpd1 handler.ts",
        ],
        ["see who runs which version", "gxensemble load --status --role httpd"],
        ["go back to the version before", "gxensemble load --rollback --role httpd"],
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
      const { library, force, rerun, check, dryRun, keep, health } = options;
      if (options.list && moduleId !== undefined) command.error("--list takes no module id");
      if (options.list) return await list(servers, options);
      if (options.status || options.rollback) {
        if (health !== undefined) {
          command.error(
            `--health and --${options.status ? "status" : "rollback"} exclude each other`,
          );
        }
        return await (options.status ? showStatus : rollBack)(servers, moduleId, options);
      }
      if (moduleId === undefined) return command.error("missing required argument 'module-id'");
      if (library && (force || rerun)) {
        command.error(`--${force ? "force" : "rerun"} and --library exclude each other`);
      }
      if (library && (check || dryRun)) {
        const which = check ? "--check" : "--dry-run";
        command.error(`${which} and --library exclude each other: library modules are not shipped`);
      }
      if (library && (keep || health !== undefined)) {
        command.error(`--${keep ? "keep" : "health"} and --library exclude each other`);
      }
      const isRollOut = !library && !dryRun && (isSet(servers) || keep || health !== undefined);
      await (isRollOut ? rollOut : load)(servers, moduleId, options);
    });
}

/** Refuses an empty expression: a variable in a script may be unset. */
function parseHealth(text: string): string {
  if (text.trim() === "") throw new InvalidInputError("the expression is empty");
  return text;
}

/** Loads a module into a set of servers, one after the other, with a check after each. */
async function rollOut(servers: ServerSet, moduleId: string, options: LoadOptions): Promise<void> {
  const { checkTypes } = await import("../modules/loading.ts");
  const { rollOut } = await import("../modules/roll_out.ts");
  if (options.check) await checkTypes(moduleId);
  const { rollback = true, keep = isSet(servers) } = options;
  await rollOut(servers, moduleId, { ...options, rollback, keep });
}

/** Goes back from the newest load. */
async function rollBack(
  servers: ServerSet,
  moduleId: string | undefined,
  options: LoadOptions,
): Promise<void> {
  const { rollBack } = await import("../modules/going_back.ts");
  await rollBack(servers, moduleId, options);
}

/** Prints who runs which version. */
async function showStatus(
  servers: ServerSet,
  moduleId: string | undefined,
  options: LoadOptions,
): Promise<void> {
  const { showStatus } = await import("../modules/load_status.ts");
  await showStatus(servers, moduleId, options);
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
