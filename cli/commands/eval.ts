/**
 * `gxensemble eval`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { ArgumentUnless, completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { addResultOptions, NO_LIMIT } from "../kit/options.ts";
import { printValue } from "../kit/output.ts";
import {
  addParallelOptions,
  addServersOptions,
  namedServers,
  serverListArgument,
  ServersCommand,
} from "../kit/server_set_options.ts";

/** Evaluates an expression in running servers and prints its values. */
export function evalCommand(): CommandUnknownOpts {
  const command = new ServersCommand("eval").description("evals code in a running server");
  return addResultOptions(addParallelOptions(addServersOptions(command, NO_LIMIT)))
    .addOption(
      completing(
        "files",
        new Option("--file <file>", "reads the expression from a file; - is standard input"),
      ),
    )
    .addArgument(serverListArgument())
    .addArgument(
      completing(
        "nothing",
        new ArgumentUnless("expr", {
          description: "the expression to eval; - reads it from standard input",
          options: ["--file"],
        }),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["evaluate a JavaScript expression", "gxensemble eval httpd1 '1 + 2'"],
        [
          "evaluate it in several servers",
          "gxensemble eval httpd1,httpd2 'ensemble.connections().length'",
        ],
        [
          "evaluate it in all servers with a role",
          "gxensemble eval --role httpd 'Deno.memoryUsage().rss'",
        ],
        [
          "read an export of a loaded module",
          "gxensemble eval httpd1 'ensemble.module(\"handler.ts\").greeting'",
        ],
        [
          "evaluate an expression of many lines",
          "gxensemble eval httpd1 --file report.js",
          "gxensemble eval httpd1 - <report.js",
        ],
      ),
    )
    .action(async (names, given, { file, ...options }, command) => {
      const servers = namedServers(names, { ...options, command });
      if (file !== undefined && given !== undefined) {
        command.error("--file takes the place of the expression");
      }
      const text = file ?? given ?? command.error("missing required argument 'expr'");
      const isRead = file !== undefined || text === "-";
      const expression = isRead ? await readExpression(text) : text;
      const { inEachServer } = await import("../kit/server_set.ts");
      const { loaderClient } = await import("../../runtime/ensemble/remote.ts");
      const { json, timeout = Infinity } = options;
      await inEachServer(servers, {
        ...options,
        oneLine: true,
        capability: "loader",
        isLong: true,
        async work(server, { actors }) {
          const text = await loaderClient(actors, server)
            .evaluate({ expression, json }, { timeout });
          return json ? readJson(text ?? "null", server) : text;
        },
        print: (text, label) => text === undefined || printValue(`${text}`, label),
        toJson: (value) => value,
      });
    });
}

/**
 * Reads an expression from a file, or `-` for standard input. It may end in a semicolon, as in a
 * program.
 */
async function readExpression(file: string): Promise<string> {
  const { readStandardInput, readTextFile } = await import("../kit/input.ts");
  const text = file === "-" ? await readStandardInput() : await readTextFile(file);
  const expression = text.trim().replace(/;$/, "");
  if (expression !== "") return expression;
  throw new EnsembleError(`${file === "-" ? "standard input" : file} contains no expression`);
}

/** Parses a server's JSON. Programs read it, so it has to be valid. */
function readJson(text: string, serverId: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EnsembleError(`${serverId} answered with something that is not JSON`, {
      cause: error,
    });
  }
}
