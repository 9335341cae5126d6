/**
 * `gxensemble cookie`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { findPlaces } from "../../runtime/home/paths.ts";
import { formatNotation, keyword } from "../../runtime/notation.ts";
import { examples } from "../kit/help_text.ts";
import {
  forceOption,
  jsonOption,
  type OutputOptions,
  passphraseFileOption,
  registryOption,
  timeoutOption,
  viewOption,
} from "../kit/options.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";
import {
  abortRotationOption,
  isRotation,
  requireRotation,
  rotateOption,
  type RotationChoice,
  rotationStatusOption,
} from "../kit/rotation_options.ts";

/** Generates the cookie of the ensemble, prints its fingerprint, or replaces it while servers run. */
export function cookieCommand(): CommandUnknownOpts {
  return new Command("cookie").description("generate a new ensemble cookie")
    .addOption(forceOption("replace a cookie that exists"))
    .addOption(viewOption())
    .addOption(jsonOption())
    .addOption(rotateOption("cookie"))
    .addOption(rotationStatusOption())
    .addOption(abortRotationOption())
    .addOption(passphraseFileOption())
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      examples(
        ["make the cookie, once, before the first server starts", "gxensemble cookie"],
        ["replace the cookie while servers run", "gxensemble cookie --rotate"],
        ["replace the cookie of this host alone, when no server runs", "gxensemble cookie -f"],
        ["show the fingerprint, to compare two hosts", "gxensemble cookie --view"],
      ),
    )
    .action(async (options, command) => {
      if (options.view) return await view(options);
      if (isRotation(options)) return await rotate(options);
      requireRotation(options, command);
      if (options.passphraseFile !== undefined) {
        command.error("--passphrase-file requires --rotate, --status or --abort");
      }
      const { createCookie } = await import("../../runtime/home/cookie.ts");
      printNotice(`the ensemble's cookie is in ${await createCookie(findPlaces(), options)}`);
    });
}

async function rotate(options: RotationChoice): Promise<void> {
  const { rotateAsTold } = await import("../rotation/secret_rotation.ts");
  const { generateCookie } = await import("../../runtime/home/cookie.ts");
  await rotateAsTold({
    ...options,
    name: "cookie",
    make: () => Promise.resolve(generateCookie()),
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
