/**
 * `gxensemble completions`.
 *
 * @module
 */
import { BASH_SCRIPT, FISH_SCRIPT, type Shell, ZSH_SCRIPT } from "../completion/scripts.ts";
import { printText } from "../kit/output.ts";

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH_SCRIPT,
  zsh: ZSH_SCRIPT,
  fish: FISH_SCRIPT,
};

/** Prints what a shell evaluates to complete command lines. */
export function completions(shell: Shell): void {
  printText(SCRIPTS[shell]);
}
