/**
 * The person at the command line.
 *
 * @module
 */
import { userInfo } from "node:os";

/** Who runs this process and where, as servers note it: `user@host`. */
export function operatorName(): string {
  return `${userName()}@${Deno.hostname()}`;
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without an entry in the user database, as containers have them.
    return String(Deno.uid() ?? "unknown");
  }
}
