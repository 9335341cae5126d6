/**
 * `gxensemble log-level`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "../../runtime/home/log_options.ts";
import { parseDuration } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { addResultOptions } from "../kit/options.ts";
import { printNotice } from "../kit/output.ts";
import {
  addParallelOptions,
  addServersOptions,
  isSet,
  namedServers,
  serverListArgument,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** The word for the level that was there before. */
const DEFAULT = "default";

/** The longest time that a level is changed for, in ms: the server's limit. */
const MAX_DURATION = 7 * 86_400_000;

/** Shows or changes what servers log. */
export function logLevelCommand(): CommandUnknownOpts {
  const command = new ServersCommand("log-level").description(
    "shows the levels of a server's log, or changes one while it runs",
  );
  return addResultOptions(addParallelOptions(addServersOptions(command)))
    .addOption(
      completing(
        "nothing",
        new Option("--for <time>", "the time after which the level is as before, such as 10m")
          .default<number | undefined>(undefined, "until it is changed, or the server stops")
          .argParser<number | undefined>(reading((text) => parseDuration(text, MAX_DURATION))),
      ),
    )
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        { noun: "log level", words: [...LOG_LEVELS, DEFAULT], anyCase: true },
        new Argument("[level]", "the level; default for the one before it was changed")
          .default(undefined, "shows the levels")
          .argParser<LogLevel | typeof DEFAULT | undefined>(reading(parseLevel)),
      ),
    )
    .addArgument(
      completing(
        "nothing",
        new Argument("[category]", "the category, such as gxensemble.server or one of the program")
          .default(undefined, "all")
          .argParser<string | undefined>(reading(parseCategory)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["log more for ten minutes", "gxensemble log-level --for 10m httpd1 debug"],
        [
          "log more of one category only, in all web servers",
          "gxensemble log-level --role httpd debug myapp.db",
        ],
        ["go back to the level before", "gxensemble log-level httpd1 default"],
        ["show the levels", "gxensemble log-level httpd1"],
      ),
    )
    .action(async (names, level, category, { for: duration, ...options }, command) => {
      const servers = namedServers(names, { ...options, command });
      if (duration !== undefined && (level === undefined || level === DEFAULT)) {
        command.error("--for needs the level that the server is to log for that time");
      }
      const { inEachServer } = await import("../kit/server_set.ts");
      const { operatorName } = await import("../kit/administrator.ts");
      const { LEVEL_COLUMNS, levelToJson, levelToRow } = await import("../kit/log_records.ts");
      const { TablePrinter } = await import("../kit/table.ts");
      const { observerClient } = await import("../../runtime/observation/observer_protocol.ts");
      const labels = isSet(servers) ? [{ heading: "server" }] : [];
      const table = new TablePrinter([...labels, ...LEVEL_COLUMNS]);
      await inEachServer(servers, {
        ...options,
        capability: level === undefined ? "observer" : "admin",
        async work(server, { actors }) {
          const observer = observerClient(actors, server);
          if (level === undefined) return { server, ...await observer.logLevels({}) };
          const outcome = await observer.setLogLevel({
            category: category ?? "",
            by: operatorName(),
            ...level !== DEFAULT && { level },
            ...duration !== undefined && { duration },
          });
          return { server, ...outcome };
        },
        print({ server, levels, ...outcome }) {
          table.print(
            levels.map((each) => [...labels.map(() => server), ...levelToRow(each)]),
          );
          if ("exists" in outcome && !outcome.exists && level !== DEFAULT) {
            printNotice(
              `${server} has no logger of the category ${outcome.category} so far; if it makes one, ` +
                "that has this level",
            );
          }
        },
        toJson: ({ levels }) => levels.map(levelToJson),
      });
    });
}

function parseLevel(text: string): LogLevel | typeof DEFAULT {
  return text.toLowerCase() === DEFAULT ? DEFAULT : parseLogLevel(text);
}

function parseCategory(text: string): string {
  if (text !== "" && !text.startsWith(".") && !text.endsWith(".") && !text.includes("..")) {
    return text;
  }
  throw new InvalidInputError(`not a category, such as gxensemble.server: ${quoted(text)}`);
}
