/**
 * The `ensemble-registry` executable: `gxensemble registry` without the rest. It has no types, as
 * `main.ts`.
 *
 * @module
 */
import { start } from "./start.mjs";

await start("ensemble-registry", {
  isMain: import.meta.main,
  async run() {
    const { registryCommand } = await import("./commands/registry.ts");
    const { formatVersion } = await import("./kit/build.ts");
    const { asRoot, runCommandLine } = await import("./kit/command_line.ts");
    const root = asRoot(registryCommand("ensemble-registry"), formatVersion("ensemble-registry"));
    return await runCommandLine(root, Deno.args);
  },
});
