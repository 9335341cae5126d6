/**
 * Writing the files of a package to a host.
 *
 * @module
 */
import { dirname } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { isThere, readRegularFile, writeWhole } from "../../runtime/home/files.ts";
import type { Places } from "../../runtime/home/paths.ts";
import { modeOf, type PackagedFile, pathOf } from "./package_files.ts";

/** What became of the files of a package. */
export interface Unpacked {
  /** The paths of the files that were written. */
  readonly written: readonly string[];
  /** The paths of those that were there with the same contents. */
  readonly unchanged: readonly string[];
}

/**
 * Writes the files of a package below the directory of this host. Nothing is written if a file
 * differs from one that is there, unless `force` is set. Each file appears at once with its mode.
 *
 * @throws {EnsembleError} if a file differs, naming all that do, or one cannot be written.
 */
export async function unpackFiles(
  files: readonly PackagedFile[],
  { places, force }: { readonly places: Places; readonly force: boolean },
): Promise<Unpacked> {
  const unchanged: string[] = [];
  const differing: string[] = [];
  const left: PackagedFile[] = [];
  for (const file of files) {
    const path = pathOf(file.name, places);
    if (!await isThere(path)) left.push(file);
    else if (isSame(await readRegularFile(path), file.contents)) unchanged.push(path);
    else {
      differing.push(path);
      left.push(file);
    }
  }
  if (differing.length > 0 && !force) {
    const cookie = differing.includes(places.cookie)
      ? ": the cookie is that of another ensemble, or an older one"
      : "";
    throw new EnsembleError(
      `nothing was written, since these files exist and differ${cookie}: ${
        differing.join(", ")
      }; to replace them, ` +
        "pass -f",
    );
  }
  const written: string[] = [];
  // The cookie last: without it, nothing starts that would find only a part of the others.
  for (const file of left.toSorted((a, b) => rank(a) - rank(b))) {
    const path = pathOf(file.name, places);
    await makeDirectoryOf(path);
    await writeWhole(path, file.contents, { mode: modeOf(file.name), replace: force });
    written.push(path);
  }
  return { written, unchanged };
}

/** Makes the directory of a file. Only its owner can enter one that was not there. */
async function makeDirectoryOf(path: string): Promise<void> {
  try {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = (error as Error).message.replace(/ \(os error \d+\).*$/s, "");
    throw new EnsembleError(
      `cannot make the directory of ${path}: ${reason}; name one that you can write with -G, or run ` +
        "this as the user of the ensemble",
      { cause: error },
    );
  }
}

function rank({ name }: PackagedFile): number {
  return name === "cookie" ? 1 : 0;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
