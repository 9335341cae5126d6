/**
 * The user that a server runs as, if its supervisor runs as root.
 *
 * @module
 */
import { EnsembleError } from "../../runtime/errors.ts";

/** A user of this host. */
export interface Account {
  /** Its name. */
  readonly name: string;
  /** Its user id. */
  readonly uid: number;
  /** The id of its main group. */
  readonly gid: number;
  /** Its home directory. */
  readonly home: string;
  /** Its shell. */
  readonly shell: string;
}

/**
 * Finds a user by name or id. Returns undefined if it is the user of this process.
 *
 * @throws {EnsembleError} if there is none, or this process cannot become that user.
 */
export async function findAccount(user: string): Promise<Account | undefined> {
  const account = parse(await passwordEntry(user));
  if (!account) throw new EnsembleError(`its user does not exist on this host: ${user}`);
  if (account.uid === Deno.uid()) return undefined;
  if (Deno.uid() !== 0) {
    throw new EnsembleError(`it cannot run as ${user}: the supervisor does not run as root`);
  }
  if (Deno.build.os !== "linux") {
    throw new EnsembleError(`it cannot run as ${user}: that needs setpriv, which only Linux has`);
  }
  return account;
}

/** The environment variables of a user's programs. */
export function accountVariables({ name, home, shell }: Account): Record<string, string> {
  return { HOME: home, USER: name, LOGNAME: name, SHELL: shell };
}

/**
 * The program that gives up the rights of root, and then becomes another program, with its
 * arguments. It is a part of util-linux. Deno could set the user, but not all of its groups.
 */
export function becoming({ uid, gid, name }: Account): string[] {
  const groups = name === `${uid}` ? "--clear-groups" : "--init-groups";
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, groups, "--"];
}

/** The line of passwd(5), also from a directory service where the system has one. */
async function passwordEntry(user: string): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("getent", {
      args: ["passwd", "--", user],
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    // This system has no getent.
    const lines = (await Deno.readTextFile("/etc/passwd").catch(() => "")).split("\n");
    return lines.find((line) => {
      const [name, , uid] = line.split(":");
      return name === user || uid === user;
    });
  }
}

function parse(line: string | undefined): Account | undefined {
  const [name, , uid, gid, , home, shell] = line?.split("\n")[0]?.split(":") ?? [];
  if (!name || !uid || !gid) return undefined;
  return {
    name,
    uid: Number(uid),
    gid: Number(gid),
    home: home || "/",
    shell: shell || "/bin/sh",
  };
}
