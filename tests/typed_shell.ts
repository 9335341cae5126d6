/**
 * A user who types in a shell that completes `gxensemble` commands.
 *
 * @module
 */
import { answer, type LiveNames } from "../cli/completion/candidates.ts";
import { SCRIPTS, type Shell } from "../cli/completion/scripts.ts";
import { commandTree } from "../cli/command_tree.ts";
import type { TemporaryEnsemble } from "./temporary_ensemble.ts";
import { onTerminal } from "./terminal.ts";

/** The results of the lines. */
export interface Typed {
  /** The arguments with which `gxensemble` was run, by line; undefined where it was not. */
  calls: (string[] | undefined)[];
  /** The output on the terminal, without its control sequences. */
  screen: string;
}

/** How a shell reads a script from `gxensemble completions` when it starts. */
export type Installation = "evaluated" | "autoloaded";

/** The text to type, and where. */
export interface Typing {
  /** The ensemble whose names are completed. */
  ensemble: TemporaryEnsemble;
  /** The text to type. */
  lines: string[];
  /** How the shell reads its script; by default it is evaluated. */
  installation?: Installation;
  /**
   * Names to complete instead of the ensemble's. This process then answers, because starting one
   * takes longer.
   */
  names?: LiveNames;
}

/**
 * Starts a shell, types lines into it, each followed by Enter, and waits for the prompt after each.
 * `gxensemble` runs only for completion. Otherwise its arguments are recorded.
 */
export async function typeInShell(shell: Shell, typing: Typing): Promise<Typed> {
  const { ensemble, lines, installation = "evaluated", names } = typing;
  const home = `${ensemble.directory}/home`;
  await Deno.remove(home, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${home}/bin`, { recursive: true });
  await Deno.mkdir(`${home}/calls`);
  await Deno.mkdir(`${home}/fish/completions`, { recursive: true });
  // Without it, fish generates completions from all manual pages.
  await Deno.mkdir(`${home}/data/fish/generated_completions`, { recursive: true });
  await using answering = names && await Answering.start(home, names);
  const complete = answering?.script ?? runningProgram(ensemble, '"$@"');
  await Deno.writeTextFile(`${home}/script`, SCRIPTS[shell]);
  const completions = names ? `cat '${home}/script'` : runningProgram(ensemble, '"$@"');
  const text = recordingCommand({ complete, completions, directory: `${home}/calls` });
  await writeExecutable(`${home}/bin/gxensemble`, text);
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
  // fish selects a character set before each color.
  return { calls, screen: screen.replaceAll("\x1b(B", "") };
}

const START: Record<Shell, (home: string) => string[]> = {
  bash: (home) => ["bash", "--noprofile", "--rcfile", `${home}/bashrc`, "-i"],
  zsh: () => ["zsh", "--no-globalrcs", "-i"],
  fish: () => ["fish", "-i"],
};

/** A shell command that runs the program. */
function runningProgram({ program }: TemporaryEnsemble, args: string): string {
  const words = program.map((word) => `'${word}'`).join(" ");
  return `HOME='${Deno.env.get("HOME")}' exec ${words} ${args}`;
}

/**
 * Completes, and runs the program when the shell starts. Otherwise records the arguments, by the
 * line number in the prompt.
 */
function recordingCommand(
  { complete, completions, directory }: {
    complete: string;
    completions: string;
    directory: string;
  },
): string {
  return `#!/bin/sh
case $1,\${LINE:-0} in
  complete,*)
    ${complete}
    exit ;;
  completions,0)
    ${completions}
    exit ;;
esac
printf '%s\\0' "$@" >'${directory}/'"$LINE"
`;
}

/** Startup files of the shells. The prompt shows how many lines were read, and so does LINE. */
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

/** Answers completion requests through named pipes. */
class Answering implements AsyncDisposable {
  /** The command that the shell runs instead of the program. */
  readonly script: string;
  readonly #directory: string;
  readonly #names: LiveNames;
  readonly #questions: Deno.FsFile;
  readonly #ended: Promise<void>;

  private constructor(directory: string, names: LiveNames) {
    this.#directory = directory;
    this.#names = names;
    // The number of the fields that follow, then the asker's id, then the arguments.
    this.script = `mkfifo '${directory}'/answer.$$ && exec 3<>'${directory}'/answer.$$ &&
    printf '%s\\0' $(($# + 1)) $$ "$@" >'${directory}'/questions &&
    while IFS= read -r line <&3 && [ "$line" != end ]; do printf '%s\\n' "$line"; done`;
    // Also opened for writing: it opens at once, and does not end with a request.
    this.#questions = Deno.openSync(`${directory}/questions`, { read: true, write: true });
    this.#ended = this.#answerAll();
  }

  static async start(directory: string, names: LiveNames): Promise<Answering> {
    const { success } = await new Deno.Command("mkfifo", { args: [`${directory}/questions`] })
      .output();
    if (!success) throw new Error(`cannot make a named pipe in ${directory}`);
    return new Answering(directory, names);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // On another descriptor, because this one is busy with a read.
    await Deno.writeFile(`${this.#directory}/questions`, new TextEncoder().encode("0\0"), {
      create: false,
    });
    await this.#ended;
    this.#questions.close();
  }

  async #answerAll(): Promise<void> {
    for await (const [process, _complete, _shell, shell, _end, ...words] of this.#read()) {
      const question = { shell: shell as Shell, words, live: this.#names };
      const lines = await answer(commandTree(), question);
      const text = [...lines, "end", ""].join("\n");
      const pipe = await Deno.open(`${this.#directory}/answer.${process}`, {
        read: true,
        write: true,
      });
      await pipe.write(new TextEncoder().encode(text));
      pipe.close();
    }
  }

  /** The fields of each request. */
  async *#read(): AsyncGenerator<string[]> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    let fields: string[] = [];
    let rest = "";
    for (;;) {
      const length = await this.#questions.read(buffer) ?? 0;
      const parts = (rest + decoder.decode(buffer.subarray(0, length), { stream: true })).split(
        "\0",
      );
      rest = parts.pop()!;
      fields.push(...parts);
      while (fields.length > 0) {
        const count = Number(fields[0]);
        if (count === 0) return;
        if (fields.length <= count) break;
        yield fields.slice(1, count + 1);
        fields = fields.slice(count + 1);
      }
    }
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
