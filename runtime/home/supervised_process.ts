/**
 * What a process knows of the host's supervisor that started it.
 *
 * @module
 */

/**
 * The environment variable of a supervised process: the supervisor, the id of the server, and the
 * marker of this run, with spaces between them.
 */
export const SUPERVISED = "GXENSEMBLE_SUPERVISED";

/** The file in a server's directory with the marker of the run that was shut down. */
const SHUT_DOWN = "shut-down";

/**
 * The signal that has a supervised server finish its requests without new ones, and then stop. Its
 * supervisor may not have a capability inside it, but can always send a signal.
 */
export const DRAINING_SIGNAL = "SIGUSR2";

/**
 * The marker of this process, if a supervisor runs it as a server. A process that the server itself
 * started inherits the variable, but is another server.
 */
export function ownMarker(server: string): string | undefined {
  // Do not prompt for this permission in a process that runs with few.
  const permission = { name: "env", variable: SUPERVISED } as const;
  if (Deno.permissions.querySync(permission).state !== "granted") return undefined;
  const [, id, marker] = Deno.env.get(SUPERVISED)?.split(" ") ?? [];
  return id === server ? marker : undefined;
}

/**
 * Records that this server was told to shut down, if it is supervised: it then stays stopped, even
 * if its supervisor is away while it stops.
 *
 * @param options.directory the directory of the server.
 * @param options.by who told it.
 */
export function recordShutDown(
  server: string,
  { directory, by }: { readonly directory: string; readonly by: string },
): void {
  const marker = ownMarker(server);
  if (marker === undefined) return;
  Deno.writeTextFileSync(`${directory}/${SHUT_DOWN}`, `${marker} ${by}`, { mode: 0o600 });
}

/** Who told the run of a server with a marker to shut down; undefined if it was not told to. */
export async function shutDownBy(directory: string, marker: string): Promise<string | undefined> {
  try {
    const text = await Deno.readTextFile(`${directory}/${SHUT_DOWN}`);
    return text.startsWith(`${marker} `) ? text.slice(marker.length + 1) : undefined;
  } catch {
    return undefined; // There is none.
  }
}
