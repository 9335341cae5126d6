/**
 * What zsh evaluates to complete command lines of `gxensemble`.
 *
 * @module
 */

/**
 * Works autoloaded from a directory of `$fpath`, where its text is the function's, and evaluated. What
 * the program answers is never evaluated: `_describe` quotes what it puts into the line.
 */
export const ZSH_SCRIPT = `\
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
