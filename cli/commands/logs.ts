/**
 * `gxensemble logs`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";
import { LOG_LEVELS, type LogLevel, parseLogLevel } from "../../runtime/home/log_options.ts";
import { parseDuration } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { jsonOption, logOption, passphraseFileOption } from "../kit/options.ts";
import {
  addServersOptions,
  isSet,
  namedServers,
  serverListArgument,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** The maximum of `--lines`: what a server keeps. */
const MAX_LINES = 2_000;

/** The default of `--lines`. */
const DEFAULT_LINES = 100;

/** The greatest age of `--since`, in ms. */
const MAX_AGE = 366 * 86_400_000;

/** What a record has to contain. */
type Sought = { readonly text: string } | { readonly pattern: RegExp };

/** Prints the last records that servers have logged, and then those that come. */
export function logsCommand(): CommandUnknownOpts {
  const command = new ServersCommand("logs").description(
    "prints the last records of a server's log, which it keeps in memory",
  );
  return addServersOptions(command)
    .addOption(new Option("-f, --follow", "goes on with the records that come").default(false))
    .addOption(
      completing(
        "nothing",
        new Option(
          "-n, --lines <number>",
          "how many of the earlier records of each server to print at most",
        )
          .default<number>(DEFAULT_LINES, `${DEFAULT_LINES}`)
          .argParser<number>(reading(parseLines)),
      ),
    )
    .addOption(
      completing(
        { noun: "log level", words: LOG_LEVELS, anyCase: true },
        new Option("--level <level>", "only records of this level or a more severe one")
          .argParser<LogLevel | undefined>(reading(parseLogLevel)),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option(
          "--grep <text>",
          "only records that contain the text, or match /a regular expression/; case matters if " +
            "the text has a capital letter",
        ).argParser<Sought | undefined>(reading(parseSought)),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--category <category>", "only records of this category, or one below it"),
      ),
    )
    .addOption(
      completing(
        "nothing",
        new Option("--since <time>", "only records of the last 10m, 2h or 1d, or since a time")
          .argParser<number | undefined>(reading(parseAge)),
      ),
    )
    .addOption(passphraseFileOption())
    .addOption(jsonOption("prints each record as a line of JSON"))
    .addOption(logOption("warning"))
    .addArgument(serverListArgument())
    .addHelpText(
      "after",
      examples(
        ["see what a server has logged last, and follow it", "gxensemble logs -f httpd1"],
        [
          "see the warnings and errors of all servers in the last hour",
          "gxensemble logs --all --level warn --since 1h",
        ],
        [
          "find a request in the logs of the web servers",
          "gxensemble logs --role httpd -n 2000 --grep 'order 4711'",
        ],
        ["see who did what", "gxensemble logs --category audit httpd1"],
      ),
    )
    .action(async (names, { grep, since, level, category, ...options }, command) => {
      const servers = namedServers(names, { ...options, command });
      const { withConsole } = await import("../kit/console.ts");
      const { LogReading } = await import("../kit/log_reading.ts");
      const { RecordPrinter } = await import("../kit/log_records.ts");
      const printer = new RecordPrinter({ json: options.json, isLabelled: isSet(servers) });
      const filter = { level, category, age: since, ...grep && "text" in grep && grep };
      const pattern = grep && "pattern" in grep ? grep.pattern : undefined;
      await withConsole(options, async (actors, console) => {
        try {
          await new LogReading(console, { ...options, filter, pattern }, printer).run(servers);
        } catch (error) {
          if (isSet(servers) || servers === "all" || !("ids" in servers)) throw error;
          const { explainStopped } = await import("../supervisor/stopped_server.ts");
          throw await explainStopped(error, { actors, id: servers.ids[0]! });
        }
      });
    });
}

function parseLines(text: string): number {
  const lines = /^\d+$/.test(text) ? Number(text) : NaN;
  if (lines <= MAX_LINES) return lines;
  throw new InvalidInputError(
    `not a number of records from 0 to ${MAX_LINES}, which is what a server keeps: ${quoted(text)}`,
  );
}

/** Parses `--grep`: a text, or a regular expression between slashes. */
function parseSought(text: string): Sought {
  if (text === "") throw new InvalidInputError("the text is empty");
  const [, source, flags] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? [];
  if (source === undefined) return { text };
  try {
    // Without the flags by which a test depends on the one before.
    return { pattern: new RegExp(source, flags!.replaceAll(/[gy]/g, "")) };
  } catch (error) {
    throw new InvalidInputError((error as Error).message);
  }
}

/** Parses `--since`: an age, or a time. Returns the age in ms, since clocks of hosts may differ. */
function parseAge(text: string): number {
  if (/^[\d.]+[a-z]*$/.test(text)) return parseDuration(text, MAX_AGE);
  const age = Date.now() - new Date(text).getTime();
  if (age >= 0) return age;
  throw new InvalidInputError(
    `not a time in the past, such as 10m or 2026-01-02T03:04:05Z: ${quoted(text)}`,
  );
}
