/**
 * The codes and messages of system errors.
 *
 * @module
 */

/** Messages for system error codes, without numbers. */
const MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  ECONNREFUSED: "connection refused",
  EADDRINUSE: "the address is in use",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EAGAIN: "too many connections are waiting",
};

/** The code of a system error, such as `ENOENT`; undefined if it has none. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}

/** The message for an error of connecting or listening. */
export function messageOf(error: unknown): string {
  return MESSAGES[codeOf(error) ?? ""] ?? (error instanceof Error ? error.message : String(error));
}
