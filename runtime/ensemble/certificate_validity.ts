/**
 * How long certificates are valid.
 *
 * @module
 */
import { InvalidInputError } from "../errors.ts";

/** A day, in ms. */
export const DAY = 24 * 60 * 60 * 1000;

/** How long the authority lasts, in days. Nothing that it signs lasts longer. */
export const AUTHORITY_DAYS = 3650;

/** How long a server's certificate lasts unless told otherwise, in days: a year, and a month to renew it in. */
export const DEFAULT_DAYS = 397;

/** How far before its making a certificate is valid, in ms, as Let's Encrypt does: the clocks of hosts differ. */
const CLOCK_SKEW = 60 * 60 * 1000;

/**
 * Reads a number of days.
 *
 * @throws {InvalidInputError} when it is no whole number from 1 to {@linkcode AUTHORITY_DAYS}.
 */
export function parseDays(text: string): number {
  const days = Number(text);
  if (!/^\d+$/.test(text) || days < 1 || days > AUTHORITY_DAYS) {
    throw new InvalidInputError(
      `not a number of days: ${JSON.stringify(text)}: it is a whole number from 1 to ` +
        `${AUTHORITY_DAYS}`,
    );
  }
  return days;
}

/** The moment some days from now. */
export function daysFromNow(days: number): Date {
  return new Date(Date.now() + days * DAY);
}

/** The moment from which on what is signed now holds. */
export function startingNow(): Date {
  return new Date(Date.now() - CLOCK_SKEW);
}
