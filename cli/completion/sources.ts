/**
 * What completes the arguments of commands and the values of options.
 *
 * @module
 */
import type { Argument, CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { KNOWN_CAPABILITIES } from "../../runtime/server/capabilities.ts";
import { LOG_LEVELS } from "../../runtime/home/log_options.ts";
import { PERMISSIONS } from "../kit/permissions.ts";
import { commandPath } from "../kit/command_line.ts";

/** Where candidates come from. */
export type Source =
  /** Nothing can be known of it. */
  | { readonly from: "nothing" }
  /** The shell completes the names of files. */
  | { readonly from: "files" }
  /** The commands of the program. */
  | { readonly from: "commands" }
  /**
   * The servers that the registry knows; and itself, which it does not list, where that makes sense; several in a
   * list.
   */
  | { readonly from: "servers"; readonly registry?: boolean; readonly list?: boolean }
  /** The same, or with `--role` their roles. */
  | { readonly from: "servers-or-roles" }
  /** The actors in the server that the first argument names. */
  | { readonly from: "actors" }
  /** Those that have capabilities in the server that the first argument names. */
  | { readonly from: "authorized" }
  /** The servers in the file `known-servers`. */
  | { readonly from: "known" }
  /** The servers that have certificates which can be revoked. */
  | { readonly from: "certified" }
  /** The roles that servers have, in a list. */
  | { readonly from: "roles" }
  /** Words that are always the same; in small letters where those are typed; several in a list. */
  | {
    readonly from: "words";
    readonly noun: string;
    readonly words: readonly string[];
    readonly anyCase?: boolean;
    readonly list?: boolean;
  };

const NOTHING: Source = { from: "nothing" };
const FILES: Source = { from: "files" };

/** The ensemble's own; nothing can be known of those of programs. */
const CAPABILITIES: Source = {
  from: "words",
  noun: "capability",
  words: KNOWN_CAPABILITIES,
  list: true,
};

/**
 * By the name of the argument, or of the value in an option's flags; before it stands the command where
 * that matters. A test sees to it that all are here.
 */
const SOURCES: Readonly<Record<string, Source>> = {
  "addresses": NOTHING,
  "actor-id": { from: "actors" },
  "authorized-server-id": { from: "servers" },
  "retract authorized-server-id": { from: "authorized" },
  "capabilities": CAPABILITIES,
  "command": { from: "commands" },
  "expr": NOTHING,
  "known-server-id": { from: "known" },
  "main-args": FILES,
  "module-id": FILES,
  "server-id": { from: "servers", registry: true },
  ...Object.fromEntries(
    ["load", "eval", "shutdown", "authorize", "retract"].map((command) => [
      `${command} server-id`,
      { from: "servers", registry: true, list: true },
    ]),
  ),
  "ca revoke server-id": { from: "certified" },
  // A new one.
  "run server-id": NOTHING,
  "server-or-role": { from: "servers-or-roles" },

  "announce": NOTHING,
  "days": NOTHING,
  "dir": FILES,
  "domain": NOTHING,
  "file": FILES,
  "host": NOTHING,
  "library-prefix": NOTHING,
  "listen": NOTHING,
  "logging": { from: "words", noun: "log level", words: LOG_LEVELS, anyCase: true },
  "logging-file": FILES,
  "path": FILES,
  "permissions": { from: "words", noun: "permission", words: PERMISSIONS, list: true },
  "registry": NOTHING,
  "roles": { from: "roles" },
  "seconds": NOTHING,
  "store": { from: "words", noun: "store", words: ["memory:", "sqlite:"] },
};

/** What completes an argument or the value of an option; undefined where nothing is known to complete it. */
export function sourceOf(
  command: CommandUnknownOpts,
  taker: Argument | Option,
): Source | undefined {
  const name = valueName(taker);
  if (taker.argChoices) return { from: "words", noun: name, words: taker.argChoices };
  return SOURCES[`${commandPath(command)} ${name}`] ?? SOURCES[name];
}

function valueName(taker: Argument | Option): string {
  if (!("flags" in taker)) return taker.name();
  return /[<[]([^>\]]+)/.exec(taker.flags)?.[1] ?? "";
}
