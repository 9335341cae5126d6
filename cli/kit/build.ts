/**
 * The build of this program, its versions, and the Deno that it can run to bundle and compile.
 *
 * @module
 */
import configuration from "../../deno.json" with { type: "json" };
import { EnsembleError } from "../../runtime/errors.ts";

/**
 * What the build of an executable says of itself: its launcher leaves it in
 * `globalThis[Symbol.for("gxensemble.build")]` before the program starts. Nothing is there when the
 * program runs from its sources.
 */
export interface BuildDetails {
  /** Whether it unpacks the Deno that it brings, or was made by `deno compile`. */
  readonly form: "portable" | "compiled";
  /** The commit that it was built from. */
  readonly commit?: string;
  /** The day or the moment it was built. */
  readonly date?: string;
}

const BUILD = Symbol.for("gxensemble.build");

/** The platforms that Deno supports, for `--target`. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
] as const;

/** A platform. */
export type Target = typeof TARGETS[number];

/** Whether this process is a portable executable. */
export function isPortable(): boolean {
  return ownBuild()?.form === "portable";
}

function ownBuild(): BuildDetails | undefined {
  return (globalThis as { [BUILD]?: BuildDetails })[BUILD];
}

/** The statement with which a launcher passes on the details of a build. */
export function buildStatement(build: BuildDetails): string {
  return `globalThis[Symbol.for(${JSON.stringify(BUILD.description)})] = ${JSON.stringify(build)};`;
}

/**
 * Formats the version of gxensemble: its version and build on the first line, then those of its
 * runtime, one per line, as `deno --version` does.
 */
export function formatVersion(name: string): string {
  return formatLines(name, configuration.version, runtimeVersions());
}

/** Formats the version of a program that is built on this one; its own version may be unknown. */
export function formatProgramVersion(name: string, version: string | undefined): string {
  return formatLines(name, version, [
    `gxensemble ${configuration.version}`,
    ...runtimeVersions(),
  ]);
}

function formatLines(name: string, version = "", others: readonly string[]): string {
  const build = ownBuild();
  const origin = [
    ...(build?.commit ? [`commit ${build.commit}`] : []),
    ...(build?.date ? [`built ${build.date}`] : []),
  ];
  return [
    `${name} ${version && `${version} `}(${build?.form ?? "source"}, ${Deno.build.target})`,
    ...(origin.length > 0 ? [origin.join(", ")] : []),
    ...others,
  ].join("\n");
}

function runtimeVersions(): string[] {
  return Object.entries(Deno.version).map(([name, version]) => `${name} ${version}`);
}

/**
 * Finds the Deno to run: the one that runs this program, or the one on the path if this program is
 * an executable of `deno compile`.
 *
 * @throws {EnsembleError} if there is none.
 */
export async function findDeno(): Promise<string> {
  if (!Deno.build.standalone) return Deno.execPath();
  try {
    const { success, stdout } = await new Deno.Command("deno", {
      args: ["eval", "console.log(Deno.execPath())"],
      stderr: "null",
    }).output();
    if (success) return new TextDecoder().decode(stdout).trim();
  } catch {
    // There is none.
  }
  throw new EnsembleError(
    "this command needs Deno, and this gxensemble does not contain it: put deno on the PATH, or use the portable gxensemble",
  );
}

/** Options of {@linkcode runDeno}. */
export interface RunDenoOptions {
  /** The directory to run it in. Its configuration applies. */
  readonly cwd: string;
  /** Ends it early. */
  readonly signal: AbortSignal;
}

/**
 * Runs Deno and waits for its end. Returns whether it succeeded, and its standard error without
 * colors.
 */
export async function runDeno(
  deno: string,
  args: string[],
  { cwd, signal }: RunDenoOptions,
): Promise<{ success: boolean; said: string }> {
  const { success, stderr } = await new Deno.Command(deno, {
    args,
    cwd,
    signal,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
  }).output();
  return { success, said: new TextDecoder().decode(stderr).trim() };
}

/** Returns Deno's error message, without the error's name and traces of Deno's own code. */
export function denoReason(said: string): string {
  return said.replace(/\n+Stack backtrace:[^]*$/, "").replace(/^error: /gm, "")
    .replace(/\n*(error: )?bundling failed\s*$/, "").trim();
}
