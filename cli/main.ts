/**
 * The `gxensemble` executable.
 *
 * It has no types, since Deno runs it as JavaScript when a file server declares `.ts` as something
 * other than TypeScript.
 *
 * @module
 */
import { start } from "./start.mjs";

await start("gxensemble", {
  isMain: import.meta.main,
  async run() {
    const { commandTree } = await import("./command_tree.ts");
    const { runCommandLine } = await import("./kit/command_line.ts");
    // The program that ran may have set one.
    return await runCommandLine(commandTree(), Deno.args) || Deno.exitCode;
  },
});
