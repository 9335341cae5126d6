/**
 * The options of the commands that replace a secret while servers run: `cookie` and `admin`.
 *
 * @module
 */
import { type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import type { Address } from "../../runtime/wire/address.ts";
import { completing } from "./declaration.ts";

/** What to do with a rotation. */
export interface RotationChoice {
  /** Whether to begin one, or to go on with it. */
  readonly rotate: boolean;
  /** Whether to print how far it is. */
  readonly status: boolean;
  /** Whether to give it up. */
  readonly abort: boolean;
  /** Whether to give the old secret up although servers lack the next one. */
  readonly force: boolean;
  /** Whether to print the result as JSON. */
  readonly json: boolean;
  /** The registry's addresses; empty if not given. */
  readonly registry: Address[];
  /** The timeout for each answer, in ms. */
  readonly timeout?: number | undefined;
}

/** `--rotate`, of a command that makes something. */
export const rotateOption = (what: string) =>
  new Option(
    "--rotate",
    `replaces the ${what} while servers run, or goes on with that: gives all hosts with supervisors the next one, then ` +
      "gives the old one up; with -f also if servers do not have the next one",
  ).default(false).conflicts(["view", "status", "abort"]);

/** `--status`. */
export const rotationStatusOption = () =>
  new Option("--status", "prints how far a rotation is, and changes nothing").default(false)
    .conflicts(["view", "force", "abort"]);

/** `--abort`. */
export const abortRotationOption = () =>
  new Option("--abort", "gives a rotation up, unless the new one is in use already").default(false)
    .conflicts(["view", "force"]);

/** `--new-passphrase-file`. */
export const newPassphraseFileOption = () =>
  completing(
    "files",
    new Option(
      "--new-passphrase-file <file>",
      "with --rotate, file whose first line is the passphrase for the next private key",
    ),
  );

/** Whether the options are about a rotation. */
export function isRotation({ rotate, status, abort }: RotationChoice): boolean {
  return rotate || status || abort;
}

/** Reports options that mean nothing without a rotation. */
export function requireRotation(
  options: Pick<RotationChoice, "json" | "registry" | "timeout"> & {
    readonly newPassphraseFile?: string;
  },
  command: CommandUnknownOpts,
): void {
  if (options.json) command.error("--json requires --view, --rotate, --status or --abort");
  const rest = "requires --rotate, --status or --abort";
  if (options.registry.length > 0) command.error(`--registry ${rest}`);
  if (options.timeout !== undefined) command.error(`--timeout ${rest}`);
  if (options.newPassphraseFile !== undefined) command.error(`--new-passphrase-file ${rest}`);
}
