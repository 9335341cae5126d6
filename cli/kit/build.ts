/**
 * The build of this program, and its versions.
 *
 * @module
 */
import { VERSION } from "../../runtime/version.ts";

/**
 * The build details of an executable. Its launcher stores them in
 * `globalThis[Symbol.for("gxensemble.build")]` before the program starts. They are absent if the
 * program runs from its sources.
 */
export interface BuildDetails {
  /**
   * Whether it is portable, and unpacks the Deno that it contains, or was made by `deno compile`.
   */
  readonly form: "portable" | "compiled";
  /** The commit that it was built from. */
  readonly commit?: string;
  /** The day or time of the build. */
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
  return formatLines(name, VERSION, runtimeVersions());
}

/** Formats the version of a program that is built on this one; its own version may be unknown. */
export function formatProgramVersion(name: string, version: string | undefined): string {
  return formatLines(name, version, [
    `gxensemble ${VERSION}`,
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
