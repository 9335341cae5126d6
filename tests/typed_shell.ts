/**
 * A person who types in a shell in which `gxensemble` completes.
 *
 * @module
 */
import type { Shell } from "../cli/completion/shells.ts";
import type { TemporaryEnsemble } from "./temporary_ensemble.ts";
import { onTerminal } from "./terminal.ts";

/** What came of the lines. */
export interface Typed {
  /** The arguments that `gxensemble` was run with, by line; undefined where it was not. */
  calls: (string[] | undefined)[];
  /** All that appeared on the terminal, without its control sequences. */
  screen: string;
}

/** How a shell takes a script that `gxensemble completions` prints, when it starts. */
export type Installation = "evaluated" | "autoloaded";

/**
 * Starts a shell, types lines into it, each followed by Enter, and waits for the prompt after each.
 * `gxensemble` itself is run only where it completes: otherwise what it would be run with is noted.
 */
export async function typeInShell(
  shell: Shell,
  ensemble: TemporaryEnsemble,
  lines: string[],
  installation: Installation = "evaluated",
): Promise<Typed> {
  const home = `${ensemble.directory}/home`;
  await Deno.remove(home, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${home}/bin`, { recursive: true });
  await Deno.mkdir(`${home}/calls`);
  await Deno.mkdir(`${home}/fish/completions`, { recursive: true });
  await writeExecutable(`${home}/bin/gxensemble`, recordingCommand(ensemble, `${home}/calls`));
  for (const [file, text] of Object.entries(startFiles(shell, installation))) {
    await Deno.writeTextFile(`${home}/${file}`, text);
  }
  const environment = {
    HOME: home,
    ZDOTDIR: home,
    XDG_CONFIG_HOME: home,
    XDG_DATA_HOME: `${home}/data`,
    LC_ALL: "C.UTF-8",
    PATH: `${home}/bin:${Deno.env.get("PATH")}`,
  };
  const { screen } = await onTerminal(ensemble, [
    "env",
    ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ...START[shell](home),
  ], [
    ...lines.map((line, index): [string, string] => [`READY${index + 1}> `, line]),
    [`READY${lines.length + 1}> `, "exit"],
  ]);
  const calls = lines.map((_, index) => readCall(`${home}/calls/${index + 1}`));
  // fish names a character set before each colour.
  return { calls, screen: screen.replaceAll("\x1b(B", "") };
}

const START: Record<Shell, (home: string) => string[]> = {
  bash: (home) => ["bash", "--noprofile", "--rcfile", `${home}/bashrc`, "-i"],
  zsh: () => ["zsh", "--no-globalrcs", "-i"],
  fish: () => ["fish", "-i"],
};

/**
 * Runs the program where it completes, and where the shell starts; otherwise notes the arguments, by the line
 * that the prompt counts.
 */
function recordingCommand(ensemble: TemporaryEnsemble, directory: string): string {
  const program = ensemble.program.map((word) => `'${word}'`).join(" ");
  return `#!/bin/sh
case $1,\${LINE:-0} in
  complete,* | completions,0) HOME='${Deno.env.get("HOME")}' exec ${program} "$@" ;;
esac
printf '%s\\0' "$@" >'${directory}/'"$LINE"
`;
}

/** What the shells read when they start. The prompt says how many lines were read, and LINE does. */
function startFiles(shell: Shell, installation: Installation): Record<string, string> {
  const isAutoloaded = installation === "autoloaded";
  switch (shell) {
    case "bash":
      return {
        bashrc: `
LINE=0
PROMPT_COMMAND='export LINE=$((LINE + 1))'
PS1='READY$LINE> '
bind 'set bell-style none'
bind 'set show-all-if-ambiguous on'
bind 'set completion-query-items 0'
bind 'set page-completions off'
# Where the scripts of careful people run.
set -u
source <(gxensemble completions bash)
`,
      };
    case "zsh":
      return {
        ".zshrc": `
# With EDITOR=vi, which npm sets, zsh would take its keys from vi.
bindkey -e
LINE=0
precmd() { export LINE=$((LINE + 1)) }
setopt prompt_subst
unsetopt prompt_sp
PROMPT='READY$LINE> '
LISTMAX=1000
autoload -Uz compinit
${isAutoloaded ? "mkdir ~/functions\nfpath=(~/functions $fpath)" : "compinit -u -D"}
${isAutoloaded ? "gxensemble completions zsh >~/functions/_gxensemble" : ""}
${isAutoloaded ? "compinit -u -D" : "source <(gxensemble completions zsh)"}
`,
      };
    case "fish":
      return {
        "fish/config.fish": `
set --global fish_greeting
set --global --export LINE 0
function count_lines --on-event fish_prompt
    set --global LINE (math $LINE + 1)
end
function fish_prompt
    echo -n "READY$LINE> "
end
${
          isAutoloaded
            ? "gxensemble completions fish >~/fish/completions/gxensemble.fish"
            : "gxensemble completions fish | source"
        }
`,
      };
  }
}

async function writeExecutable(path: string, text: string): Promise<void> {
  await Deno.writeTextFile(path, text);
  await Deno.chmod(path, 0o755);
}

function readCall(path: string): string[] | undefined {
  try {
    return Deno.readTextFileSync(path).split("\0").slice(0, -1);
  } catch {
    return undefined;
  }
}
