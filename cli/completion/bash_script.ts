/**
 * What bash evaluates to complete command lines of `gxensemble`.
 *
 * @module
 */

/**
 * Works with bash 3.2, the one of macOS, too: it has neither `mapfile` nor `compopt`. What the program
 * answers is never evaluated, only put into the line, for which the program has quoted it.
 */
export const BASH_SCRIPT = `\
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
