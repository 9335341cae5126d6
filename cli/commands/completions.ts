/**
 * `gxensemble completions`.
 *
 * @module
 */
import { BASH_SCRIPT } from "../completion/bash_script.ts";
import { FISH_SCRIPT } from "../completion/fish_script.ts";
import type { Shell } from "../completion/shells.ts";
import { ZSH_SCRIPT } from "../completion/zsh_script.ts";
import { printText } from "../output.ts";

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH_SCRIPT,
  zsh: ZSH_SCRIPT,
  fish: FISH_SCRIPT,
};

/** Prints what a shell evaluates to complete command lines. */
export function completions(shell: Shell): void {
  printText(SCRIPTS[shell]);
}
