/**
 * Servers that do not run: what their supervisors say about them.
 *
 * @module
 */
import { DisconnectedError, EnsembleError, TimeoutError } from "../../runtime/errors.ts";
import type { WorkContext } from "../kit/server_set.ts";
import { listAll } from "./chosen_supervisors.ts";
import { describeSupervised } from "./supervised_listing.ts";

/**
 * Adds to the error of a server that does not answer what its supervisor says, and how to see its
 * output. Any other error stays as it is.
 */
export async function explainStopped(
  error: unknown,
  { actors, id }: Pick<WorkContext, "actors"> & { readonly id: string },
): Promise<unknown> {
  const isSilent = error instanceof DisconnectedError || error instanceof TimeoutError ||
    error instanceof EnsembleError && error.code === "UNKNOWN_SERVER";
  if (!isSilent) return error;
  const { lists } = await listAll({ actors }).catch(() => ({ lists: [] }));
  for (const { supervisor, servers } of lists) {
    const server = servers.find((each) => each.id === id);
    if (!server) continue;
    return new EnsembleError(
      `${error.message}; ${supervisor} says: ${describeSupervised(server)}; to see its output: ` +
        `gxensemble control get-server-log ${id}`,
      { code: error.code, cause: error },
    );
  }
  return error;
}
