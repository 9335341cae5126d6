/**
 * The `ensemble-registry` executable: `gxensemble registry` without the rest.
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
    `ensemble-registry: error: ${platform} is not supported: run it with Deno (https://deno.com), which npm has too: ` +
      "npx deno@2.9.6 run -A",
  );
  globalThis.process.exit(1);
} else if (platform === "windows" && import.meta.main) {
  console.error(
    "ensemble-registry: error: Windows is not supported: use Linux or macOS, or WSL 2 on Windows",
  );
  Deno.exit(1);
} else if (import.meta.main) {
  // First, because Deno soon hides which signals the process was started to ignore.
  const { keepIgnoringHangup } = await import("../runtime/home/signals.ts");
  keepIgnoringHangup();
  const { registryCommand } = await import("./commands/registry.ts");
  const { formatVersion } = await import("./kit/build.ts");
  const { asRoot, runCommandLine } = await import("./kit/command_line.ts");
  const root = asRoot(registryCommand("ensemble-registry"), formatVersion("ensemble-registry"));
  Deno.exit(await runCommandLine(root, Deno.args));
}
