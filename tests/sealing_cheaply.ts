/**
 * Has a program seal as cheaply as {@linkcode cheapSeals} says, from its start to its end: what `deno run --preload`
 * loads before it.
 *
 * @module
 */
import { cheapSeals } from "./cheap_passphrase.ts";

cheapSeals();
