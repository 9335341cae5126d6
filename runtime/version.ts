/**
 * The version of this release.
 *
 * @module
 */
import configuration from "../deno.json" with { type: "json" };

/** The version of gxensemble, as in `deno.json`. */
export const VERSION: string = configuration.version;
