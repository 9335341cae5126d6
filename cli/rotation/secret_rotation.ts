/**
 * Replacing a secret of the ensemble while its servers run: `gxensemble cookie --rotate` and
 * `gxensemble admin --rotate`.
 *
 * First all hosts get the next secret, and all servers accept both. Only then it becomes the current
 * one everywhere, and the old one is given up. Each step does nothing where it was done before, and
 * the file of the next secret on this host is removed last. So a rotation that was cut off goes on
 * when the command is run again.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";
import { hasAdminPrivateKey } from "../../runtime/pki/admin_key.ts";
import { isThere } from "../../runtime/home/files.ts";
import { findPlaces, type Places } from "../../runtime/home/paths.ts";
import {
  type RotatedName,
  RotatedSecret,
  type RotationState,
} from "../../runtime/pki/rotated_secret.ts";
import type { ActorServer } from "../../runtime/server/actor_server.ts";
import { registryClient } from "../../runtime/server/registry_protocol.ts";
import { shortFingerprint } from "../../runtime/server/credentials.ts";
import type { SecretsInUse } from "../../runtime/server/server_secrets.ts";
import { withConsole } from "../kit/console.ts";
import { printError, printJson, printLine, printNotice } from "../kit/output.ts";
import type { ClientOptions } from "../kit/options.ts";
import type { PassphraseOptions } from "../kit/prompts.ts";
import { formatNames } from "../kit/quantities.ts";
import type { RotationChoice } from "../kit/rotation_options.ts";
import { Administrators } from "./administrators.ts";
import { askAllServers, type ServerAnswer } from "./ensemble_servers.ts";
import { type HostAnswer, Hosts } from "./hosts.ts";

/** Which secret is rotated, and how. */
export interface RotationOptions extends ClientOptions, PassphraseOptions {
  /** The secret. */
  readonly name: RotatedName;
  /** The paths of this host. */
  readonly places: Places;
  /** Whether to give the old one up although a server or a host may not have the next one. */
  readonly force: boolean;
  /** Whether to print the result as JSON, in place of what is done. */
  readonly json: boolean;
  /** The file of the passphrase of the next private key. */
  readonly newPassphraseFile?: string | undefined;
}

/** Begins or goes on with a rotation, gives it up, or prints how far it is, as the options say. */
export async function rotateAsTold(
  { make, status, abort, ...options }: Omit<RotationOptions, "places" | "log"> & RotationChoice & {
    readonly make: () => Promise<Uint8Array>;
  },
): Promise<void> {
  const rotation = new SecretRotation({ ...options, places: findPlaces(), log: "warning" });
  if (status) await rotation.status();
  else if (abort) await rotation.abandon();
  else await rotation.rotate(make);
}

/** What a server or a host has: the old one, both, or the new one; or neither matters to it. */
type Standing = "old" | "both" | "new" | "unaffected";

/** The steps of a rotation. */
type Step = "none" | "distributing" | "retiring" | "done";

/** One rotation of a secret, or a look at it. */
export class SecretRotation {
  readonly #options: RotationOptions;
  readonly #secret: RotatedSecret;
  readonly #command: string;

  /** A rotation of a secret, from this host. */
  constructor(options: RotationOptions) {
    this.#options = options;
    this.#secret = new RotatedSecret(options.name, options.places);
    this.#command = options.name === "cookie" ? "gxensemble cookie" : "gxensemble admin";
  }

  /**
   * Begins a rotation, or goes on with the one that is under way, as far as it can.
   *
   * @param make makes the next secret on this host, if there is none.
   * @throws {EnsembleError} if it could not be finished, with what to do. The old secret is valid
   * until then.
   */
  async rotate(make: () => Promise<Uint8Array>): Promise<void> {
    let { next } = await this.#secret.state();
    if (next === undefined) {
      await this.#requireRegistry();
      ({ next } = await this.#secret.take(await make()));
      this.#say(`made ${this.#secret.nextPath}`);
    } else if (!await this.#canGoOn()) {
      throw new EnsembleError(
        `the next key pair was made on another host: this one has ${this.#secret.nextPath}, and not its private ` +
          `key: run "${this.#command} --rotate" there`,
      );
    }
    await this.#withConsole(async (console) => {
      await this.#distribute(console, next!);
      await this.#retire(console, next!);
    });
  }

  /** Gives the rotation that is under way up: the old secret stays. */
  async abandon(): Promise<void> {
    const { current, next } = await this.#secret.state();
    if (next === undefined) {
      throw new EnsembleError(`there is no ${this.#secret.nextPath}: no rotation is under way`);
    }
    if (current === next) throw this.#isTooLate();
    await this.#withConsole(async (console) => {
      const administrators = this.#administrators("current");
      const hosts = await this.#hosts(console, administrators);
      if ((await hosts.states()).some(({ secret }) => secret?.current === next)) {
        throw this.#isTooLate();
      }
      const answers = await hosts.abandon(next);
      const failed = this.#report(answers, (host) => WORDS[hostStanding(host, next)]);
      await this.#secret.abandon(next);
      if (this.#options.name === "admin.pub") {
        const { removeNextAdminPrivateKey } = await import("../../runtime/pki/admin_key.ts");
        await removeNextAdminPrivateKey(this.#options.places);
      }
      const servers = await this.#ask(console, { administrators, reread: true });
      const notTold = this.#reportServers(servers, { next, wanted: ["old", "unaffected"] });
      this.#print({ step: "none", next: undefined, hosts: answers, servers });
      const left = distinct([...failed, ...notTold]);
      if (left.length === 0) return;
      throw new EnsembleError(
        `${formatNames(left)} may still accept ${shortFingerprint(next)}: remove ` +
          `${this.#fileName()} there, and send SIGHUP to the servers`,
      );
    });
  }

  /**
   * Prints how far the rotation is, and changes nothing.
   *
   * @throws {EnsembleError} at the end, if a host or a server did not tell.
   */
  async status(): Promise<void> {
    const { current, next } = await this.#secret.state();
    await this.#withConsole(async (console) => {
      const administrators = this.#administrators("current");
      const [hosts, servers] = await Promise.all([
        this.#hosts(console, administrators).then((hosts) => hosts.states()),
        this.#ask(console, { administrators, reread: false }),
      ]);
      const step: Step = next === undefined
        ? "none"
        : next === current
        ? "retiring"
        : "distributing";
      this.#print({ step, next, hosts, servers });
      if (!this.#options.json) printLine(describeStep(step, { current, next }));
      const goal = next ?? current ?? "";
      const words = next === undefined ? OUTSIDE_WORDS : WORDS;
      const silentHosts = this.#report(hosts, (host) => words[hostStanding(host, goal)]);
      const wanted = Object.keys(words) as Standing[];
      const silent = this.#reportServers(servers, { next: goal, wanted, words });
      const unknown = distinct([...silentHosts, ...silent]);
      if (unknown.length === 0) return;
      const kind = this.#options.name === "cookie" ? "cookie" : "key pair";
      throw new EnsembleError(`it is not known which ${kind} ${formatNames(unknown)} can use`);
    });
  }

  /** Gives all hosts and servers the next secret. */
  async #distribute(console: ActorServer, next: string): Promise<void> {
    const administrators = this.#administrators("current");
    const contents = await this.#secret.next();
    const hosts = await this.#hosts(console, administrators);
    const given = await hosts.give({ contents, fingerprint: next });
    const failed = this.#report(given, (host) => WORDS[hostStanding(host, next)]);
    const servers = await this.#ask(console, { administrators, reread: true });
    const without = this.#reportServers(servers, { next, wanted: ["both", "new", "unaffected"] });
    const behind = this.#reportBehind(servers, next);
    const missing = distinct([...failed, ...without, ...behind]);
    if (missing.length === 0) return;
    if (this.#options.force) {
      return printNotice(`going on without ${formatNames(missing)}, since -f was given`);
    }
    this.#print({ step: "distributing", next, hosts: given, servers });
    const steps = this.#nextSteps(missing, {
      failed,
      others: (where) => `copy ${this.#secret.nextPath} to the ${where}hosts that do not have it`,
    });
    throw new EnsembleError(
      `the old one stays valid: ${formatNames(missing)} cannot do without it. ${
        steps[0]!.toUpperCase()
      }${steps.slice(1)}, ` +
        "or with -f to give the old one up nevertheless",
    );
  }

  /** Makes the next secret the current one everywhere, and gives the old one up. */
  async #retire(console: ActorServer, next: string): Promise<void> {
    const { name, places, force } = this.#options;
    const administrators = this.#administrators("next");
    const hosts = await this.#hosts(console, administrators);
    const using = await hosts.use(next);
    const failed = this.#report(using, describeUse);
    if (name === "admin.pub") {
      const { useNextAdminPrivateKey } = await import("../../runtime/pki/admin_key.ts");
      await useNextAdminPrivateKey(places);
    }
    await this.#secret.use(next);
    const servers = await this.#ask(console, { administrators, reread: true });
    const accepting = this.#reportServers(servers, { next, wanted: ["new", "unaffected"] });
    const left = distinct([...failed, ...accepting]);
    if (left.length > 0 && !force) {
      this.#print({ step: "retiring", next, hosts: using, servers });
      const steps = this.#nextSteps(left, {
        failed,
        others: (where) =>
          `rename ${this.#fileName()} to ${name} ${
            where === "" ? "there" : `on the ${where}hosts`
          }`,
      });
      throw new EnsembleError(`${formatNames(left)} may still accept the old one: ${steps}`);
    }
    const finished = await hosts.finish(next);
    const unfinished = this.#report(finished, () => undefined);
    if (unfinished.length > 0 && !force) {
      const steps = this.#nextSteps(unfinished, { failed: unfinished, others: () => "" });
      throw new EnsembleError(`the new one is in use, but the rotation is not finished: ${steps}`);
    }
    if (name === "admin.pub") {
      const { removeNextAdminPrivateKey } = await import("../../runtime/pki/admin_key.ts");
      await removeNextAdminPrivateKey(places);
    }
    await this.#secret.finish(next);
    this.#print({ step: "done", next, hosts: finished, servers });
    if (left.length > 0) printNotice(`${formatNames(left)} may still accept the old one`);
    this.#say(`the old one is given up; the new fingerprint is ${next}`);
  }

  /** Checks that the servers can be asked, before anything is begun. */
  async #requireRegistry(): Promise<void> {
    await this.#withConsole(async ({ actors }) => void await registryClient(actors).registries());
  }

  async #withConsole(work: (console: ActorServer) => Promise<void>): Promise<void> {
    const { log, registry, timeout } = this.#options;
    // It starts when this host has the next secret, which it needs at the end.
    await withConsole({ log, registry, timeout }, (_actors, console) => work(console));
  }

  /** Administrators who try the current or the next private key first. */
  #administrators(first: "current" | "next"): Administrators {
    const { name, passphraseFile, newPassphraseFile } = this.#options;
    const current = { ...passphraseFile !== undefined && { passphraseFile } };
    if (name === "cookie") return new Administrators([current]);
    const next = {
      isNext: true,
      ...newPassphraseFile !== undefined && { passphraseFile: newPassphraseFile },
    };
    return new Administrators(first === "current" ? [current, next] : [next, current]);
  }

  /** Whether this host has what it takes to go on with a rotation. */
  async #canGoOn(): Promise<boolean> {
    const { name, places } = this.#options;
    if (name === "cookie") return true;
    if (await isThere(places.nextAdminPrivateKey)) return true;
    const { current, next } = await this.#secret.state();
    return current === next && await hasAdminPrivateKey(places);
  }

  async #hosts(console: ActorServer, { elevating }: Administrators): Promise<Hosts> {
    const ownDirectory = await this.#secret.directory();
    return new Hosts(console, { name: this.#options.name, elevating, ownDirectory });
  }

  async #ask(
    console: ActorServer,
    { administrators, reread }: { administrators: Administrators; reread: boolean },
  ): Promise<ServerAnswer[]> {
    const { elevating } = administrators;
    const { timeout } = this.#options;
    return await askAllServers(console, { reread, elevating, timeout });
  }

  /** Prints a line for each host. Returns the supervisors that failed. */
  #report(
    answers: readonly HostAnswer[],
    describe: (host: HostAnswer) => string | undefined,
  ): string[] {
    return answers.flatMap((host) => {
      const { supervisor, error } = host;
      if (error !== undefined) {
        printError(`the host of ${supervisor}: ${error}`);
        return [supervisor];
      }
      const what = describe(host);
      if (what !== undefined) this.#say(`the host of ${supervisor} ${what}`);
      return [];
    });
  }

  /** Prints a line for each server. Returns those that are not as wanted. */
  #reportServers(
    answers: readonly ServerAnswer[],
    { next, wanted, words = WORDS }: {
      next: string;
      wanted: readonly Standing[];
      words?: typeof WORDS;
    },
  ): string[] {
    return answers.flatMap((answer) => {
      const { name, entry, secrets } = answer;
      if (!secrets) {
        printError(`${name}: ${answer.error}`);
        return [name];
      }
      const standing = this.#standing(secrets, next);
      const on = entry.host === undefined ? "" : ` on ${entry.host}`;
      if (wanted.includes(standing)) {
        this.#say(`${name} ${words[standing]}`);
        return [];
      }
      const kind = this.#options.name === "cookie" ? "cookie" : "adminKey";
      printError(
        secrets.given.includes(kind)
          ? `${name}${on}: its program passes the ${kind} as an option, so it has to be started with the new one`
          : `${name}${on} ${words[standing]}`,
      );
      return [name];
    });
  }

  /**
   * Reports clients that connected without the next secret. Servers that have it now were only told
   * later.
   */
  #reportBehind(answers: readonly ServerAnswer[], next: string): string[] {
    if (this.#options.name !== "cookie") return [];
    const has = new Set(
      answers.flatMap(({ entry, secrets }) =>
        secrets && this.#standing(secrets, next) !== "old" ? entry.id : []
      ),
    );
    const behind = new Map<string, string>();
    for (const { name, secrets } of answers) {
      for (const peer of secrets?.behind ?? []) if (!has.has(peer)) behind.set(peer, name);
    }
    return [...behind].sort().map(([peer, server]) => {
      printError(`${peer} connected with ${server} without the next cookie`);
      return peer;
    });
  }

  #standing({ cookies, adminKeys }: SecretsInUse, next: string): Standing {
    const own = this.#options.name === "cookie" ? cookies : adminKeys;
    if (own.length === 0) return "unaffected";
    if (!own.includes(next)) return "old";
    return own.length === 1 ? "new" : "both";
  }

  #say(line: string): void {
    if (!this.#options.json) printLine(`... ${line}`);
  }

  #print(
    { step, next, hosts, servers }: {
      step: Step;
      next: string | undefined;
      hosts: readonly HostAnswer[];
      servers: readonly ServerAnswer[];
    },
  ): void {
    const { json, name } = this.#options;
    if (!json) return;
    printJson({
      secret: name,
      step,
      next: next ?? null,
      hosts: hosts.map(({ supervisor, secret, error }) => ({
        supervisor,
        ...secret && { current: secret.current ?? null, next: secret.next ?? null },
        ...error !== undefined && { error },
      })),
      servers: servers.map(({ name, secrets, error }) => ({
        server: name,
        ...secrets && next !== undefined && { has: this.#standing(secrets, next) },
        ...error !== undefined && { error },
      })),
    });
  }

  /**
   * What to do after a step that failed: first on the hosts whose own reasons were printed, then on
   * those of the other servers.
   */
  #nextSteps(
    left: readonly string[],
    { failed, others }: {
      readonly failed: readonly string[];
      /** What to do there; `where` is "other " if some hosts failed. */
      others(where: string): string;
    },
  ): string {
    const mend = failed.length > 0 ? [`mend what failed on ${hostsOf(failed)}, see above`] : [];
    const isRest = left.some((name) => !failed.includes(name));
    const rest = isRest ? [others(failed.length > 0 ? "other " : "")] : [];
    return `${[...mend, ...rest].join("; ")}, then run "${this.#command} --rotate" again`;
  }

  #fileName(): string {
    return this.#secret.nextPath.split("/").at(-1)!;
  }

  #isTooLate(): EnsembleError {
    return new EnsembleError(
      `the new one is in use already: finish the rotation with "${this.#command} --rotate"`,
    );
  }
}

/** What is said of a server or a host. */
const WORDS: Readonly<Record<Standing, string>> = {
  old: "has the old one only",
  both: "accepts both",
  new: "accepts the new one only",
  unaffected: "enforces no capabilities, and needs no key",
};

/** What is said while no rotation is under way. */
const OUTSIDE_WORDS: typeof WORDS = {
  old: "has another one",
  both: "accepts another one, too",
  new: "has it",
  unaffected: WORDS.unaffected,
};

function describeStep(step: Step, { current, next }: RotationState): string {
  if (next === undefined) {
    const fingerprint = current ?? "unknown, since there is none on this host";
    return `no rotation is under way; the fingerprint is ${fingerprint}`;
  }
  const done = step === "retiring" ? "giving the old one up" : "giving all the next one";
  return `a rotation is under way, ${done}: the next fingerprint is ${next}`;
}

function describeUse(host: HostAnswer): string {
  return host.secret?.current === undefined ? WORDS.unaffected : "uses the new one";
}

function hostStanding({ secret }: HostAnswer, next: string): Standing {
  if (secret?.current === undefined) return "unaffected";
  if (secret.current === next) return "new";
  return secret.next === next ? "both" : "old";
}

function hostsOf(supervisors: readonly string[]): string {
  return `the ${supervisors.length === 1 ? "host" : "hosts"} of ${formatNames(supervisors)}`;
}

/** Names that may be those of servers and of the supervisors of their hosts, each once. */
function distinct(names: readonly string[]): string[] {
  return [...new Set(names)];
}
