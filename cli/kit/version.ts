/**
 * What `--version` prints, of `gxensemble` and of `ensemble-registry`.
 *
 * @module
 */
import configuration from "../../deno.json" with { type: "json" };

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

/** The statement by which a launcher leaves the details of a build. */
export function buildStatement(build: BuildDetails): string {
  return `globalThis[Symbol.for(${JSON.stringify(BUILD.description)})] = ${JSON.stringify(build)};`;
}

/**
 * Writes the version of a program: its own and how it was built on the first line, then what it runs
 * on, a name and a version a line, as `deno --version` does.
 */
export function formatVersion(program: string): string {
  return formatLines(program, configuration.version, runtimeVersions());
}

/** The same for a program that is built on this one; its version may be unknown. */
export function formatProgramVersion(program: string, version: string | undefined): string {
  return formatLines(program, version, [
    `gxensemble ${configuration.version}`,
    ...runtimeVersions(),
  ]);
}

function formatLines(program: string, version = "", others: readonly string[]): string {
  const build = (globalThis as { [BUILD]?: BuildDetails })[BUILD];
  const origin = [
    ...(build?.commit ? [`commit ${build.commit}`] : []),
    ...(build?.date ? [`built ${build.date}`] : []),
  ];
  return [
    `${program} ${version && `${version} `}(${build?.form ?? "source"}, ${Deno.build.target})`,
    ...(origin.length > 0 ? [origin.join(", ")] : []),
    ...others,
  ].join("\n");
}

function runtimeVersions(): string[] {
  return Object.entries(Deno.version).map(([name, version]) => `${name} ${version}`);
}
