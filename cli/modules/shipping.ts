/**
 * Programs on their way into a running server.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/ensemble/loader_protocol.ts";
import type { Unit } from "../../runtime/code/unit.ts";
import type { LoadOutcome } from "../../runtime/code/unit_store.ts";
import { ModuleError } from "../../runtime/code/module_error.ts";
import { MAX_FRAME } from "../../runtime/wire/limits.ts";
import { loadRequest, type Program } from "./program.ts";

/**
 * How much is shipped in one message, in UTF-16 code units of text and source map: little beside the
 * 64 MiB that a frame may have, and enough to make no difference to the time it takes.
 */
const BATCH_LENGTH = 1024 * 1024;

/** The most that is shipped in one message, in UTF-16 code units: what else is in the frame is little. */
const MAX_LENGTH = MAX_FRAME - 4 * 1024 * 1024;

/** Options of {@linkcode shipProgram}. */
export interface ShipOptions {
  /** Who loads: `user@host`. */
  by: string;
  /** Whether the entry is evaluated anew, when it has been before. */
  rerun?: boolean;
  /** How long each answer may take, in ms. */
  timeout: number;
  /** Told how many of the units that the server lacks have been shipped, before and after each batch. */
  onShipped?: (shipped: number, all: number) => void;
}

/**
 * Ships what a server lacks of a program, and loads it there.
 *
 * @throws {EnsembleError} when the server cannot be reached, refuses, or the program fails to load.
 */
export async function shipProgram(
  loader: Client<LoaderHandlers>,
  program: Program,
  { by, rerun, timeout, onShipped }: ShipOptions,
): Promise<LoadOutcome> {
  const missing = await loader.missing(
    { hashes: program.units.map(({ hash }) => hash) },
    { timeout },
  );
  const lacking = new Set(missing);
  const units = program.units.filter(({ hash }) => lacking.has(hash));
  let shipped = 0;
  for (const batch of batches(units)) {
    onShipped?.(shipped, units.length);
    await loader.ship({ units: batch }, { timeout });
    shipped += batch.length;
  }
  onShipped?.(shipped, units.length);
  return await loader.load({ ...loadRequest(program, by), ...rerun && { rerun } }, { timeout });
}

/**
 * Splits units into messages; the members of a cycle, which stand together, stay together.
 *
 * @throws {ModuleError} when a module, or a cycle, is too large for a message.
 */
export function* batches(units: readonly Unit[]): Generator<Unit[]> {
  let batch: Unit[] = [];
  let length = 0;
  for (const unit of units) {
    const last = batch.at(-1);
    const isSameCycle = last?.cycle !== undefined && last.cycle.members.includes(unit.hash);
    const own = lengthOf(unit);
    if (length > 0 && !isSameCycle && (length >= BATCH_LENGTH || own >= BATCH_LENGTH)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(unit);
    length += own;
    if (length > MAX_LENGTH) throw tooLarge(batch);
  }
  if (batch.length > 0) yield batch;
}

/** How much a unit is, in UTF-16 code units; of texts beyond Latin-1 some more in bytes. */
function lengthOf({ text, mappings = "" }: Unit): number {
  return text.length + mappings.length;
}

function tooLarge(batch: Unit[]): ModuleError {
  const largest = batch.reduce((most, unit) => lengthOf(unit) > lengthOf(most) ? unit : most);
  const whole = batch.length > 1 ? ", with the modules that it imports in a circle" : "";
  return new ModuleError(
    `is ${
      lengthOf(largest)
    } characters of JavaScript${whole}, and no more than ${MAX_LENGTH} can be ` +
      "shipped: read large data from a file at run time",
    { path: largest.path },
  );
}
