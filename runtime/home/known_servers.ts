/**
 * What this host knows of where servers are: the file `known-servers`, with addresses that a person gave for all commands
 * and servers of this host; the variable `ENSEMBLE_REGISTRY`; and the sockets.
 *
 * A line of the file has the id of a server and its addresses: `httpd1 tcp://10.0.0.1:4000 unix:/run/e/httpd1`. It may also be a list
 * as `lookup` prints it: `(httpd1 (tcp: "10.0.0.1:4000"))`. What follows a `#` or `;` is a comment.
 *
 * @module
 */
import { dirname } from "node:path";
import { checkServerId, REGISTRY_ID } from "../actor/references.ts";
import { EnsembleError, InvalidInputError } from "../errors.ts";
import { formatNotation, isList, isSymbol, parseNotation } from "../notation.ts";
import type { ServerLocations } from "../server/address_book.ts";
import {
  type Address,
  addressesFromData,
  formatAddressUrl,
  isLocal,
  localUnixAddress,
  parseAddresses,
} from "../wire/address.ts";
import { directoryOf } from "../wire/socket_directory.ts";
import { fileBehind, readRegularFile, withFileLock, writeWhole } from "./files.ts";
import type { Places } from "./paths.ts";

/** Addresses by server id, in the order of the file. */
export type KnownServers = ReadonlyMap<string, readonly Address[]>;

/** One line of the file. */
interface Line {
  /** The line as it is in the file, without its line break. */
  readonly text: string;
  /** The server that it is about; empty lines and comments are about none. */
  readonly id?: string;
  /** The addresses of that server. */
  readonly addresses?: readonly Address[];
  /** The comment at its end, with the mark before it; empty without one. */
  readonly comment: string;
}

/** Who may read a file that is made; one that there is keeps its mode. */
const MODE = 0o644;

/**
 * What a line says, and the comment after it. Within strings and barred names no comment begins, and a `#` begins one
 * only after a space: addresses may hold one.
 */
const CONTENT_AND_COMMENT = /^((?:"(?:[^"\\]|\\.)*"|\|(?:[^|\\]|\\.)*\||[^"|;#]|(?<=\S)#)*)(.*)$/s;

/** The file of the servers whose addresses are known. */
export class KnownServersFile {
  /** Where it is. */
  readonly path: string;

  /** Names the file. */
  constructor(path: string) {
    this.path = path;
  }

  /**
   * Reads the file.
   *
   * @returns nothing known where there is no file.
   * @throws {EnsembleError} when it cannot be read or a line is wrong, naming the file and the line.
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
   * @returns the addresses that it has now.
   * @throws {EnsembleError} when the file is wrong or cannot be written; so do the others.
   */
  add(id: string, addresses: readonly Address[]): Promise<readonly Address[]> {
    return this.#change(id, (old) => [...old, ...addresses]);
  }

  /** Puts addresses in the place of those of a server. */
  set(id: string, addresses: readonly Address[]): Promise<readonly Address[]> {
    return this.#change(id, () => addresses);
  }

  /**
   * Removes addresses of a server, and with the last of them its line; without any addresses all of them.
   *
   * @throws {EnsembleError} when one of them is not there, or the server.
   */
  remove(id: string, addresses: readonly Address[] = []): Promise<readonly Address[]> {
    return this.#change(id, (old) => {
      if (old.length === 0) throw this.unknown(id);
      if (addresses.length === 0) return [];
      const urls = new Set(old.map(formatAddressUrl));
      const removed = new Set(addresses.map(formatAddressUrl));
      for (const url of removed) {
        if (!urls.has(url)) {
          throw new EnsembleError(`${url} is no address of ${id} in ${this.path}`);
        }
      }
      return old.filter((address) => !removed.has(formatAddressUrl(address)));
    });
  }

  /** The error about a server that is not in the file. */
  unknown(id: string): EnsembleError {
    return new EnsembleError(`${id} is not in ${this.path}`);
  }

  /**
   * Changes the addresses of one server. All other lines stay as they are, and so does the comment after the server's
   * own. Of two changes at once none is lost, and one that throws leaves the file as it is.
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
    // The same file may be changed by way of another link.
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

/** The lines of the file with that of one server replaced, removed, or put at the end. */
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

/** The lines of a file; undefined where there is none. */
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
    throw new EnsembleError(`${path} is no text in UTF-8`);
  }
  const seen = new Map<string, number>();
  // The end of the last line begins no other.
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
  // What is left of a string without its end is no comment.
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

/** The environment variable that says where the registry is. */
const REGISTRY_VARIABLE = "ENSEMBLE_REGISTRY";

/**
 * Finds out where the registry is. The first of these that says so decides, and the others are not tried: the addresses
 * given, `ENSEMBLE_REGISTRY`, the file `known-servers`, the UNIX socket on this host.
 *
 * Where one of the first two says so, the servers are those of that registry, and nothing is taken from the file or from
 * this host's sockets: those may be of another ensemble, with servers of the same ids.
 *
 * @param options.registry where the registry is; empty when nothing was given.
 * @param options.known the addresses of servers, in place of the file.
 * @throws {InvalidInputError} when `ENSEMBLE_REGISTRY` holds no address.
 * @throws {EnsembleError} when `known-servers` is wrong.
 */
export async function locateServers(
  places: Places,
  { registry: given = [], known: instead }: {
    registry?: readonly Address[];
    known?: KnownServers | undefined;
  } = {},
): Promise<ServerLocations> {
  if (given.length > 0) {
    return ofRegistry(given, { advice: adviceFor(given), known: instead });
  }
  const named = readVariable();
  if (named.length > 0) {
    const advice = `${REGISTRY_VARIABLE} says that it is there; ${adviceFor(named)}`;
    return ofRegistry(named, { advice, known: instead });
  }
  const file = new KnownServersFile(places.knownServers);
  const known = instead ?? await file.read();
  const registry = known.get(REGISTRY_ID);
  const sockets = [places.socketDirectory];
  if (registry) {
    const source = instead ? "the option knownServers" : file.path;
    const advice = `${source} says that it is there; ${adviceFor(registry)}`;
    return locations({ registry, advice, known, sockets });
  }
  return locations({
    registry: [localUnixAddress(places.socket(REGISTRY_ID))],
    advice: "start a registry with: gxensemble registry",
    known,
    sockets,
  });
}

function readVariable(): Address[] {
  const text = Deno.env.get(REGISTRY_VARIABLE);
  if (!text) return [];
  try {
    const addresses = parseAddresses(text);
    if (addresses.length > 0) return addresses;
  } catch (error) {
    throw new InvalidInputError(`${REGISTRY_VARIABLE}: ${(error as Error).message}`);
  }
  throw new InvalidInputError(`${REGISTRY_VARIABLE} holds no address: ${JSON.stringify(text)}`);
}

/** Where a registry that was named is, and its servers: their UNIX sockets are beside the registry's. */
function ofRegistry(
  registry: readonly Address[],
  { advice, known = new Map() }: { advice: string; known: KnownServers | undefined },
): ServerLocations {
  const sockets = registry.flatMap((address) =>
    address.kind === "unix" && isLocal(address) ? directoryOf(address.path) : []
  );
  return locations({ registry, advice, known, sockets });
}

function locations({ registry, advice, known, sockets }: {
  registry: readonly Address[];
  advice: string;
  known: KnownServers;
  sockets: readonly string[];
}): ServerLocations {
  return {
    registry,
    registryAdvice: advice,
    known: new Map([...known].filter(([id]) => id !== REGISTRY_ID)),
    nearby: (id: string) => sockets.map((directory) => localUnixAddress(`${directory}/${id}`)),
  };
}

/** How to start a registry that is found at these addresses. */
function adviceFor(registry: readonly Address[]): string {
  const listen = registry.map((address) => `-l ${formatAddressUrl(address)}`).join(" ");
  return `start a registry there with: gxensemble registry ${listen}`;
}
