/**
 * Makes a program seal as cheaply as {@linkcode cheapSeals} from start to end, when loaded with
 * `deno run --preload`.
 *
 * @module
 */
import { cheapSeals } from "./cheap_passphrase.ts";

cheapSeals();
