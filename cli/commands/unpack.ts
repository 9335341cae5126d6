/**
 * `gxensemble unpack`.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { findPlaces } from "../../runtime/home/paths.ts";
import { completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  forceOption,
  jsonOption,
  type OutputOptions,
  passphraseFileOption,
} from "../kit/options.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { printJson, printLine, printNotice } from "../kit/output.ts";

/** Writes the files of a package to this host. */
export function unpackCommand(): CommandUnknownOpts {
  return new Command("unpack").description("writes the files of a package to this host")
    .addOption(forceOption("replace files that differ from those of the package"))
    .addOption(passphraseFileOption())
    .addOption(jsonOption())
    .addArgument(completing(
      "files",
      new Argument("<file>", "the package that gxensemble package made; - for standard input"),
    ))
    .addHelpText(
      "after",
      examples(
        ["set this host up", "gxensemble unpack web1.tar.gz"],
        ["set up another directory of the ensemble's state", "gxensemble -G /srv/gerbil unpack -"],
      ),
    )
    .action(async (file, options) => await unpack(file, options));
}

async function unpack(
  file: string,
  { force, json, ...options }: OutputOptions & PassphraseOptions & { force: boolean },
): Promise<void> {
  const { readArchive } = await import("../packages/package_archive.ts");
  const { unpackFiles } = await import("../packages/unpacking.ts");
  const places = findPlaces();
  const { server, by, made, files } = await readArchive(
    await decrypted(await readPackage(file), options),
  );
  const { written, unchanged } = await unpackFiles(files, { places, force });
  const { directory } = places;
  if (json) return printJson({ server, by, made, directory, written, unchanged });
  for (const path of unchanged) printLine(`... ${path} was there already`);
  for (const path of written) printLine(`... wrote ${path}`);
  printNotice(`this host has what ${server} needs, from ${by}, ${made}`);
}

async function decrypted(
  archive: Uint8Array<ArrayBuffer>,
  options: PassphraseOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { decryptArchive, isEncrypted } = await import("../packages/package_encryption.ts");
  if (!isEncrypted(archive)) return archive;
  const { askPassphrase } = await import("../kit/prompts.ts");
  return await decryptArchive(archive, await askPassphrase("passphrase of the package:", options));
}

async function readPackage(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const { readRegularFile, readWhole, unreadable } = await import("../../runtime/home/files.ts");
  try {
    if (file !== "-") return await readRegularFile(file);
    using input = await Deno.open("/dev/stdin");
    return await readWhole(input);
  } catch (error) {
    throw error instanceof Deno.errors.NotFound || file === "-"
      ? unreadable(file === "-" ? "standard input" : file, error)
      : error;
  }
}
