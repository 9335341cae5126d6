/**
 * The completion scripts of `gxensemble` for shells.
 *
 * @module
 */

/** The shells. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The name of a shell. */
export type Shell = typeof SHELLS[number];

/**
 * Runs in bash 3.2, the version of macOS, which has neither `mapfile` nor `compopt`. The answer of
 * the program is never evaluated, only inserted; the program has quoted it.
 */
const BASH_SCRIPT = `\
# Completes command lines of gxensemble in bash. To be evaluated: source <(gxensemble completions bash)

_gxensemble() {
  local program=$1 kind="" line
  COMPREPLY=()
  [[ $program == \\~/* ]] && program=$HOME/\${program:2}
  type -P -- "$program" >/dev/null || program=gxensemble
  while IFS= read -r line; do
    if [[ -z $kind ]]; then kind=$line; else COMPREPLY+=("$line"); fi
  done < <("$program" complete --shell bash -- "\${COMP_LINE:0:COMP_POINT}" "$2" </dev/null 2>/dev/null)
  if [[ $kind == files ]]; then
    compopt -o bashdefault -o default 2>/dev/null ||
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$2")
  fi
}

complete -F _gxensemble gxensemble
`;

/**
 * Works both autoloaded from a directory of `$fpath`, where the text is the function's body, and
 * evaluated. The answer of the program is never evaluated: `_describe` quotes what it inserts.
 */
const ZSH_SCRIPT = `\
#compdef gxensemble
# Completes command lines of gxensemble in zsh. In a directory of $fpath under the name _gxensemble, or
# to be evaluated after compinit: source <(gxensemble completions zsh)

_gxensemble() {
  local program=\${(Q)words[1]} line kind
  local -a lines found
  [[ $program == "~/"* ]] && program=$HOME/\${program#??}
  whence -p -- "$program" >/dev/null || program=gxensemble
  lines=("\${(@f)$("$program" complete --shell zsh -- "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" </dev/null 2>/dev/null)}")
  kind=$lines[1]
  # What is before the value of an option stays.
  compset -P '--[^=]##='
  if [[ $kind == files ]]; then
    _files
    return
  fi
  for line in "\${(@)lines[2,-1]}"; do
    # _describe takes a word and what it is apart at the first colon without a backslash.
    line=\${\${line//\\\\/\\\\\\\\}//:/\\\\:}
    found+=("\${line/$'\\t'/:}")
  done
  (( $#found )) && _describe -t "\${kind// /-}s" "$kind" found
}

if [[ $funcstack[1] == _gxensemble ]]; then
  _gxensemble "$@"
elif (( $+functions[compdef] )); then
  compdef _gxensemble gxensemble
else
  print -u2 "gxensemble completions: zsh completes nothing yet: first run: autoload -Uz compinit && compinit"
fi
`;

/**
 * The condition runs the program once. If that fails, fish completes file names. The answer of the
 * program is never evaluated: fish escapes what it inserts.
 */
const FISH_SCRIPT = `\
# Completes command lines of gxensemble in fish. In ~/.config/fish/completions/gxensemble.fish, or
# to be evaluated: gxensemble completions fish | source

function __gxensemble_ask
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l typed (commandline --cut-at-cursor --current-token)
    # Without its quotes, of which one may still be open.
    set -l word
    for quote in '' \\' \\"
        set word (string unescape -- "$typed$quote"); and break
    end
    # Variables that are set for this command only.
    while string match --quiet --regex '^[A-Za-z_][A-Za-z0-9_]*=' -- $words[1]
        set --erase words[1]
    end
    set -l program (string replace --regex '^~/' "$HOME/" -- $words[1])
    command --query -- $program; or set program gxensemble
    set --erase words[1]
    set --global __gxensemble_answer (command $program complete --shell fish -- $words "$word" </dev/null 2>/dev/null)
    test "$__gxensemble_answer[1]" != files
end

complete --command gxensemble --condition __gxensemble_ask --no-files --arguments '$__gxensemble_answer[2..-1]'
`;

/** The script of each shell. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH_SCRIPT,
  zsh: ZSH_SCRIPT,
  fish: FISH_SCRIPT,
};
