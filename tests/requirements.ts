/**
 * Requirements of some tests besides Deno, git, sh, tar, gzip and coreutils. If one is missing, the
 * test is skipped, and its name says why. `.ci/run` has all of them, and fails if a test was
 * skipped.
 *
 * @module
 */

/** A requirement of a test: the name of a program, or another condition. */
export type Need = string | { readonly name: string; readonly isMet: () => boolean };

/** The rights of root. */
export const ROOT: Need = { name: "root", isMet: () => Deno.uid() === 0 };

/** A Linux kernel. */
export const LINUX: Need = { name: "Linux", isMet: () => Deno.build.os === "linux" };

/** At least one of some programs. */
export function oneOf(...programs: string[]): Need {
  return {
    name: programs.join(" or "),
    isMet: () => programs.some((program) => findProgram(program) !== undefined),
  };
}

/** The right to mount file systems that only one process and its children see. */
export const MOUNTS: Need = {
  name: "mount namespaces",
  isMet: once(() => succeeds("unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt")),
};

/** The right to make network namespaces. */
export const NETWORKS: Need = {
  name: "network namespaces",
  isMet: once(() => succeeds("unshare", "--net", "ip", "link", "set", "lo", "up")),
};

/** Registers a test with requirements, or skips it and names the missing ones. */
export function testWith(needs: readonly Need[], test: Deno.TestDefinition): void {
  const missing = needs.filter((need) => !isMet(need)).map(nameOf);
  if (missing.length === 0) return Deno.test(test);
  Deno.test({ ...test, name: `${test.name} (needs ${missing.join(", ")})`, ignore: true });
}

/** The path of a program, if it is installed. */
export function findProgram(name: string): string | undefined {
  for (const directory of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(`${directory}/${name}`).isFile) return `${directory}/${name}`;
    } catch {
      // Not installed.
    }
  }
}

function isMet(need: Need): boolean {
  return typeof need === "string" ? findProgram(need) !== undefined : need.isMet();
}

function nameOf(need: Need): string {
  return typeof need === "string" ? need : need.name;
}

function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

function succeeds(program: string, ...args: string[]): boolean {
  if (findProgram(program) === undefined) return false;
  return new Deno.Command(program, { args, stdout: "null", stderr: "null" }).outputSync().success;
}
