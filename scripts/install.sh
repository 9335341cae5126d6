#!/bin/sh
# Installs or upgrades gxensemble and ensemble-registry. See the text of usage below.
#
# The braces around everything make a shell read the whole file before it runs any of it, so that
# "curl | sh" of an interrupted download does nothing.
{
set -eu
if [ -n "${ZSH_VERSION:-}" ]; then emulate sh; fi

usage() {
  cat <<'END'
Usage: install.sh [option ...]

Installs gxensemble and ensemble-registry for this machine: downloads them, compares them with the SHA256SUMS
of their release, and puts them into a directory. What runs there goes on running with the old file.

What comes from GitHub is also verified to have been built there from the project's sources, where gh, GitHub's
command line, is installed and logged in.

Options:
  --from <url>       the URL of a directory with the files of a release [default: $GXENSEMBLE_URL, or the
                     latest release on GitHub]
  --version <v>      the release to install, like v1.2.3; with --from, the one that must be there
  --to <directory>   where to install [default: /usr/local/bin for root, ~/.local/bin for others]
  --only <name>      install just gxensemble, or just ensemble-registry
  -h, --help         display this

Exit codes: 0 installed, 1 failed and nothing was changed but what it says was installed, 2 wrong usage.
END
}

fail() {
  printf 'install.sh: error: %s\n' "$1" >&2
  exit 1
}

fail_usage() {
  printf 'install.sh: error: %s\nsee install.sh --help\n' "$1" >&2
  exit 2
}

# The platform in the file names of the release for this machine.
find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  case $machine in
    x86_64 | amd64) machine=x86_64 ;;
    aarch64 | arm64) machine=aarch64 ;;
    *) fail "there is no build for $system on $machine, only on x86_64 and aarch64" ;;
  esac
  case $system in
    Linux)
      if [ -e /etc/alpine-release ] || ldd --version 2>&1 | grep -q musl; then
        fail "there is no build for Linux with musl, as Alpine has it: use a system with glibc, like Debian"
      fi
      target=$machine-unknown-linux-gnu
      ;;
    Darwin) target=$machine-apple-darwin ;;
    MINGW* | MSYS* | CYGWIN*)
      fail "Windows is not supported: use Linux or macOS, or WSL 2 on Windows"
      ;;
    *) fail "there is no build for $system, only for Linux and macOS" ;;
  esac
}

# Redirects of https stay with https. Over http, an attacker on the network can replace the release
# together with SHA256SUMS, so it prints a warning, except for this host.
find_protocols() {
  case $from in
    https://*) protocols=https ;;
    http://127.0.0.1[:/]* | http://localhost[:/]* | "http://[::1]"[:/]*) protocols=http,https ;;
    http://*)
      protocols=http,https
      echo "$from is not https: an attacker on the network can change what is installed" >&2
      ;;
    file://*) protocols="file" ;;
    *) fail_usage "$from is not an https, http or file URL" ;;
  esac
}

# download <name>: downloads a file of the release to the temporary directory.
download() {
  echo "downloading $from/$1" >&2
  case $downloader in
    curl)
      why=$(curl -fsSL --proto "=$protocols" --retry 2 -o "$temporary/$1" "$from/$1" 2>&1) && return
      ;;
    wget) download_with_wget "$1" && return ;;
  esac
  fail "cannot download $from/$1: $(printf '%s\n' "$why" | sed '/^ *$/d' | tail -n 1)"
}

# The same with wget, which cannot restrict redirects to https: each redirect is followed here.
download_with_wget() {
  url=$from/$1
  for _ in 1 2 3 4 5; do
    case ",$protocols," in
      *",${url%%:*},"*) ;;
      *)
        why="it leads to $url, and only $protocols is wanted"
        return 1
        ;;
    esac
    why=$(LC_ALL=C wget -t 2 -S --max-redirect=0 -O "$temporary/$1" "$url" 2>&1) && return
    # GitHub returns whole URLs.
    url=$(printf '%s\n' "$why" | sed -n 's/^ *[Ll]ocation: \([a-z]*:[^ ]*\).*/\1/p' | sed -n 1p)
    [ -n "$url" ] || return 1
  done
  why="there are too many redirects"
  return 1
}

# verify <name>: checks the download against SHA256SUMS.
verify() {
  expected=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$1\$/\1/p" "$temporary/SHA256SUMS")
  [ -n "$expected" ] || fail "$from/SHA256SUMS has no line for $1"
  actual=$($hasher <"$temporary/$1" | cut -d ' ' -f 1)
  [ "$actual" = "$expected" ] ||
    fail "$from/$1 is not what SHA256SUMS says: its SHA-256 is $actual and should be $expected"
}

# attest <name>: checks that the download was built by the project's own workflow on GitHub.
attest() {
  if [ "$origin" != github ]; then return; fi
  if ! gh attestation verify --help >/dev/null 2>&1; then
    echo "who built $1 is not verified: that takes gh, GitHub's command line, which is not here or too old" >&2
    return
  fi
  code=0
  why=$(gh attestation verify "$temporary/$1" --repo gxensemble/gxensemble \
    --signer-workflow gxensemble/gxensemble/.github/workflows/release.yml 2>&1) || code=$?
  case $code in
    0) ;;
    4) echo "who built $1 is not verified: log in with gh auth login first" >&2 ;;
    *) fail "$1 was not built by the project: $(printf '%s\n' "$why" | sed '/^ *$/d' | tail -n 1)" ;;
  esac
}

# stage <name>: puts the file beside its destination, and checks that it runs there.
stage() {
  if [ -d "$to/$1" ]; then fail "$to/$1 is in the way: it is a directory"; fi
  staged=$(mktemp "$to/.$1.XXXXXX" 2>&1) || fail "cannot write to $to: $staged"
  staged_files="$staged_files $1=${staged##*/}"
  why=$(cat "$temporary/$1-$target" 2>&1 >"$staged" && chmod 755 "$staged" 2>&1) ||
    fail "cannot write to $to: $why"
  says=$("$staged" -V 2>"$temporary/why") || fail "$1 does not run on this machine: $(tail -n 1 "$temporary/why")"
  says=$(printf '%s\n' "$says" | sed -n 1p)
  case $says in
    "$1 ${version:+${version#v} }"*) ;;
    *) fail "$from has no $1${version:+ $version}: the file by that name reports $says" ;;
  esac
}

# place <name>: renames the staged file. A program that starts meanwhile is either the old file or
# the new one.
place() {
  for pair in $staged_files; do
    if [ "${pair%%=*}" != "$1" ]; then continue; fi
    why=$(mv -f "$to/${pair#*=}" "$to/$1" 2>&1) || fail "cannot write $to/$1: $why"
    echo "installed $("$to/$1" -V | sed -n 1p) as $to/$1"
  done
}

clean_up() {
  if [ -n "$temporary" ]; then rm -rf "$temporary"; fi
  for pair in $staged_files; do
    rm -f "$to/${pair#*=}"
  done
}

# Whether the installed programs are the ones that the user will run.
report_path() {
  case ":$PATH:" in
    *":$to:"* | *":$to/:"*) ;;
    *)
      echo "$to is not on your PATH: put this line into your shell's profile:"
      echo "  export PATH=\"$to:\$PATH\""
      return
      ;;
  esac
  for name in $names; do
    found=$(command -v "$name" || true)
    if [ "$(CDPATH='' cd -- "${found%/*}" && pwd)" != "$to" ]; then
      echo "$to is on your PATH, but $name is $found, which comes before it"
    fi
  done
}

main() {
  releases=https://github.com/gxensemble/gxensemble/releases
  from=${GXENSEMBLE_URL:-}
  version=
  to=
  names="gxensemble ensemble-registry"
  temporary=
  staged_files=

  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help)
        usage
        exit 0
        ;;
      --from | --version | --to | --only)
        if [ $# -lt 2 ] || [ -z "$2" ]; then fail_usage "$1 needs a value"; fi
        case $1 in
          --from) from=$2 ;;
          --version) version=v${2#v} ;;
          --to) to=$2 ;;
          --only) names=$2 ;;
        esac
        shift 2
        ;;
      *) fail_usage "unknown option: $1" ;;
    esac
  done
  case $names in
    gxensemble | ensemble-registry | "gxensemble ensemble-registry") ;;
    *) fail_usage "there is no $names: use gxensemble or ensemble-registry" ;;
  esac
  case $version in
    *[!A-Za-z0-9.+-]*) fail_usage "not a version: $version" ;;
  esac

  find_target
  origin=github
  if [ -n "$from" ]; then
    from=${from%/}
    origin=elsewhere
  elif [ -n "$version" ]; then
    from=$releases/download/$version
  else
    from=$releases/latest/download
  fi
  find_protocols
  if [ -z "$to" ]; then
    if [ "$(id -u)" = 0 ]; then
      to=/usr/local/bin
    else
      [ -n "${HOME:-}" ] || fail "HOME is not set: say where to install, with --to"
      to=$HOME/.local/bin
    fi
  fi
  if command -v curl >/dev/null; then
    downloader=curl
  elif command -v wget >/dev/null; then
    downloader=wget
  else
    fail "neither curl nor wget is here to download with"
  fi
  if command -v sha256sum >/dev/null; then
    hasher=sha256sum
  elif command -v shasum >/dev/null; then
    hasher="shasum -a 256"
  else
    fail "neither sha256sum nor shasum is here to verify the download with"
  fi

  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  made=$(mktemp -d "${TMPDIR:-/tmp}/gxensemble.XXXXXX" 2>&1) || fail "cannot make a temporary directory: $made"
  temporary=$made

  download SHA256SUMS
  for name in $names; do
    download "$name-$target"
    verify "$name-$target"
    attest "$name-$target"
  done
  why=$(mkdir -p -- "$to" 2>&1) || fail "cannot make $to: $why"
  to=$(CDPATH='' cd -- "$to" && pwd)
  for name in $names; do stage "$name"; done
  for name in $names; do place "$name"; done
  report_path
}

main "$@"
}
