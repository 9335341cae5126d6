/**
 * What fish evaluates to complete command lines of `gxensemble`.
 *
 * @module
 */

/**
 * The program is asked once, by the condition; where that fails fish completes the names of files. What
 * the program answers is never evaluated: fish escapes what it puts into the line.
 */
export const FISH_SCRIPT = `\
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
