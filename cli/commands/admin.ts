/**
 * `gxensemble admin`.
 *
 * @module
 */
import { Command, type CommandUnknownOpts } from "npm:@commander-js/extra-typings@^15.1.0";
import { EnsembleError } from "../../runtime/errors.ts";
import { findPlaces, type Places } from "../../runtime/home/paths.ts";
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
import type { PassphraseOptions } from "../kit/prompts.ts";
import {
  abortRotationOption,
  isRotation,
  newPassphraseFileOption,
  requireRotation,
  rotateOption,
  type RotationChoice,
  rotationStatusOption,
} from "../kit/rotation_options.ts";

/** Generates the key pair of the ensemble's administrators, or prints its fingerprint. */
export function adminCommand(): CommandUnknownOpts {
  return new Command("admin").description("generate a new ensemble administrator key pair")
    .addOption(forceOption("replace a key pair that exists"))
    .addOption(viewOption())
    .addOption(jsonOption())
    .addOption(passphraseFileOption())
    .addOption(rotateOption("key pair"))
    .addOption(rotationStatusOption())
    .addOption(abortRotationOption())
    .addOption(newPassphraseFileOption())
    .addOption(registryOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      examples(
        ["make a key pair; asks for a passphrase for the private key", "gxensemble admin"],
        ["make a key pair in a script", "gxensemble admin --passphrase-file passphrase.txt"],
        ["replace the key pair while servers run", "gxensemble admin --rotate"],
        ["show the fingerprint, to compare two hosts", "gxensemble admin --view"],
      ),
    )
    .action(async (options, command) => {
      if (options.view) return await view(options);
      if (isRotation(options)) return await rotate(options);
      requireRotation(options, command);
      await generate(options);
    });
}

async function rotate(
  options: RotationChoice & PassphraseOptions & { newPassphraseFile?: string },
): Promise<void> {
  const { rotateAsTold } = await import("../rotation/secret_rotation.ts");
  const { makeNextAdminKey, readAdminPublicKey } = await import("../../runtime/pki/admin_key.ts");
  const { askNewPassphrase } = await import("../kit/prompts.ts");
  const places = findPlaces();
  const { newPassphraseFile } = options;
  const make = async () => {
    // Before the passphrase is asked for.
    if (!await readAdminPublicKey(places)) throw noPair(places);
    const passphrase = await askNewPassphrase("passphrase for the next administrator key:", {
      ...newPassphraseFile !== undefined && { passphraseFile: newPassphraseFile },
    });
    return new TextEncoder().encode(await makeNextAdminKey(places, passphrase));
  };
  await rotateAsTold({ ...options, name: "admin.pub", make });
}

async function generate(options: PassphraseOptions & { force: boolean }): Promise<void> {
  const { createAdminKey, requireNoAdminKey } = await import("../../runtime/pki/admin_key.ts");
  const { askNewPassphrase } = await import("../kit/prompts.ts");
  const places = findPlaces();
  if (!options.force) await requireNoAdminKey(places);
  const passphrase = await askNewPassphrase("passphrase for the administrator key:", options);
  await createAdminKey(places, { passphrase, force: options.force });
  printNotice(`the administrators' public key is in ${places.adminPublicKey}`);
  printNotice(`the private key is in ${places.adminPrivateKey}`);
  printNotice("servers enforce it after they are restarted");
}

/**
 * Prints the fingerprint of the public key, whose first 16 digits appear in the audit log, and the
 * paths of both halves: `(public-key: "9f86d0..." "/path")`, and `(private-key: "/path")` if this
 * host has it.
 */
async function view(options: OutputOptions): Promise<void> {
  const { hasAdminPrivateKey, readAdminPublicKey } = await import(
    "../../runtime/pki/admin_key.ts"
  );
  const { publicKeyFingerprint } = await import("../../runtime/server/credentials.ts");
  const places = findPlaces();
  const key = await readAdminPublicKey(places);
  if (!key) throw noPair(places);
  const fingerprint = await publicKeyFingerprint(key);
  const publicKey = places.adminPublicKey;
  const privateKey = await hasAdminPrivateKey(places) ? places.adminPrivateKey : null;
  if (options.json) return printJson({ fingerprint, publicKey, privateKey });
  printLine(formatNotation([keyword("public-key"), fingerprint, publicKey]));
  if (privateKey !== null) printLine(formatNotation([keyword("private-key"), privateKey]));
}

function noPair({ adminPublicKey }: Places): EnsembleError {
  return new EnsembleError(
    `there is no administrator key pair: no ${adminPublicKey}: make one with "gxensemble admin"`,
  );
}
