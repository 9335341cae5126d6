/**
 * The file `known-servers`: addresses of servers, which the user edits for all commands and servers
 * of this host.
 *
 * A line of the file has the id of a server and its addresses: `httpd1 tcp://10.0.0.1:4000
 * unix:/run/e/httpd1`. It may also be a list as `lookup` prints it: `(httpd1 (tcp:
 * "10.0.0.1:4000"))`. A `#` or `;` starts a comment.
 *
 * @module
 */
import { dirname } from "node:path";
import { checkServerId } from "../actor/references.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { formatNotation, isList, isSymbol, parseNotation } from "../notation.ts";
import { type Address, addressesFromData, formatAddressUrl } from "../wire/address.ts";
import { fileBehind, readRegularFile, withFileLock, writeWhole } from "./files.ts";

/** Addresses by server id, in the order of the file. */
export type KnownServers = ReadonlyMap<string, readonly Address[]>;

/** One line of the file. */
interface Line {
  /** The line without its line break. */
  readonly text: string;
  /** The server; absent in empty lines and comments. */
  readonly id?: string;
  /** The addresses of that server. */
  readonly addresses?: readonly Address[];
  /** The comment at its end, with its mark; empty without one. */
  readonly comment: string;
}

/** The mode of a new file; an existing one keeps its mode. */
const MODE = 0o644;

/**
 * The content of a line, and the comment after it. Strings and barred names contain no comments,
 * and a `#` starts one only after a space, since addresses may contain it.
 */
const CONTENT_AND_COMMENT = /^((?:"(?:[^"\\]|\\.)*"|\|(?:[^|\\]|\\.)*\||[^"|;#]|(?<=\S)#)*)(.*)$/s;

/** The file `known-servers`. */
export class KnownServersFile {
  /** Its path. */
  readonly path: string;

  /** Creates an accessor for the file. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Reads the file.
   *
   * @returns an empty map if there is no file.
   * @throws {EnsembleError} if it cannot be read or a line is wrong, naming the file and the line.
   */
  async read(): Promise<KnownServers> {
    const lines = await readLines(this.path) ?? [];
    return new Map(
      lines.flatMap(({ id, addresses }) => id && addresses ? [[id, addresses]] : []),
    );
  }

  /**
   * Adds addresses to those of a server.
   *
   * @returns its new addresses.
   * @throws {EnsembleError} if the file is wrong or cannot be written, as do the other changes.
   */
  add(id: string, addresses: readonly Address[]): Promise<readonly Address[]> {
    return this.#change(id, (old) => [...old, ...addresses]);
  }

  /** Replaces the addresses of a server. */
  set(id: string, addresses: readonly Address[]): Promise<readonly Address[]> {
    return this.#change(id, () => addresses);
  }

  /**
   * Removes addresses of a server, and its line with the last one; without addresses, removes all.
   *
   * @throws {EnsembleError} if an address, or the server, is not in the file.
   */
  remove(id: string, addresses: readonly Address[] = []): Promise<readonly Address[]> {
    return this.#change(id, (old) => {
      if (old.length === 0) throw this.unknown(id);
      if (addresses.length === 0) return [];
      const urls = new Set(old.map(formatAddressUrl));
      const removed = new Set(addresses.map(formatAddressUrl));
      for (const url of removed) {
        if (!urls.has(url)) {
          throw new EnsembleError(`${url} is not an address of ${id} in ${this.path}`);
        }
      }
      return old.filter((address) => !removed.has(formatAddressUrl(address)));
    });
  }

  /** Makes the error for a server that is not in the file. */
  unknown(id: string): EnsembleError {
    return new EnsembleError(`${id} is not in ${this.path}`);
  }

  /**
   * Changes the addresses of one server. All other lines, and the comment after its own, stay the
   * same. Concurrent changes are all applied. If one throws, the file is unchanged.
   */
  async #change(
    id: string,
    change: (addresses: readonly Address[]) => readonly Address[],
  ): Promise<readonly Address[]> {
    const { path } = this;
    try {
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new EnsembleError(`cannot write ${path}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    // The same file may be changed through another link.
    const target = await fileBehind(path);
    return await withFileLock(`${target}.lock`, async () => {
      const lines = await readLines(path) ?? [];
      const old = lines.find((line) => line.id === id);
      const changed = change(old?.addresses ?? []);
      const addresses = [
        ...new Map(changed.map((address) => [formatAddressUrl(address), address])).values(),
      ];
      const text = replaceLine(lines, { id, addresses, old }).map((each) => `${each}\n`).join("");
      await writeWhole(target, text, { mode: await modeOf(path), replace: true });
      return addresses;
    });
  }
}

/** Replaces the line of a server, removes it, or adds one at the end. */
function replaceLine(
  lines: readonly Line[],
  { id, addresses, old }: {
    id: string;
    addresses: readonly Address[];
    old: Line | undefined;
  },
): string[] {
  if (addresses.length === 0) return lines.filter((line) => line !== old).map(({ text }) => text);
  const entry = [id, ...addresses.map(formatAddressUrl)].join(" ");
  if (!old) return [...lines.map(({ text }) => text), entry];
  const text = old.comment === "" ? entry : `${entry} ${old.comment}`;
  return lines.map((line) => line === old ? text : line.text);
}

/** The lines of a file; undefined if there is none. */
async function readLines(path: string): Promise<Line[] | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new EnsembleError(`${path} is not UTF-8 text`);
  }
  const seen = new Map<string, number>();
  // The line break at the end does not start another line.
  return text.replace(/\n$/, "").split("\n").map((text, index) => {
    const fail = (why: string) => new EnsembleError(`${path}:${index + 1}: ${why}`);
    let line: Line;
    try {
      line = readLine(text);
    } catch (error) {
      if (error instanceof InvalidInputError) throw fail(error.message);
      throw error;
    }
    if (line.id === undefined) return line;
    const earlier = seen.get(line.id);
    if (earlier !== undefined) throw fail(`${line.id} has a line already: line ${earlier}`);
    seen.set(line.id, index + 1);
    return line;
  });
}

function readLine(text: string): Line {
  const [, content = "", rest = ""] = CONTENT_AND_COMMENT.exec(text) ?? [];
  // The rest of an unterminated string is not a comment.
  const comment = /^[#;]/.test(rest) ? rest : "";
  const data = parseNotation(comment === rest ? content : content + rest);
  const [first] = data;
  if (first === undefined) return { text, comment };
  const [name, ...addresses] = data.length === 1 && isList(first) ? first : data;
  if (name === undefined || !isSymbol(name)) {
    const found = name === undefined ? "()" : formatNotation(name);
    throw new InvalidInputError(`a server id expected at the beginning, not ${found}`);
  }
  const id = checkServerId(name.symbol);
  if (addresses.length === 0) throw new InvalidInputError(`no address of ${id}`);
  return { text, comment, id, addresses: addressesFromData(addresses) };
}

async function modeOf(path: string): Promise<number> {
  try {
    return ((await Deno.stat(path)).mode ?? MODE) & 0o777;
  } catch {
    return MODE;
  }
}
