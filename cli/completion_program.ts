/**
 * The commands by which shells complete command lines.
 *
 * @module
 */
import { Argument, type CommandUnknownOpts, Option } from "npm:@commander-js/extra-typings@^15.1.0";
import { SHELLS } from "./completion/scripts.ts";

/** Adds `completions`, and `complete`, which only its scripts call and no help shows. */
export function addCompletionCommands(program: CommandUnknownOpts): void {
  program.command("completions").description("print what makes a shell complete commands")
    .addArgument(new Argument("<shell>", "bash, zsh or fish").choices(SHELLS))
    .action(async (shell) => {
      const { completions } = await import("./commands/completions.ts");
      completions(shell);
    });

  program.command("complete", { hidden: true })
    .addOption(new Option("--shell <shell>").choices(SHELLS).makeOptionMandatory())
    .argument("[words...]")
    .action(async (words, { shell }) => {
      const { complete } = await import("./commands/complete.ts");
      await complete(program, { shell, words });
    });
}
