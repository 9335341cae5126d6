/**
 * The process that measures. Run with a module, the name of a function of it, a duration in ms and,
 * for work between two processes, the {@linkcode Place} of the other as JSON. Prints the figures
 * that the function returns, as JSON.
 *
 * @module
 */
import type { Figures } from "./case.ts";
import type { Place } from "./ensemble_peer.ts";

/** Work that a contestant does. */
type Work = (duration: number, place: Place) => Promise<Figures>;

const [module, name, duration, place] = Deno.args as [string, string, string, string];
const { [name]: work } = await import(module) as Record<string, Work>;
console.log(JSON.stringify(await work!(Number(duration), JSON.parse(place))));
Deno.exit();
