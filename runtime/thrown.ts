/**
 * What code of others throws: anything at all.
 *
 * @module
 */

/**
 * What was thrown, for people: the message of an error, the rest as inspection shows it. Never throws,
 * though a proxy or a getter may when it is looked at.
 */
export function describeThrown(thrown: unknown): string {
  try {
    if (thrown instanceof Error && typeof thrown.message === "string") {
      return thrown.message === "" ? String(thrown.name) : thrown.message;
    }
    return Deno.inspect(thrown);
  } catch {
    return "something that cannot be shown";
  }
}
