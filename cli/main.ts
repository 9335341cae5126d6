/**
 * The `gxensemble` executable.
 *
 * It has no types and imports the rest at run time. So if a file server declares `.ts` as something
 * other than TypeScript, Deno can still run this file as JavaScript and report the problem.
 *
 * @module
 */

// First, and without types, since other runtimes cannot even load the rest.
const platform = globalThis.Deno
  ? Deno.build.os
  : globalThis.process.versions.bun === undefined
  ? "Node.js"
  : "Bun";

if (platform === "Node.js" || platform === "Bun") {
  console.error(
    `gxensemble: error: ${platform} is not supported: run it with Deno (https://deno.com), which npm has too: ` +
      "npx deno@2.9.6 run -A",
  );
  globalThis.process.exit(1);
} else if (platform === "windows" && import.meta.main) {
  console.error(
    "gxensemble: error: Windows is not supported: use Linux or macOS, or WSL 2 on Windows",
  );
  Deno.exit(1);
} else if (import.meta.main) {
  try {
    // First, because Deno soon hides which signals the process was started to ignore.
    const { keepIgnoringHangup } = await import("../runtime/home/signals.ts");
    keepIgnoringHangup();
    const { commandTree } = await import("./command_tree.ts");
    const { runCommandLine } = await import("./kit/command_line.ts");
    // The program that ran may have set one.
    Deno.exit(await runCommandLine(commandTree(), Deno.args) || Deno.exitCode);
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
