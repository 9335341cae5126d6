/**
 * `gxensemble cookie`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatNotation, keyword } from "../../runtime/notation.ts";
import { examples } from "../kit/help_text.ts";
import { forceOption, jsonOption, type OutputOptions, viewOption } from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Generates the cookie of the ensemble, or prints its fingerprint. */
export function cookieCommand(): CommandUnknownOpts {
  return new Command("cookie").description("generate a new ensemble cookie")
    .addOption(forceOption("replace a cookie that exists"))
    .addOption(viewOption())
    .addOption(jsonOption())
    .addHelpText(
      "after",
      examples(
        ["make the cookie, once, before the first server starts", "gxensemble cookie"],
        ["replace the cookie; then restart all servers", "gxensemble cookie -f"],
        ["show the fingerprint, to compare two hosts", "gxensemble cookie --view"],
      ),
    )
    .action(async (options, command) => {
      if (options.view) return await view(options);
      if (options.json) command.error("--json requires --view");
      const { createCookie } = await import("../../runtime/home/cookie.ts");
      printNotice(`the ensemble's cookie is in ${await createCookie(findPlaces(), options)}`);
    });
}

/**
 * Prints the SHA-256 of the cookie, which shows whether two hosts have the same one: `(cookie:
 * "9f86d0..." "/path")`.
 */
async function view(options: OutputOptions): Promise<void> {
  const { readCookie } = await import("../../runtime/home/cookie.ts");
  const { fingerprintOf } = await import("../../runtime/server/credentials.ts");
  const places = findPlaces();
  const path = places.cookie;
  const fingerprint = await fingerprintOf(new Uint8Array(await readCookie(places)));
  if (options.json) return printJson({ fingerprint, path });
  printLine(formatNotation([keyword("cookie"), fingerprint, path]));
}
