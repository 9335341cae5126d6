# shellcheck shell=sh
# shellcheck disable=SC2154 # What is set above, in each executable, is in portable.ts.

self=$0

fail() {
  printf '%s: error: %s\n' "$name" "$1" >&2
  exit 1
}

advice='set GXENSEMBLE_CACHE_DIR to a directory of your own, on a file system that programs can run from'

# What ls says of directories, a line each, also where the PATH leads to none.
look() {
  LC_ALL=C command -p ls -ldnq "$@" 2>/dev/null || LC_ALL=C ls -ldnq "$@"
}

# Whether a directory belongs to this user or to root.
trusted() {
  [ -O "$1" ] || [ "$(look "$1/." | { read -r _ _ owner _ && printf %s "$owner"; })" = 0 ]
}

# Other users must not be able to replace what is in the cache directory.
require_closed() {
  case $1 in
    ?????????[tT]*) ;;
    ?????w* | ????????w*)
      fail "others may write to $cache: take that from them with chmod go-w, or $advice" ;;
    d*) ;;
    *) fail "cannot see who may write to $cache: $advice" ;;
  esac
}

# Only this user and root may have put there, or may change, what is about to run. This goes with every start:
# one process of ls, where all is as it was made.
verify() {
  trusted "$cache" || fail "$cache belongs to another user: $advice"
  if [ -h "$deno" ] || [ -h "$program" ] || ! trusted "$deno" || ! trusted "$program"; then
    fail "another user can have filled $cache: $advice"
  fi
  listed=$(look "$cache/." "$deno" "$program")
  cached=
  entered=
  set -f
  IFS='
'
  for line in $listed; do
    case $line in
      */.) cached=$line ;;
      d???------*) ;;
      *) entered=1 ;;
    esac
  done
  unset IFS
  set +f
  require_closed "$cached"
  [ -n "$entered" ] || return 0
  # Where others may enter, each file counts by itself.
  writable=$(command -p find "$deno" "$program" ! -type l '(' -perm -020 -o -perm -002 ')' 2>&1) ||
    fail "cannot see who may write to $cache: $writable; $advice"
  [ -z "$writable" ] ||
    fail "others may have changed what is in $cache: remove $deno and $program, and start again"
}

# Takes the bytes from offset $1 on, $2 of them, out of this file, and decompresses them into $3.
extract() {
  reason=$({ tail -c "+$(($1 + 1))" "$self" | head -c "$2" | gzip -dc >"$3"; } 2>&1)
  code=$?
  [ "$(head -n 4 "$self" | tail -n 1)" = "id=$id" ] ||
    fail "there is another program at $self by now: start that"
  if [ "$code" != 0 ]; then
    set -f
    # shellcheck disable=SC2086 # split into words: gzip begins with an empty line
    set -- $reason
    reason=$*
    case $reason in
      *'unexpected end'* | *crc* | *'invalid compressed'* | *'not in gzip'* | *corrupt*)
        fail "$self is damaged ($reason): get it again" ;;
      *) fail "cannot unpack into $cache: ${reason:-no reason given}" ;;
    esac
  fi
}

# Gives a finished directory its name, unless another start was faster. What had the name before and
# was not whole goes.
publish() {
  sync "$1"/* 2>/dev/null || sync
  if [ -d "$2" ] && ! { [ -x "$2/$3" ] && [ -s "$2/$3" ]; }; then
    mv "$2" "$work/old" 2>/dev/null
  fi
  [ -d "$2" ] || mv "$1" "$2" 2>/dev/null
  # Where the other was faster by a hair, this one went into the other's directory.
  rm -rf "${2:?}/${1##*/}"
  [ -x "$2/$3" ] || fail "cannot unpack into $cache: there is something else at $2"
}

unpack() {
  # A name alone is that of a file here, for that is where shells look first, or of one on the PATH.
  case $self in
    */*) ;;
    *) if [ -f "./$self" ]; then self=./$self; else self=$(command -v -- "$self") || fail "cannot find itself"; fi ;;
  esac
  [ -r "$self" ] || fail "cannot read itself at $self"
  for tool in uname ls mkdir mv rm chmod gzip tar tail head mktemp; do
    command -v "$tool" >/dev/null || fail "unpacking takes $tool, which is not on the PATH"
  done
  [ "$(uname -s) $(uname -m)" = "$system" ] ||
    fail "this is the executable for ${system% *} on ${system#* }, and not for $(uname -s) on $(uname -m)"
  # Do not create files in another user's home.
  there=$cache
  while [ -n "$there" ] && ! [ -e "$there" ]; do there=${there%/*}; done
  trusted "${there:-/}" || fail "$there belongs to another user: $advice"
  umask 077
  reason=$(mkdir -p "$cache" 2>&1) || fail "cannot unpack into $cache: $reason; $advice"
  trusted "$cache" || fail "$cache belongs to another user: $advice"
  require_closed "$(look "$cache/.")"
  # What starts that were cut short a day ago or earlier have left.
  find "$cache" -maxdepth 1 -name '.unpacking.*' -mtime +0 -exec rm -rf {} + 2>/dev/null
  reason=$(mktemp -d "$cache/.unpacking.XXXXXX" 2>&1) ||
    fail "cannot unpack into $cache: $reason; $advice"
  work=$reason
  trap 'rm -rf "$work"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  if ! { [ -x "$deno/deno" ] && [ -s "$deno/deno" ]; }; then
    mkdir "$work/deno.$$" || exit
    extract "$header_size" "$deno_size" "$work/deno.$$/deno"
    chmod 700 "$work/deno.$$/deno" || exit
    reason=$("$work/deno.$$/deno" --version 2>&1) ||
      fail "what was unpacked into $cache does not run: $reason; $advice"
    publish "$work/deno.$$" "$deno" deno
  fi
  if ! [ -x "$program/$entry" ]; then
    mkdir "$work/program.$$" || exit
    extract "$((header_size + deno_size))" "$program_size" "$work/program.tar"
    reason=$(cd "$work/program.$$" && tar -xof ../program.tar 2>&1) ||
      fail "cannot unpack into $cache: $reason"
    publish "$work/program.$$" "$program" "$entry"
  fi
  rm -rf "$work"
  trap - EXIT HUP INT TERM
  umask "$mask"
}

# The last line calls it: of a file that was cut short, nothing runs.
start() {
  if [ -n "${GXENSEMBLE_CACHE_DIR:-}" ]; then cache=$GXENSEMBLE_CACHE_DIR
  elif [ -n "${XDG_CACHE_HOME:-}" ]; then cache=$XDG_CACHE_HOME/gxensemble
  elif [ -n "${HOME:-}" ]; then cache=$HOME/.cache/gxensemble
  else fail 'no directory to unpack into: set GXENSEMBLE_CACHE_DIR or HOME'
  fi
  case $cache in /*) ;; *) cache=$PWD/$cache ;; esac
  deno=$cache/deno-${id%-*}
  program=$cache/$directory-${id#*-}
  if ! { [ -x "$deno/deno" ] && [ -s "$deno/deno" ] && [ -x "$program/$entry" ]; }; then
    mask=$(umask)
    unpack
  fi
  verify
  # What is set here, the program takes back.
  GXENSEMBLE_SET=GXENSEMBLE_SET
  if [ -z "${DENO_DIR:-}" ] && [ -w "$deno" ]; then
    # Of its own, for the compiled code there is only good under these flags.
    export DENO_DIR="$deno/cache"
    GXENSEMBLE_SET="$GXENSEMBLE_SET DENO_DIR"
  fi
  if [ -z "${DENO_NO_UPDATE_CHECK:-}" ]; then
    export DENO_NO_UPDATE_CHECK=1
    GXENSEMBLE_SET="$GXENSEMBLE_SET DENO_NO_UPDATE_CHECK"
  fi
  export GXENSEMBLE_SET
  run "$@"
}

start "$@"
exit 126
