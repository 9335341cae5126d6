/**
 * A plain HTTP file server of this checkout, and an environment that makes this host look like
 * another.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The content types that a file server sends, by file extension. For any other it sends none. */
export type ContentTypes = Record<string, string>;

/** Serves the files of the checkout that are in its repository or could be added. */
export class FileServer implements AsyncDisposable {
  readonly #files: Set<string>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  /**
   * A unique path, so that no other server has these URLs, even on the same port later: a
   * `DENO_DIR` can outlive a server.
   */
  readonly #root = `/${crypto.randomUUID()}/`;

  private constructor(files: Set<string>, types: ContentTypes) {
    this.#files = files;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(new URL(request.url).pathname, types),
    );
  }

  /** Starts a server on a free port of the loopback interface. */
  static async start(types: ContentTypes): Promise<FileServer> {
    const { code, stdout } = await new Deno.Command("git", {
      args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      cwd: ROOT,
    }).output();
    assert.equal(code, 0, "the tests are not run in a repository");
    return new FileServer(new Set(new TextDecoder().decode(stdout).split("\0")), types);
  }

  /** The URL of a file. */
  url(path: string): string {
    return `http://127.0.0.1:${this.#server.addr.port}${this.#root}${path}`;
  }

  /** Stops serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(pathname: string, types: ContentTypes): Promise<Response> {
    const path = pathname.slice(this.#root.length);
    if (!pathname.startsWith(this.#root) || !this.#files.has(path)) {
      return new Response("not found\n", { status: 404 });
    }
    const type = types[path.slice(path.lastIndexOf("."))];
    const headers = type === undefined ? undefined : { "Content-Type": type };
    return new Response(await Deno.readFile(`${ROOT}${path}`), { headers });
  }
}

/**
 * Makes a `DENO_DIR` without modules from any URL. Downloads from npm are shared with the tests'
 * own, because they are the same everywhere, and not what is tested.
 */
export async function makeDenoDirectory(directory: string): Promise<void> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(stdout));
  await Deno.mkdir(npmCache, { recursive: true });
  await Deno.mkdir(directory, { recursive: true });
  await Deno.symlink(npmCache, `${directory}/npm`);
}
