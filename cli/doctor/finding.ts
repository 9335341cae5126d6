/**
 * What `doctor` finds.
 *
 * @module
 */

/**
 * How bad a finding is: nothing is wrong, it could not be checked, something needs attention, or
 * something does not work.
 */
export type Severity = "ok" | "skipped" | "warning" | "failure";

/** The result of one check. */
export interface Finding {
  /** How bad it is. */
  readonly severity: Severity;
  /** What was checked: `cookie`, `clocks`. */
  readonly check: string;
  /** What was found, with its numbers. */
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** A check that found nothing wrong. */
export function ok(check: string, message: string): Finding {
  return { severity: "ok", check, message };
}

/** A check that could not be made. */
export function skipped(check: string, message: string): Finding {
  return { severity: "skipped", check, message };
}

/** Something that needs attention. */
export function warning(check: string, message: string, remedy?: string): Finding {
  return { severity: "warning", check, message, ...(remedy !== undefined && { remedy }) };
}

/** Something that does not work. */
export function failure(check: string, message: string, remedy?: string): Finding {
  return { severity: "failure", check, message, ...(remedy !== undefined && { remedy }) };
}
