/**
 * The error of a module that cannot be read, compiled, linked or loaded.
 *
 * @module
 */
import { EnsembleError } from "../errors.ts";

/** A place in a module as its author sees it. */
export interface SourceLocation {
  /** The author's file. */
  path: string;
  /** The line, from 1. */
  line?: number;
  /** The column in UTF-16 code units, from 1; only beside a line. */
  column?: number;
}

/** A module cannot be used. Its message is `file:line:column: reason`, as compilers write it. */
export class ModuleError extends EnsembleError {
  override name = "ModuleError";
  /** Where the fault is. */
  readonly location: SourceLocation;
  /** What is wrong there. */
  readonly reason: string;

  /** Makes the error; `cause` is what the runtime threw, when it threw something. */
  constructor(reason: string, location: SourceLocation, options?: ErrorOptions) {
    super(`${formatLocation(location)}: ${reason}`, options);
    this.location = location;
    this.reason = reason;
  }
}

function formatLocation({ path, line, column }: SourceLocation): string {
  if (line === undefined) return path;
  return column === undefined ? `${path}:${line}` : `${path}:${line}:${column}`;
}
