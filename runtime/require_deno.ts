/**
 * Fails without Deno, and says what to do. Import it before modules that would fail there in other
 * ways.
 *
 * @module
 */
if (globalThis.Deno === undefined) {
  throw new Error(
    "Node.js and Bun are not supported: run this with Deno (https://deno.com), which npm has too: " +
      "npx deno@2.9.6 run -A",
  );
}
