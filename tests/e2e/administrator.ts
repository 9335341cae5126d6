/**
 * The administrator of a running ensemble.
 *
 * @module
 */
import { generatePair, PASSPHRASE } from "../cheap_passphrase.ts";
import type { RunningEnsemble } from "./running_ensemble.ts";

/** The key pair that all ensembles of a test file share. */
const pair = await generatePair(PASSPHRASE);

/** Installs an administrator in an ensemble, for servers that start from now on. */
export async function installAdministrator(ensemble: RunningEnsemble): Promise<{
  /** The options of a command that knows the passphrase. */
  right: string[];
  /** The options of a command that does not. */
  wrong: string[];
}> {
  const directory = `${ensemble.places.gerbilPath}/ensemble`;
  await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
  await Deno.writeTextFile(`${directory}/admin.priv`, pair.sealed, { mode: 0o600 });
  await Deno.writeTextFile(`${directory}/admin.pub`, pair.open);
  return {
    right: ["--passphrase-file", await ensemble.write("right", `${PASSPHRASE}\n`, { mode: 0o600 })],
    wrong: [
      "--passphrase-file",
      await ensemble.write("wrong", "battery staple\n", { mode: 0o600 }),
    ],
  };
}
