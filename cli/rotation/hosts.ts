/**
 * The hosts that have supervisors, to which a rotation gives the next secret.
 *
 * @module
 */
import { listServers } from "../../runtime/ensemble/remote.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { inParallel } from "../../runtime/parallel.ts";
import { ownKernel } from "../../runtime/own_process.ts";
import type { RotatedName } from "../../runtime/pki/rotated_secret.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import type { Bytes } from "../../runtime/server/credentials.ts";
import { formatAddressUrl } from "../../runtime/wire/address.ts";
import { type HostSecret, secretFilesClient } from "../../supervisor/secret_files_protocol.ts";
import { SUPERVISOR_ROLE } from "../../supervisor/supervisor_protocol.ts";
import { explainFailure } from "../kit/console.ts";
import { AT_ONCE } from "../kit/server_set_options.ts";
import type { Elevating } from "./ensemble_servers.ts";

/** What a supervisor said of its host's files, or why it said nothing. */
export interface HostAnswer {
  /** The id of the supervisor. */
  readonly supervisor: string;
  /** The files of its host. */
  readonly secret?: HostSecret;
  /** Why they are not known, or were not changed. */
  readonly error?: string;
}

/** A host on which something is to be done. */
interface Host {
  readonly files: ReturnType<typeof secretFilesClient>;
  readonly supervisor: string;
  /** Its state before that. */
  readonly secret: HostSecret;
  /** Whether its files are those of this host. */
  readonly isHere: boolean;
}

/** The hosts of an ensemble that have supervisors. */
export class Hosts {
  readonly #console: ActorServer;
  readonly #name: RotatedName;
  readonly #elevating: Elevating;
  readonly #ownDirectory: string;

  /** Those that a console reaches. */
  constructor(
    console: ActorServer,
    { name, elevating, ownDirectory }: {
      readonly name: RotatedName;
      readonly elevating: Elevating;
      /** The directory of this host's files, see `RotatedSecret.directory`. */
      readonly ownDirectory: string;
    },
  ) {
    this.#ownDirectory = ownDirectory;
    this.#console = console;
    this.#name = name;
    this.#elevating = elevating;
  }

  /** The state of each. */
  states(): Promise<HostAnswer[]> {
    return this.#forEach(({ secret }) => Promise.resolve(secret));
  }

  /**
   * Gives each the next secret, unless it has it. It is sent only on connections that others on the
   * way can neither read nor change.
   */
  give(next: { readonly contents: Bytes; readonly fingerprint: string }): Promise<HostAnswer[]> {
    const name = this.#name;
    return this.#forEach(async ({ files, supervisor, secret }) => {
      if (secret.next === next.fingerprint) return secret;
      if (secret.current === next.fingerprint) return secret;
      this.#requireSecure(supervisor, secret);
      return await files.take({ name, contents: next.contents });
    });
  }

  /** Has each make the next secret the current one, too. */
  use(fingerprint: string): Promise<HostAnswer[]> {
    return this.#forEach(({ files }) => files.use({ name: this.#name, fingerprint }));
  }

  /** Has each other host end the rotation. On this one, it ends last, so that it can go on. */
  finish(fingerprint: string): Promise<HostAnswer[]> {
    return this.#forEach(async ({ files, secret, isHere }) =>
      isHere ? secret : await files.finish({ name: this.#name, fingerprint })
    );
  }

  /** Has each other host give the rotation up. */
  abandon(fingerprint: string): Promise<HostAnswer[]> {
    return this.#forEach(async ({ files, secret, isHere }) =>
      isHere ? secret : await files.abandon({ name: this.#name, fingerprint })
    );
  }

  /** Does work on each host, except on those that have no such secret, and need none. */
  async #forEach(work: (host: Host) => Promise<HostSecret>): Promise<HostAnswer[]> {
    const console = this.#console;
    const supervisors = await listServers(console.actors, { role: SUPERVISOR_ROLE });
    const sorted = supervisors.toSorted((a, b) => a.id < b.id ? -1 : 1);
    const boot = ownKernel()?.boot;
    const answers: HostAnswer[] = [];
    await inParallel([...sorted.entries()], {
      atOnce: AT_ONCE,
      work: async ([at, { id: supervisor, kernel }]) => {
        const isNear = kernel !== undefined && kernel.boot === boot;
        try {
          const files = secretFilesClient(console.actors, supervisor);
          const secret = await this.#elevating(
            { console, id: supervisor },
            async () => {
              const secret = await files.state({ name: this.#name });
              if (secret.current === undefined) return secret;
              const isHere = isNear && secret.directory === this.#ownDirectory;
              return await work({ files, supervisor, secret, isHere });
            },
          );
          answers[at] = { supervisor, secret };
        } catch (error) {
          if (!(error instanceof EnsembleError)) throw error;
          const { message } = await explainFailure(error, console.actors) as Error;
          answers[at] = { supervisor, error: message };
        }
      },
    });
    return answers;
  }

  #requireSecure(supervisor: string, { nextPath }: HostSecret): void {
    const address = this.#console.session(supervisor)?.address;
    if (address && address.kind !== "tcp") return;
    const at = address ? ` (${formatAddressUrl(address)})` : "";
    throw new EnsembleError(
      `the connection with it is not encrypted${at}, so the secret was not sent: copy the next one to ` +
        `${nextPath} there in a way of your own, such as scp, and run this command again`,
    );
  }
}
