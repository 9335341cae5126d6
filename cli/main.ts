/**
 * The `gxensemble` executable.
 *
 * It has no types and imports the rest when it runs: from a file server that takes `.ts` for something
 * other than TypeScript, Deno runs this much as JavaScript, and what is wrong can be said.
 *
 * @module
 */

if (import.meta.main) {
  try {
    const { runCommandLine } = await import("./command_line.ts");
    // A program that was run may have set one.
    Deno.exit(await runCommandLine(Deno.args) || Deno.exitCode);
  } catch (error) {
    if (!String(error).includes("identified a Unknown module")) throw error;
    console.error(
      `gxensemble: error: ${new URL(import.meta.url).origin} does not say of .ts files that they ` +
        "are TypeScript: let it serve them as application/typescript, video/mp2t, text/plain or " +
        "application/octet-stream",
    );
    Deno.exit(1);
  }
}
