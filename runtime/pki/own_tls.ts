/**
 * The TLS files of a server, if it has some. The code that reads certificates takes time to load, and few servers and
 * consoles need it.
 *
 * @module
 */
import type { ServerId } from "../actor/references.ts";
import { serverTlsPaths } from "../home/paths.ts";
import { sharedId } from "../server/certified.ts";
import type { TlsFiles } from "./tls_files.ts";

/**
 * Reads the TLS files of a server; those that it shares with others of its kind, where it has none of its own.
 *
 * @returns undefined when it has none.
 * @throws {EnsembleError} as {@linkcode TlsFiles.read} does.
 */
export async function readOwnTls(id: ServerId): Promise<TlsFiles | undefined> {
  const { certificate, key } = serverTlsPaths(id);
  if (!await isThere(certificate) && !await isThere(key)) {
    const shared = sharedId(id);
    return shared && await readOwnTls(shared);
  }
  const { TlsFiles } = await import("./tls_files.ts");
  return await TlsFiles.read(id);
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    // Any other error is that of reading it.
    return !(error instanceof Deno.errors.NotFound);
  }
}
