/**
 * The options to start a server, and its grace: the time that it has to stop.
 *
 * @module
 */
import type { MailboxOptions } from "../actor/mailbox.ts";
import { InvalidInputError } from "../errors.ts";
import { inspectBounded } from "../inspection.ts";
import { MAX_DELAY } from "../timeout.ts";
import type { CertificateTexts } from "../pki/certificates.ts";
import type { LogOptions } from "../home/log_options.ts";
import type { EnsembleServer } from "./ensemble_server.ts";

/**
 * Options of `startServer`.
 *
 * @example A server that other hosts reach
 * ```ts
 * import { startServer, type StartServerOptions } from "@gxensemble/ensemble";
 *
 * const options: StartServerOptions = {
 *   roles: ["web"],
 *   listen: ["tcp://10.0.0.2:4001"],
 *   registry: ["tcp://10.0.0.1:4000"],
 *   log: { level: "warning", format: "json" },
 * };
 * await using server = await startServer("web1", options);
 * ```
 */
export interface StartServerOptions {
  /** The server's roles: other servers look it up by role. */
  readonly roles?: readonly string[];
  /**
   * Additional addresses to listen on, besides the server's UNIX socket: `["tcp://10.0.0.2:4001"]`.
   * Default: none.
   */
  readonly listen?: readonly string[];
  /** Addresses to announce to the registry. Default: the addresses it listens on. */
  readonly announce?: readonly string[] | undefined;
  /**
   * Time that the server has to stop, in ms. Default: 5000. Its actors have all of it except the
   * last 2 s, which are for the program; if it is below 4 s, each has half.
   */
  readonly grace?: number;
  /**
   * The addresses of the registry, or of several that serve the same ensemble; only these are used. Those of this host
   * are preferred; a registry that does not answer is left for another. If empty or absent, they come from the
   * environment variable `ENSEMBLE_REGISTRY`, else from the file `known-servers` in
   * `$GERBIL_PATH/ensemble`, else the registry's UNIX socket on this host is used. The addresses of
   * other servers in that file are used unless this option or the variable names the registry.
   */
  readonly registry?: readonly string[] | undefined;
  /**
   * The log of the process, including the audit log. Default: to standard error, from level `info`;
   * `false` for none. If the program configures LogTape itself, before or later, this has no
   * effect.
   */
  readonly log?: LogOptions | false | undefined;
  /**
   * The heartbeat of its connections, in ms. Default: every 15 s, and closed after 60 s of silence:
   * `{ interval: 15_000, timeout: 60_000 }`.
   */
  readonly heartbeat?: { readonly interval: number; readonly timeout: number } | undefined;
  /**
   * Modules of this program that shipped code can import by these specifiers, and shares with the
   * program; in addition to `@gxensemble/ensemble`, this runtime.
   */
  readonly library?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /**
   * Whether to accept code from clients: `load`, `eval` and REPLs. Without a loader, all of that is
   * refused for everyone. Default: true.
   */
  readonly loader?: boolean;
  /**
   * Addresses of other servers by id, in place of the file `known-servers`. They are tried before
   * those from the registry. Default: the contents of the file.
   */
  readonly knownServers?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * The secret that all servers of the ensemble share, in place of the file `cookie`: at least 16
   * bytes. A text is encoded as UTF-8. The cookie in a file has 32 bytes.
   */
  readonly cookie?: Uint8Array | string | undefined;
  /** The TLS certificates of the server, in place of the files that `gxensemble ca` makes. */
  readonly certificates?: CertificateTexts | undefined;
  /**
   * The administrators' public key, SPKI PEM, in place of the file `admin.pub`. With a key,
   * privileged requests require capabilities; `false` for no key.
   */
  readonly adminKey?: string | false | undefined;
  /**
   * Capabilities of other servers in this one, by id: `{ deployer: ["loader"] }`. They matter if
   * capabilities are enforced, and last until they are retracted. `gxensemble authorize` grants
   * capabilities to one instance, in addition; these are for any instance with the id. `authorize
   * --list` has both.
   */
  readonly capabilities?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * The directory of the ensemble's files, an absolute path: the cookie, keys, `known-servers`, and
   * a directory for each server. Default: `$GERBIL_PATH/ensemble`, else `~/.gerbil/ensemble`.
   */
  readonly directory?: string | undefined;
  /**
   * The directory of UNIX sockets, an absolute path that only this user may enter. Default:
   * `$ENSEMBLE_SOCKET_DIR`, else `/tmp/ensemble`.
   */
  readonly socketDirectory?: string | undefined;
  /**
   * Whether to tell OpenTelemetry of messages, metrics and logs, for a program that starts its own
   * SDK before the server. Default: if Deno sends them, since `OTEL_DENO` is `true`.
   */
  readonly telemetry?: boolean | undefined;
  /** The bound of the mailboxes of actors that are started without one. Default: none. */
  readonly mailbox?: MailboxOptions | undefined;
  /**
   * Whether the server stays `starting` in the registry until the program calls `server.ready()`: lookups by role do not
   * give it until then. Default: false.
   */
  readonly holdReady?: boolean | undefined;
  /**
   * Whether it starts without the registry, if that cannot be reached or refuses it, and registers
   * as soon as it can.
   *
   * @internal
   */
  readonly registerLater?: boolean | undefined;
  /**
   * What a server does before it begins to stop.
   *
   * @internal
   */
  readonly beforeStop?: WorkBeforeStop | undefined;
  /** Cancels the start and removes its sockets. Ignored once the server has started. */
  readonly signal?: AbortSignal | undefined;
  /**
   * The Deno permissions that the process was started without, for {@linkcode
   * EnsembleServer.denied}. The server does not drop them itself.
   */
  readonly denied?: readonly string[];
  /** Starts actors that must exist before the server accepts anything. */
  prepare?(server: EnsembleServer): void | Promise<void>;
}

/** What a server does before it begins to stop, while others still reach it. */
export interface WorkBeforeStop {
  /** The time that it takes at most, in ms. */
  time(): number;
  /** Does the work. Called once. */
  work(): Promise<void>;
}

/**
 * Checks the roles and the heartbeat: other options are checked where they are used.
 *
 * @throws {InvalidInputError} if one is not valid.
 */
export function checkStartOptions({ roles = [], heartbeat }: StartServerOptions): void {
  const isRole = (role: unknown) => typeof role === "string" && role !== "";
  if (!Array.isArray(roles) || !roles.every(isRole)) {
    throw new InvalidInputError(`not a list of roles: ${inspectBounded(roles, { oneLine: true })}`);
  }
  const { interval, timeout } = heartbeat ?? { interval: 1, timeout: 2 };
  if (!(interval > 0 && interval <= MAX_DELAY && timeout > interval)) {
    throw new InvalidInputError(
      `not a heartbeat: ${
        inspectBounded(heartbeat, { oneLine: true })
      }: it has an interval in ms, ` +
        "and a longer timeout",
    );
  }
}

/** The default time that a server and its program have to stop, in ms. */
export const DEFAULT_GRACE = 5_000;

/** The part of the grace for the program, after the server has stopped, in ms. */
const PROGRAM_RESERVE = 2_000;

/**
 * The time that a server's actors have to shut down, in ms: all of the grace except 2 s, for
 * sending the last messages and for the program's clean-up; if the grace is below 4 s, half of it.
 */
export function actorsShare(grace: number): number {
  return grace - Math.min(PROGRAM_RESERVE, grace / 2);
}

/**
 * Checks a grace in ms.
 *
 * @throws {InvalidInputError} if it is not valid.
 */
export function requireGrace(grace: number): number {
  if (typeof grace === "number" && grace >= 0) return grace;
  throw new InvalidInputError(`not a grace in ms: ${grace}`);
}
