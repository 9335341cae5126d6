/**
 * The error of a command line that makes no sense.
 *
 * @module
 */
import { InvalidInputError } from "../runtime/errors.ts";

/** The command line is wrong: exit code 2. */
export class UsageError extends InvalidInputError {
  /** The class's name, also after the code was minified. */
  override name = "UsageError";

  /** What to type for the help that says how it is done right. */
  readonly help: string;

  /** Takes the message without its `error: `. */
  constructor(message: string, help: string) {
    super(message);
    this.help = help;
  }
}
