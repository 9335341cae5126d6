/**
 * Projects on disk for tests.
 *
 * @module
 */
import { dirname, join } from "node:path";

/** A directory of source files that is removed when it is disposed of. */
export class TemporaryProject implements AsyncDisposable {
  /** Its absolute path. */
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes a project of these files, by relative path; objects are written as JSON. */
  static async make(files: Record<string, string | object>): Promise<TemporaryProject> {
    const directory = await Deno.realPath(await Deno.makeTempDir({ prefix: "gxensemble-test-" }));
    const project = new TemporaryProject(directory);
    for (const [path, content] of Object.entries(files)) await project.write(path, content);
    return project;
  }

  /** The absolute path of a file in it. */
  path(path: string): string {
    return join(this.directory, path);
  }

  /** Writes a file, and its directories. */
  async write(path: string, content: string | object): Promise<void> {
    const text = typeof content === "string" ? content : JSON.stringify(content);
    await Deno.mkdir(dirname(this.path(path)), { recursive: true });
    await Deno.writeTextFile(this.path(path), text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}
