/**
 * How a server of the ensemble is started: its options, and the grace, which is how long it may take to stop.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";
import type { CertificateTexts } from "../pki/certificates.ts";
import type { LogOptions } from "../home/log_options.ts";
import type { EnsembleServer } from "./ensemble_server.ts";

/** Options of `startServer`. */
export interface StartServerOptions {
  /** What the server does in the ensemble: others look servers up by role. */
  readonly roles?: readonly string[];
  /** Where to listen besides the server's UNIX socket: `["tcp://10.0.0.2:4001"]`. By default nowhere. */
  readonly listen?: readonly string[];
  /** Where others are told to reach it; by default where it listens. */
  readonly announce?: readonly string[] | undefined;
  /**
   * How long the server may take to stop, in ms; default 5000. Its actors may shut down in all of it but the
   * last 2 s, which are left to the program; of a grace below 4 s each has half.
   */
  readonly grace?: number;
  /**
   * Where the registry is: only these addresses are used. Without any, as in an empty list, it is where the environment
   * variable `ENSEMBLE_REGISTRY` says, else where the file `known-servers` in `$GERBIL_PATH/ensemble` says, else at its
   * UNIX socket on this host. The addresses of other servers in that file are used unless this option or the variable
   * names the registry.
   */
  readonly registry?: readonly string[] | undefined;
  /**
   * How the process logs, the audit log included: to standard error, from level `info` on, where nothing else is
   * said; `false` for not at all. A program that configures LogTape itself, before or later, is left alone.
   */
  readonly log?: LogOptions | false | undefined;
  /**
   * How its connections show that their ends live; by default every 15 s, and dead after 60 s of
   * silence: `{ interval: 15_000, timeout: 60_000 }`, in ms.
   */
  readonly heartbeat?: { readonly interval: number; readonly timeout: number } | undefined;
  /**
   * Modules of this program that shipped code may import by these specifiers, and then shares with it;
   * besides `@gxensemble/ensemble`, this runtime, which is always offered.
   */
  readonly library?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /**
   * Whether the server takes code from others: `load`, `eval` and REPLs. Without a loader all that is refused,
   * whoever asks. By default it has one.
   */
  readonly loader?: boolean;
  /**
   * Addresses of other servers by their ids, in place of the file `known-servers`. They are tried before those from the
   * registry. By default the file is read.
   */
  readonly knownServers?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * The secret that all servers of the ensemble share, in place of the file `cookie`: at least 16 bytes. Text is used as
   * UTF-8. A cookie in a file is 32 bytes.
   */
  readonly cookie?: Uint8Array | string | undefined;
  /** What the server proves its id with on TLS, and whom it trusts, in place of the files that `gxensemble ca` makes. */
  readonly certificates?: CertificateTexts | undefined;
  /**
   * The administrators' public key, SPKI PEM, in place of the file `admin.pub`. With a key, sensitive requests take
   * capabilities; `false` is for no key.
   */
  readonly adminKey?: string | false | undefined;
  /**
   * What other servers may do in this one, by their ids: `{ deployer: ["loader"] }`. It matters where capabilities are
   * enforced, and lasts until it is retracted. `gxensemble authorize` gives capabilities to one instance; these are for any
   * server that goes by the id.
   */
  readonly capabilities?: Readonly<Record<string, readonly string[]>> | undefined;
  /**
   * The directory of the ensemble's files, an absolute path: the cookie, keys, `known-servers`, and a directory for each
   * server. By default `$GERBIL_PATH/ensemble`, else `~/.gerbil/ensemble`.
   */
  readonly directory?: string | undefined;
  /**
   * The directory of the UNIX sockets, an absolute path that only this user may enter. By default
   * `$ENSEMBLE_SOCKET_DIR`, else `/tmp/ensemble`.
   */
  readonly socketDirectory?: string | undefined;
  /**
   * Aborted to give up the start: what was begun is undone, sockets included. It means nothing once the server has
   * started.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * The permissions of Deno that the process does without, for {@linkcode EnsembleServer.denied}. The server does not
   * take them away itself.
   */
  readonly denied?: readonly string[];
  /** Starts actors that must be there before anything reaches the server. */
  prepare?(server: EnsembleServer): void | Promise<void>;
}

/** How long a server and its program may take to stop, in ms, where nothing else is said. */
export const DEFAULT_GRACE = 5_000;

/** How much of the grace is the program's, after the server has stopped, in ms. */
const PROGRAM_RESERVE = 2_000;

/**
 * How long a server's actors may take to shut down, in ms: all of the grace but for 2 s, in which what was sent
 * arrives and the program cleans up after its server; of a grace below 4 s it is half.
 */
export function actorsShare(grace: number): number {
  return grace - Math.min(PROGRAM_RESERVE, grace / 2);
}

/**
 * Checks a grace given in ms.
 *
 * @throws {InvalidInputError} when it is none.
 */
export function requireGrace(grace: number): number {
  if (typeof grace === "number" && grace >= 0) return grace;
  throw new InvalidInputError(`not a grace in ms: ${grace}`);
}
