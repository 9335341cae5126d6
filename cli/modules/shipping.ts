/**
 * Programs on their way into a running server.
 *
 * @module
 */
import type { Client } from "../../runtime/actor/service.ts";
import type { LoaderHandlers } from "../../runtime/code/loader_protocol.ts";
import type { Unit } from "../../runtime/code/unit.ts";
import type { LoadOutcome } from "../../runtime/code/unit_store.ts";
import { loadRequest, type Program } from "./program.ts";

/**
 * How much is shipped in one message, in UTF-16 code units of text and source map: little beside the
 * 64 MiB that a frame may have, and enough to make no difference to the time it takes.
 */
const BATCH_LENGTH = 1024 * 1024;

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

/** Splits units into messages; the members of a cycle, which stand together, stay together. */
export function* batches(units: readonly Unit[]): Generator<Unit[]> {
  let batch: Unit[] = [];
  let length = 0;
  for (const unit of units) {
    const last = batch.at(-1);
    const isSameCycle = last?.cycle !== undefined && last.cycle.members.includes(unit.hash);
    if (length >= BATCH_LENGTH && !isSameCycle) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(unit);
    length += unit.text.length + (unit.mappings?.length ?? 0);
  }
  if (batch.length > 0) yield batch;
}
