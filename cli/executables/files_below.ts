/**
 * The files of a directory and of those below it.
 *
 * @module
 */
import { join } from "node:path";

/** The paths of all files below a directory, sorted. */
export async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    const path = join(directory, name);
    if (isDirectory) files.push(...await filesBelow(path));
    else files.push(path);
  }
  return files.sort();
}
