/**
 * Commands in an ensemble whose servers run in the test.
 *
 * @module
 */
import type { LocalEnsemble } from "../runtime/server/local_ensemble.ts";
import { TemporaryEnsemble } from "../temporary_ensemble.ts";

/** The places of commands that find the servers of an ensemble. */
export function commandsIn(ensemble: LocalEnsemble): TemporaryEnsemble {
  const places = new TemporaryEnsemble();
  places.environment.ENSEMBLE_SOCKET_DIR = ensemble.directory;
  Deno.mkdirSync(`${places.gerbilPath}/ensemble`, { recursive: true, mode: 0o700 });
  Deno.writeFileSync(places.cookiePath, ensemble.cookie, { mode: 0o600 });
  return places;
}
