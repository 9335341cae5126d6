/**
 * The requests of a host's supervisor about its configuration, and about itself.
 *
 * @module
 */
import {
  type AnswerForms,
  type Check,
  flag,
  listOf,
  MAX_PATH,
  oneOf,
  optional,
  parts,
  type RequestForms,
  serverId,
  text,
  wholeNumber,
} from "../runtime/server/request_checks.ts";
import {
  type ConfigurationDifferences,
  type ConfigurationProblem,
  MAX_CONFIGURATION,
} from "./configuration/configuration.ts";
import { MAX_REASON, MAX_SUPERVISED, operator } from "./supervised_servers_protocol.ts";

/** The maximum number of problems in an answer. */
export const MAX_PROBLEMS = 200;

/** The maximum number of changed fields of a server in an answer. */
const MAX_FIELDS = 100;

/** The configuration file of a supervisor. */
export interface ConfigurationFile {
  /** Its path on the host. */
  readonly path: string;
  /** Its text. */
  readonly text: string;
  /** The SHA-256 of its text, in hex. */
  readonly hash: string;
}

/** A new text for the configuration file. */
export interface ConfigurationUpdate {
  /** The text. */
  readonly text: string;
  /** The hash of the text that it replaces: if the file has another by now, it is refused. */
  readonly expectedHash: string;
  /** Whether only to check it, and to say what it would do. */
  readonly dryRun: boolean;
  /** Who asks, for the log: `user@host`, as the console says. */
  readonly by: string;
}

/** The answer to a {@linkcode ConfigurationUpdate}. */
export interface ConfigurationOutcome {
  /** What is wrong or doubtful. If one is an error, nothing is changed. */
  readonly problems: ConfigurationProblem[];
  /** What it does, or would do; absent if there is an error. */
  readonly differences?: ConfigurationDifferences | undefined;
  /** Whether the file has the text now. */
  readonly written: boolean;
  /** The hash of the text. */
  readonly hash: string;
}

/** The handlers of a supervisor for its configuration and itself. */
export type HostConfigurationHandlers = {
  /** The configuration of a server, complete with all defaults, as JSON. Secrets are left out. */
  serverConfiguration(request: { id: string }): Promise<string>;
  /** The configuration file. */
  configuration(): Promise<ConfigurationFile>;
  /** Checks a new configuration, writes it to the file, and puts it into effect. */
  updateConfiguration(request: ConfigurationUpdate): Promise<ConfigurationOutcome>;
  /** Reads the file again and puts it into effect, as SIGHUP does. */
  reload(request: { by: string }): Promise<ConfigurationOutcome>;
  /**
   * Stops the servers in reverse order, and then the supervisor. The answer comes before that: the
   * time that it takes at most, in ms.
   * With `keepRegistry`, the registry that it has started goes on alone.
   */
  shutDownHost(
    request: { keepRegistry?: boolean | undefined; by: string },
  ): Promise<{ time: number }>;
  /** Replaces the process of the supervisor by a new one. Its servers go on. */
  restartSupervisor(request: { by: string }): Promise<void>;
};

/** The checks of their requests. */
export const hostConfigurationChecks: RequestForms<HostConfigurationHandlers> = {
  serverConfiguration: parts({ id: serverId }),
  configuration: parts({}),
  updateConfiguration: parts({
    text: text(MAX_CONFIGURATION),
    expectedHash: text(64),
    dryRun: flag,
    by: operator,
  }),
  reload: parts({ by: operator }),
  shutDownHost: parts({ keepRegistry: optional(flag), by: operator }),
  restartSupervisor: parts({ by: operator }),
};

const ids = listOf(serverId, MAX_SUPERVISED);

const fields = listOf(text(MAX_REASON), MAX_FIELDS);

const changes = listOf(parts({ id: serverId, fields }), MAX_SUPERVISED);

const outcome: Check<ConfigurationOutcome> = parts({
  problems: listOf(
    parts({
      severity: oneOf("error", "warning"),
      line: wholeNumber,
      column: wholeNumber,
      path: text(MAX_REASON),
      message: text(MAX_REASON),
    }),
    MAX_PROBLEMS,
  ),
  differences: optional(
    parts({
      started: ids,
      stopped: ids,
      restarted: changes,
      changed: changes,
      supervisor: fields,
    }),
  ),
  written: flag,
  hash: text(64),
});

/** The checks of their answers. */
export const hostConfigurationAnswers: AnswerForms<HostConfigurationHandlers> = {
  serverConfiguration: text(MAX_CONFIGURATION),
  configuration: parts({
    path: text(MAX_PATH),
    text: text(MAX_CONFIGURATION),
    hash: text(64),
  }),
  updateConfiguration: outcome,
  reload: outcome,
  shutDownHost: parts({ time: wholeNumber }),
};
