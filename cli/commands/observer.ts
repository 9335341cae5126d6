/**
 * `gxensemble observer`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { formatEndpoint, type InternetAddress, isLoopback } from "../../runtime/wire/address.ts";
import { InvalidInputError } from "../../runtime/errors.ts";
import { parseHttpAddress } from "../../runtime/wire/http_address.ts";
import { completing, reading } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import { logOption, passphraseFileOption, registryOption, timeoutOption } from "../kit/options.ts";

/** Where the page is served by default. */
const USUAL_ADDRESS = "127.0.0.1:4040";

/** Serves a page that shows the ensemble. */
export function observerCommand(): CommandUnknownOpts {
  return new Command("observer")
    .description("serves a web page that shows the ensemble, until it is stopped")
    .addOption(
      completing(
        "nothing",
        new Option(
          "--listen <address>",
          "serves the page at <host>:<port> of this host; with port 0, at any free one",
        ).default<InternetAddress>(parseHttpAddress(USUAL_ADDRESS), USUAL_ADDRESS)
          .argParser<InternetAddress>(reading(parseOwnAddress)),
      ),
    )
    .addOption(
      new Option(
        "--allow-actions",
        "lets the page shut actors down, set log levels and go back to earlier versions; each is " +
          "confirmed in this terminal",
      ).default(false),
    )
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addOption(passphraseFileOption())
    .addOption(logOption("warning"))
    .addHelpText(
      "after",
      examples(
        ["see the ensemble in a browser on this host", "gxensemble observer"],
        [
          "see it from another host, through ssh",
          "ssh -L 4040:127.0.0.1:4040 myhost gxensemble observer",
        ],
        ["also change something, and confirm it here", "gxensemble observer --allow-actions"],
      ),
    )
    .action(async (options) => {
      const { observe } = await import("../observer/observe.ts");
      await observe(options);
    });
}

/** Parses an address that only this host can connect to. */
function parseOwnAddress(text: string): InternetAddress {
  const address = parseHttpAddress(text);
  if (isLoopback(address.host)) return address;
  throw new InvalidInputError(
    `other hosts could connect to ${formatEndpoint(address)}, without encryption: use 127.0.0.1, ` +
      "and from another host ssh -L",
  );
}
