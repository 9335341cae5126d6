/**
 * Values as a REPL shows them: as much as a person wants to see, and never more than a terminal holds.
 *
 * @module
 */
import { inspectBounded, type InspectOptions, shorten } from "../bounded_text.ts";

/** The longest text that is shown for one value, in UTF-16 code units. */
export const MAX_PREVIEW_LENGTH = 100_000;

/** Options of {@linkcode previewValue}. */
export type PreviewOptions = Pick<InspectOptions, "oneLine">;

/** A value as {@linkcode inspectBounded} shows it. */
export function previewValue(value: unknown, options: PreviewOptions = {}): string {
  return inspectBounded(value, { ...options, limit: MAX_PREVIEW_LENGTH });
}

/** Cuts a text that is longer than {@linkcode MAX_PREVIEW_LENGTH}, and says so in it. */
export function cut(text: string): string {
  return shorten(text, MAX_PREVIEW_LENGTH);
}
