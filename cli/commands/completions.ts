/**
 * Shell completion: `gxensemble completions` prints the scripts, which call `gxensemble complete`
 * at each Tab.
 *
 * @module
 */
import {
  Argument,
  Command,
  type CommandUnknownOpts,
  Option,
} from "npm:@commander-js/extra-typings@^15.1.0";
import { SCRIPTS, SHELLS } from "../completion/scripts.ts";
import { rootOf } from "../kit/command_line.ts";
import { examples } from "../kit/help_text.ts";
import { printText } from "../kit/output.ts";

/** Prints the script that a shell evaluates to complete command lines. */
export function completionsCommand(): CommandUnknownOpts {
  return new Command("completions").description("print the completion script for a shell")
    .addArgument(new Argument("<shell>", "bash, zsh or fish").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        ["bash: add to ~/.bashrc", "source <(gxensemble completions bash)"],
        [
          "bash with bash-completion, loaded at the first Tab",
          "mkdir -p ~/.local/share/bash-completion/completions",
          "gxensemble completions bash > ~/.local/share/bash-completion/completions/gxensemble",
        ],
        ["zsh: add to ~/.zshrc, after compinit", "source <(gxensemble completions zsh)"],
        [
          "zsh: write to a directory of $fpath",
          'gxensemble completions zsh > "${fpath[1]}/_gxensemble"',
        ],
        [
          "fish",
          "gxensemble completions fish > ~/.config/fish/completions/gxensemble.fish",
        ],
      ),
    )
    .action((shell) => printText(SCRIPTS[shell]));
}

/**
 * Prints the candidates at the cursor. The scripts call it, and no help lists it. Errors are not
 * printed, since they would appear in the line that the user is typing.
 */
export function completeCommand(): CommandUnknownOpts {
  return new Command("complete")
    .addOption(new Option("--shell <shell>").choices(SHELLS).makeOptionMandatory())
    .argument("[words...]")
    .action(async (words, { shell }, command) => {
      // Rejections of requests that are no longer needed.
      addEventListener("unhandledrejection", (event) => event.preventDefault());
      try {
        const { answer } = await import("../completion/candidates.ts");
        const { liveNames } = await import("../completion/live_names.ts");
        const lines = await answer(rootOf(command), { shell, words, live: liveNames });
        printText(lines.map((line) => `${line}\n`).join(""));
      } catch {
        // There is nothing to offer.
      }
    });
}
