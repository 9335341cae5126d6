/**
 * Files that a program reads at run time, and takes along.
 *
 * @module
 */
import { dirname, join, relative } from "node:path";
import { EnsembleError } from "../../runtime/errors.ts";
import { filesBelow } from "./files_below.ts";

/** From where to where files are included. */
export interface Inclusion {
  /** The directory that they are below. */
  readonly from: string;
  /** The directory that they get the same places below, where the program's own files are. */
  readonly to: string;
  /** The real paths of what is left out when directories are included. */
  readonly except: readonly string[];
}

/**
 * Copies files, and all files of directories, to the places that they have below another directory. Links
 * are followed.
 *
 * @throws {EnsembleError} when one is not below the directory, cannot be read, is no file, or has the name of
 * one of the program's own.
 */
export async function includeFiles(paths: readonly string[], inclusion: Inclusion): Promise<void> {
  const { from, to, except } = inclusion;
  const taken = new Set(await filesBelow(to));
  for (const path of paths) {
    const name = relative(from, path);
    if (/^\.\.(?:$|[/\\])/.test(name)) {
      throw cannotInclude(
        path,
        `what is included is below the directory of the program's module, ${from}`,
      );
    }
    await include(path, join(to, name), { taken, except, within: [] });
  }
}

async function include(
  path: string,
  target: string,
  { taken, except, within }: {
    /** The program's own files. */
    taken: ReadonlySet<string>;
    except: readonly string[];
    /** The real paths of the directories that are being included. */
    within: readonly string[];
  },
): Promise<void> {
  try {
    const real = await Deno.realPath(path);
    if (except.includes(real)) return;
    const info = await Deno.stat(real);
    if (info.isDirectory) {
      if (within.includes(real)) throw cannotInclude(path, "it leads back to where it is");
      await Deno.mkdir(target, { recursive: true });
      for await (const { name } of Deno.readDir(real)) {
        const places = { taken, except, within: [...within, real] };
        await include(join(path, name), join(target, name), places);
      }
      return;
    }
    if (!info.isFile) throw cannotInclude(path, "it is neither a file nor a directory");
    if (taken.has(target)) {
      throw cannotInclude(path, "a part of the program itself has its name; rename it");
    }
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.copyFile(real, target);
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "it is not there"
      : (error as Error).message;
    throw cannotInclude(path, reason, error);
  }
}

function cannotInclude(path: string, reason: string, cause?: unknown): EnsembleError {
  return new EnsembleError(`cannot include ${path}: ${reason}`, { cause });
}
