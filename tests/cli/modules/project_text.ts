/**
 * Projects of several files written as one text.
 *
 * @module
 */

/** The files of a text in which each stands behind a line `== its/path`. */
export function filesOf(text: string): Record<string, string> {
  const [, ...parts] = text.split(/^== (.+)\n/m);
  const files: Record<string, string> = {};
  for (let index = 0; index < parts.length; index += 2) files[parts[index]!] = parts[index + 1]!;
  return files;
}
