/**
 * Profiles as files on the operator's host.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import { EnsembleError } from "../../runtime/errors.ts";
import { syncDirectoryOf } from "../../runtime/home/files.ts";
import { shorten } from "../../runtime/safe_text.ts";
import type { ObserverHandlers } from "../../runtime/observation/observer_protocol.ts";
import type { KeptProfile } from "../../runtime/observation/profile_protocol.ts";

/**
 * Fetches a profile into a file, which only its user may read, since it has all that the program
 * knows.
 *
 * @param options.onPart called with the number of bytes so far.
 * @throws {EnsembleError} if the file exists and must not be replaced, or cannot be written.
 */
export async function fetchProfile(
  observer: Client<ObserverHandlers>,
  { profile, size }: KeptProfile,
  { path, replace, onPart }: {
    readonly path: string;
    readonly replace: boolean;
    readonly onPart: (bytes: number) => void;
  },
): Promise<void> {
  const draft = `${path}.${crypto.randomUUID()}`;
  try {
    using file = await Deno.open(draft, { write: true, createNew: true, mode: 0o600 });
    for (let offset = 0; offset < size;) {
      const part = await observer.readProfile({ profile, offset });
      for (let written = 0; written < part.length;) {
        written += await file.write(part.subarray(written));
      }
      offset += part.length;
      onPart(offset);
    }
    await file.sync();
    await (replace ? Deno.rename(draft, path) : Deno.link(draft, path));
    await syncDirectoryOf(path);
  } catch (error) {
    if (error instanceof EnsembleError) throw error;
    if (error instanceof Deno.errors.AlreadyExists) throw existsAlready(path);
    throw new EnsembleError(`cannot write ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    await Deno.remove(draft).catch(() => {}); // A renamed draft no longer exists.
    await observer.dropProfile({ profile }).catch(() => {}); // The server gives it up by itself.
  }
}

/** The error for a file that must not be replaced. */
export function existsAlready(path: string): EnsembleError {
  return new EnsembleError(`${path} exists: replace it with --force, or name another one with -o`);
}

/** A function, and the part of the time that its own code took. */
export interface HotFunction {
  /** From 0 to 1. */
  readonly share: number;
  /** Its name; `(idle)` while the process waits, `(garbage collector)` and the like. */
  readonly name: string;
  /** Where it is: `file:line`; empty for what has no source. */
  readonly place: string;
}

/**
 * The functions of a processor profile that took the most time, at most `most`; none if the text,
 * which comes from a server, is no such profile.
 */
export function hottestFunctions(text: string, most: number): HotFunction[] {
  try {
    return hottestOf(JSON.parse(text), most);
  } catch {
    return [];
  }
}

function hottestOf({ nodes, samples, timeDeltas }: CpuProfile, most: number): HotFunction[] {
  const functionOf = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map<string, { time: number; frame: CallFrame }>();
  let total = 0;
  samples.forEach((id, index) => {
    const frame = functionOf.get(id);
    // A delta is the time before its sample.
    const time = Math.max(0, timeDeltas[index + 1] ?? 0);
    if (!frame) return;
    const { functionName, url, lineNumber } = frame;
    const key = `${functionName} ${url}:${lineNumber}`;
    const known = times.get(key);
    if (known) known.time += time;
    else times.set(key, { time, frame });
    total += time;
  });
  return [...times.values()].sort((a, b) => b.time - a.time).slice(0, most)
    .map(({ time, frame }) => ({
      share: total === 0 ? 0 : time / total,
      name: shorten(`${frame.functionName}` || "(anonymous)"),
      place: frame.url === "" ? "" : shorten(`${shortPlace(frame.url)}:${frame.lineNumber + 1}`),
    }));
}

/** A profile in the form of V8's inspector protocol: `Profiler.Profile`. */
interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** The last parts of a URL, which tell files apart. */
function shortPlace(url: string): string {
  return url.split("/").slice(-2).join("/");
}
