/**
 * `gxensemble package`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { findPlaces } from "../../runtime/home/paths.ts";
import { type Address, parseAddresses } from "../../runtime/wire/address.ts";
import { collecting, completing } from "../kit/declaration.ts";
import { examples } from "../kit/help_text.ts";
import {
  forceOption,
  jsonOption,
  type OutputOptions,
  passphraseFileOption,
  serverIdArgument,
} from "../kit/options.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { printJson, printLine, printNotice, writeBytes } from "../kit/output.ts";

/** What the user of a package that is not encrypted has to know. */
const OPEN_SECRETS =
  "it has secrets, which make its holder a member of the ensemble: send it over an encrypted connection only, and " +
  "remove it when it is unpacked";

/** Puts what a host needs to run a server into one file. */
export function packageCommand(): CommandUnknownOpts {
  return new Command("package")
    .description("puts what a host needs to run a server into one file, for unpack")
    .addOption(completing(
      "files",
      new Option("-o, --output <file>", "the file to write, .tar.gz; - for standard output")
        .makeOptionMandatory(),
    ))
    .addOption(completing(
      "files",
      new Option(
        "--config <file>",
        "the ensemble's configuration [default: ensemble.jsonc in the state directory, if there is one]",
      ),
    ))
    .addOption(completing(
      "nothing",
      new Option(
        "--registry-at <addresses>",
        "addresses at which the host reaches the registry [default: those of known-servers or of the configuration]",
      ).default<Address[]>([]).argParser<Address[]>(collecting(parseAddresses)),
    ))
    .addOption(new Option("--encrypt", "encrypts it with a passphrase").default(false))
    .addOption(passphraseFileOption())
    .addOption(forceOption("replace the file if it exists"))
    .addOption(jsonOption())
    .addArgument(completing("servers", serverIdArgument()))
    .addHelpText(
      "after",
      examples(
        ["make a package for the host of web1", "gxensemble package web1 -o web1.tar.gz"],
        [
          "make one for a host with a supervisor and all its servers",
          "gxensemble package supervisor-host2 -o host2.tar.gz",
        ],
        [
          "say where the host reaches the registry",
          "gxensemble package --registry-at tls://10.0.0.1:4000 web1 -o web1.tar.gz",
        ],
        [
          "encrypt it with a passphrase, which is asked for",
          "gxensemble package --encrypt web1 -o web1.tar.gz.age",
        ],
        [
          "set a host up in one go",
          "gxensemble package web1 -o - | ssh host2 gxensemble unpack -",
        ],
      ),
    )
    .action(async (server, { output, ...options }, command) => {
      const isStream = output === "-";
      if (isStream && Deno.stdout.isTerminal()) {
        command.error("a package has secrets, and is no text: it is not written to a terminal");
      }
      if (options.passphraseFile !== undefined && !options.encrypt) {
        command.error("--passphrase-file requires --encrypt");
      }
      if (isStream && options.json) command.error("--json requires a file to write to");
      await makePackage(server, { ...options, output: isStream ? undefined : output });
    });
}

async function makePackage(
  server: string,
  { output, config, registryAt, encrypt, force, json, ...options }:
    & OutputOptions
    & PassphraseOptions
    & {
      /** The file; undefined for standard output. */
      output: string | undefined;
      config?: string;
      registryAt: Address[];
      encrypt: boolean;
      force: boolean;
    },
): Promise<void> {
  const { collectFiles } = await import("../packages/package_contents.ts");
  const { packArchive } = await import("../packages/package_archive.ts");
  const { operatorName } = await import("../kit/administrator.ts");
  const places = findPlaces();
  const { files, notices } = await collectFiles(server, {
    places,
    configuration: config,
    registry: registryAt,
  });
  const made = new Date().toISOString();
  const packed = await packArchive({ server, by: operatorName(), made, files });
  const archive = encrypt ? await encryptPacked(packed, options) : packed;
  if (output === undefined) writeBytes(archive);
  else await writeFile(output, { archive, force });
  for (const notice of notices) printNotice(notice);
  printNotice(encrypt ? "it has secrets: remove it when it is unpacked" : OPEN_SECRETS);
  if (output === undefined) return;
  if (json) {
    return printJson({
      file: output,
      server,
      files: files.map(({ name }) => name),
      notices,
    });
  }
  for (const { name } of files) printLine(`... ${name}`);
  printLine(`... wrote ${output}`);
}

async function encryptPacked(
  packed: Uint8Array<ArrayBuffer>,
  options: PassphraseOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { encryptArchive } = await import("../packages/package_encryption.ts");
  const { askNewPassphrase } = await import("../kit/prompts.ts");
  return await encryptArchive(
    packed,
    await askNewPassphrase("passphrase for the package:", options),
  );
}

async function writeFile(
  output: string,
  { archive, force }: { archive: Uint8Array; force: boolean },
): Promise<void> {
  const { writeWhole } = await import("../../runtime/home/files.ts");
  try {
    await writeWhole(output, archive, { mode: 0o600, replace: force });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new EnsembleError(`${output} exists already: name another file, or pass -f`, {
      cause: error,
    });
  }
}
