/**
 * The configuration of a host, as it is used: the file `ensemble.jsonc` with variables expanded,
 * defaults filled in, paths made absolute, and workers numbered.
 *
 * Times are in ms, and sizes in bytes.
 *
 * @module
 */
import type { LogFormat, LogLevel } from "../../runtime/home/log_options.ts";

/** The largest configuration, in bytes: enough for thousands of servers. */
export const MAX_CONFIGURATION = 2 ** 20;

/** The configuration of an ensemble, or of a part of it. */
export interface Configuration {
  /** The absolute path of the file that it was read from. */
  readonly path: string;
  /** The registry that the supervisors of some hosts run; absent if none does. */
  readonly registry?: RegistryConfiguration | undefined;
  /** What a server of each role is, by the role's name. */
  readonly roles: Readonly<Record<string, RoleConfiguration>>;
  /**
   * The servers of all hosts, with the numbered workers, in the order of the file: `servers` before
   * `workers`.
   */
  readonly servers: readonly ServerConfiguration[];
  /** The groups of numbered workers. */
  readonly workers: readonly WorkersConfiguration[];
  /** The supervisor of each host. */
  readonly supervisor: SupervisorConfiguration;
}

/** A process that a supervisor keeps running: the registry, a server, or another program. */
export interface ProcessConfiguration {
  /** The id of its server. */
  readonly id: string;
  /**
   * The hosts whose supervisors run it, each by the first label of its name; undefined for every
   * host that has the file.
   */
  readonly hosts: readonly string[] | undefined;
  /**
   * Whether the supervisor starts it by itself. One that is not enabled can be started by an
   * operator.
   */
  readonly enabled: boolean;
  /** Its environment variables, in addition to those of the supervisor. They replace `envFiles`. */
  readonly env: Readonly<Record<string, EnvironmentValue>>;
  /** Files with lines `NAME=value`, absolute paths. A later file replaces variables of an earlier. */
  readonly envFiles: readonly string[];
  /** Additional addresses to listen on. */
  readonly listen: readonly string[];
  /** Addresses to announce to the registry; undefined for those it listens on. */
  readonly announce: readonly string[] | undefined;
  /** Its log. */
  readonly log: LogConfiguration;
  /** Where it serves metrics and health checks, as `--http` takes it; undefined for nowhere. */
  readonly http: string | undefined;
  /** The file with the token for that, an absolute path. */
  readonly httpToken: string | undefined;
  /** Whether it accepts code from clients. */
  readonly loader: boolean;
  /** When it is restarted. */
  readonly restart: RestartConfiguration;
  /** How it starts. */
  readonly start: StartConfiguration;
  /** How it is stopped. */
  readonly stop: StopConfiguration;
  /** How its health is checked while it is up; undefined for not at all. */
  readonly health: HealthConfiguration | undefined;
  /** The resident memory above which it is restarted, in bytes; undefined for no limit. */
  readonly memoryLimit: number | undefined;
  /** The directory in which it runs, an absolute path. */
  readonly workingDirectory: string;
  /** The user that it runs as, if the supervisor runs as root; undefined for the supervisor's. */
  readonly user: string | undefined;
  /** The ids of servers that have to be up before it is started, without the registry. Sorted. */
  readonly after: readonly string[];
  /** The files of its standard output and standard error. */
  readonly output: OutputConfiguration;
}

/** The value of an environment variable: a text, or a file whose content is a secret. */
export type EnvironmentValue = string | { readonly file: string };

/** The log of a process, as `--log`, `--log-format` and `--log-file` have it. */
export interface LogConfiguration {
  /** The least severe level that is logged. */
  readonly level: LogLevel;
  /** Lines of text, or one JSON object per line. */
  readonly format: LogFormat;
  /**
   * The file, an absolute path, or `-` for the log in the server's directory; undefined for
   * standard error.
   */
  readonly file: string | undefined;
}

/** When a process is restarted that ended by itself. */
export interface RestartConfiguration {
  /**
   * `permanent` always, `transient` if it failed, `temporary` never. One that an operator stopped
   * stays stopped in any case.
   */
  readonly policy: "permanent" | "transient" | "temporary";
  /**
   * The delay before a restart: `min` ms at first, and `factor` times as long each time after that,
   * up to `max` ms.
   */
  readonly backoff: { readonly min: number; readonly max: number; readonly factor: number };
  /** The limit of restarts: at most `restarts` in any `within` ms. After that it stays down. */
  readonly intensity: { readonly restarts: number; readonly within: number };
  /** The time in ms that it has to be up for the delay to begin anew. */
  readonly resetAfter: number;
}

/** How a process starts. */
export interface StartConfiguration {
  /** The time that it has to become `up`, in ms. */
  readonly timeout: number;
}

/** How a process is stopped. */
export interface StopConfiguration {
  /** The signal that asks it to stop. */
  readonly signal: StopSignal;
  /** The time after that until it is killed with SIGKILL, in ms. */
  readonly killAfter: number;
}

/** The signals that can ask a process to stop. */
export const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const;

/** One of {@linkcode STOP_SIGNALS}. */
export type StopSignal = typeof STOP_SIGNALS[number];

/** How the health of a server is checked. */
export interface HealthConfiguration {
  /** An expression that has to be true in the server; undefined for a ping. */
  readonly expression: string | undefined;
  /** The time between two checks, in ms. */
  readonly interval: number;
  /** The time in ms within which each check has to be answered. */
  readonly timeout: number;
  /** The number of failures in a row after which the server is restarted. */
  readonly failures: number;
  /** The time from `up` until the first check, in ms. */
  readonly startAfter: number;
}

/** The files of a process's standard output and standard error. */
export interface OutputConfiguration {
  /** The size at which a new file begins, in bytes. */
  readonly size: number;
  /** The number of older files that are kept. */
  readonly keep: number;
}

/**
 * What a server of a role is, unless its own fields say otherwise. A server that an operator starts
 * under another id is like that.
 */
export interface RoleConfiguration
  extends Omit<ServerConfiguration, "id" | "hosts" | "enabled" | "program"> {
  /** What it runs; undefined if each server of the role says so itself. */
  readonly program: ProgramConfiguration | undefined;
}

/** A server, with all that its role says, or another program. */
export interface ServerConfiguration extends ProcessConfiguration {
  /** The name of its role in the configuration. */
  readonly role: string;
  /**
   * What it runs: a module in `gxensemble run`, an executable that `gxensemble compile` made, or
   * any other program.
   */
  readonly program: ProgramConfiguration;
  /** Arguments of the module's `main`, or of the program. */
  readonly args: readonly string[];
  /** The roles that it registers. */
  readonly roles: readonly string[];
  /** The addresses of the registry; empty for those that every server of the host uses. */
  readonly registry: readonly string[];
  /** The time that its actors and `main` have to stop, in ms. */
  readonly grace: number;
  /** The Deno permissions that it does not get, as `--deny` takes them. */
  readonly deny: readonly string[];
  /**
   * The capabilities of other servers in this one, by id: those it gives, and those that others in
   * the file are granted here.
   */
  readonly capabilities: Readonly<Record<string, readonly string[]>>;
}

/** What a process runs. */
export interface ProgramConfiguration {
  /**
   * `module`: `gxensemble run` runs it. `executable`: takes the options of `gxensemble run`.
   * `plain`: takes only its arguments; it is no server of the ensemble, so it counts as up while it
   * runs.
   */
  readonly kind: "module" | "executable" | "plain";
  /** The file, an absolute path. */
  readonly path: string;
}

/** A registry that a supervisor runs, with the options of `gxensemble registry`. Its id is `registry`. */
export interface RegistryConfiguration extends ProcessConfiguration {
  /** The store for its entries, as `--store` takes it. */
  readonly store: string;
  /** The user of a store in etcd. */
  readonly storeUser: string | undefined;
  /** The file with the password of that user, an absolute path, as the files below. */
  readonly storePasswordFile: string | undefined;
  /** The file with the certificates of the authorities of the etcd members. */
  readonly storeCa: string | undefined;
  /** The client certificate for etcd. */
  readonly storeCert: string | undefined;
  /** The private key of the client certificate. */
  readonly storeKey: string | undefined;
  /** How long a server counts as reachable after it was last heard, in ms. */
  readonly lease: number;
}

/** A group of servers that differ by a number: `worker-0`, `worker-1`. */
export interface WorkersConfiguration {
  /** The name of their role. */
  readonly role: string;
  /** What their ids begin with, before `-` and the number. */
  readonly prefix: string;
  /** How many there are. */
  readonly count: number;
  /** The hosts on which they run, as {@linkcode ProcessConfiguration.hosts}. */
  readonly hosts: readonly string[] | undefined;
}

/** The supervisor of each host. */
export interface SupervisorConfiguration {
  /** Additional addresses to listen on. */
  readonly listen: readonly string[];
  /** Addresses to announce to the registry; undefined for those it listens on. */
  readonly announce: readonly string[] | undefined;
  /** The addresses of the registry; empty for those that every server of the host uses. */
  readonly registry: readonly string[];
  /** Its log. */
  readonly log: LogConfiguration;
  /** Where it serves metrics and health checks, as `--http` takes it; undefined for nowhere. */
  readonly http: string | undefined;
  /** The file with the token for that, an absolute path. */
  readonly httpToken: string | undefined;
  /** Whether operators may run programs on the host. */
  readonly executor: boolean;
  /** Whether operators may upload files to the host. */
  readonly filesystem: boolean;
  /** The limits of uploads. */
  readonly uploads: {
    /** The directory of uploaded files, an absolute path. */
    readonly directory: string;
    /** The size of all uploaded files, in bytes. */
    readonly limit: number;
  };
}

/** In place of a host, for reading a configuration where no process of it runs: their files are not there. */
export const NO_HOST = "-";

/**
 * In place of a host, for reading a configuration for development: the servers of all hosts run here,
 * without the registry, the supervisors, and what {@linkcode ReadingOptions.servers} leaves out.
 */
export const EVERY_HOST = "*";

/** The fields of a server that do not apply where the servers of {@linkcode EVERY_HOST} run. */
export const HOST_FIELDS: ReadonlySet<string> = new Set([
  ...["announce", "capabilities", "health", "host", "listen", "memoryLimit", "output", "registry"],
  ...["restart", "start", "user"],
]);

/** Whether a process belongs to a host, which is named by the first label of its name. */
export function runsOn({ hosts }: Pick<ProcessConfiguration, "hosts">, host: string): boolean {
  return hosts === undefined || hosts.includes(host);
}

/** The processes of a host: the registry first, then its servers in the order of the file. */
export function processesOn(
  { registry, servers }: Pick<Configuration, "registry" | "servers">,
  host: string,
): (RegistryConfiguration | ServerConfiguration)[] {
  return [...registry ? [registry] : [], ...servers].filter((process) => runsOn(process, host));
}

/** The first label of a host's name. */
export function hostLabel(name: string): string {
  return name.split(".")[0]!;
}

/** Something wrong or doubtful in the file, at a position in it. */
export interface ConfigurationProblem {
  /** With an error, the configuration cannot be used. */
  readonly severity: "error" | "warning";
  /** The line, from 1. */
  readonly line: number;
  /** The column, from 1, in characters. */
  readonly column: number;
  /** The field: `servers.shop1.role`; empty for the whole file. */
  readonly path: string;
  /** What is wrong, what is expected, and what to do. */
  readonly message: string;
}

/** What was read from a file. */
export interface ConfigurationReading {
  /** The configuration; undefined if there is an error. */
  readonly configuration: Configuration | undefined;
  /** The text of the file, from which it was read. */
  readonly text: string;
  /** The SHA-256 of the file's bytes, in hexadecimal. */
  readonly hash: string;
  /** All that is wrong or doubtful, in the order of the file. */
  readonly problems: readonly ConfigurationProblem[];
  /** The files that it names and that were looked at, absolute paths; they may be missing. */
  readonly files: readonly string[];
}

/** How a configuration is read. */
export interface ReadingOptions {
  /**
   * The first label of the host's name, {@linkcode NO_HOST} or {@linkcode EVERY_HOST}. Default: that
   * of this host.
   */
  readonly host?: string | undefined;
  /** For {@linkcode EVERY_HOST}, the ids of the servers that run. Default: all that are enabled. */
  readonly servers?: readonly string[] | undefined;
  /** The environment for `${NAME}`. Default: that of this process. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** The directory of the ensemble's state, for uploads. Default: that of this process. */
  readonly directory?: string | undefined;
}

/** What has to happen for a configuration to replace another one. */
export interface ConfigurationDifferences {
  /** The ids of processes to start. */
  readonly started: readonly string[];
  /**
   * The ids of processes to stop, since they are no longer in the file, not on this host, or not
   * enabled.
   */
  readonly stopped: readonly string[];
  /** The processes to restart, with the fields that require it. */
  readonly restarted: readonly ChangedProcess[];
  /** The processes that change without a restart, with the fields. */
  readonly changed: readonly ChangedProcess[];
  /** The fields of the supervisor itself that apply after it restarts. */
  readonly supervisor: readonly string[];
}

/** A process whose configuration changes. */
export interface ChangedProcess {
  /** Its id. */
  readonly id: string;
  /** The fields that change: `env.PORT`, `restart.policy`. */
  readonly fields: readonly string[];
}
