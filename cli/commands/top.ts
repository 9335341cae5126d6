/**
 * `gxensemble top`.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { InvalidInputError } from "../../runtime/errors.ts";
import { parseSeconds } from "../../runtime/measures.ts";
import { quoted } from "../../runtime/safe_text.ts";
import { collecting, completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  logOption,
  passphraseFileOption,
  registryOption,
  supervisorOption,
  timeoutOption,
} from "../kit/options.ts";
import { isDumbTerminal } from "../kit/output.ts";
import {
  allOption,
  chosenServers,
  isSet,
  parseNames,
  rolesOption,
  ServersCommand,
} from "../kit/server_set_options.ts";
import { ACTOR_ORDERS, SERVER_ORDERS } from "../top/orders.ts";

/** The shortest interval, in ms. */
const LEAST_INTERVAL = 500;

/** The orders of both lists. */
const ORDERS = [...new Set([...SERVER_ORDERS, ...ACTOR_ORDERS])];

/** Shows servers, and the actors of one, live. */
export function topCommand(): CommandUnknownOpts {
  return new ServersCommand("top")
    .description("shows what servers use and do, live; Enter shows the actors of one")
    .addOption(
      completing(
        "nothing",
        new Option("--interval <seconds>", "the time between two looks")
          .default<number>(2_000, "2").argParser(reading(parseInterval)),
      ),
    )
    .addOption(
      completing(
        { noun: "order", words: ORDERS },
        new Option("--sort <order>", "the order of servers, and of actors where there is one")
          .default<string>("trouble").argParser(reading(parseOrder)),
      ),
    )
    .addOption(new Option("--once", "prints one look as text, and ends").default(false))
    .addOption(registryOption())
    .addOption(supervisorOption())
    .addOption(timeoutOption())
    .addOption(rolesOption())
    .addOption(allOption())
    .addOption(passphraseFileOption())
    .addOption(logOption("warning"))
    .addArgument(
      completing(
        "server list",
        new Argument(
          "[server-id...]",
          "the server ids, of one its actors; by default, all servers and the registry",
        ).argParser(collecting(parseNames)),
      ),
    )
    .addHelpText(
      "after",
      examples(
        ["see all servers, the worst first", "gxensemble top"],
        ["see the busiest actors of a server", "gxensemble top httpd1"],
        [
          "see the servers of a role by their mailboxes",
          "gxensemble top --role web --sort mailbox",
        ],
        [
          "note every ten seconds which actors take the most time",
          "gxensemble top --interval 10 --sort time httpd1 >top.txt",
        ],
      ),
    )
    .action(async (names = [], { role, all, once, sort, interval, ...options }, command) => {
      const chosen = chosenServers(names, { role, all, command });
      const isOne = chosen !== undefined && !isSet(chosen);
      const { withConsole } = await import("../kit/console.ts");
      const { Administrator } = await import("../kit/administrator.ts");
      const { runAsText, runOnScreen } = await import("../top/top.ts");
      const isOnScreen = !once && !isDumbTerminal() && Deno.stdin.isTerminal() &&
        Deno.stdout.isTerminal();
      await withConsole(options, async (actors, console) => {
        const top = {
          actors,
          administrator: new Administrator(console, options),
          set: isOne && isOnScreen ? undefined : chosen,
          opened: isOne ? names[0] : undefined,
          order: SERVER_ORDERS.find((each) => each === sort) ?? "trouble",
          actorOrder: ACTOR_ORDERS.find((each) => each === sort) ?? "mailbox",
          interval,
        };
        if (isOnScreen) await runOnScreen(top);
        else await runAsText({ ...top, once });
      });
    });
}

function parseInterval(text: string): number {
  const interval = parseSeconds(text, { isZeroAllowed: false });
  if (interval >= LEAST_INTERVAL) return interval;
  throw new InvalidInputError(`the shortest interval is ${LEAST_INTERVAL / 1000} s`);
}

function parseOrder(text: string): string {
  if ((ORDERS as readonly string[]).includes(text)) return text;
  throw new InvalidInputError(`not an order: ${quoted(text)}; use one of ${ORDERS.join(", ")}`);
}
