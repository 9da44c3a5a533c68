# shellcheck shell=bash
# common.bash - what the scripts in this folder share: where things are, who is root, how to speak.
#
# Sourced first by each of them:  source "$(dirname "$0")/common.bash"

set -euo pipefail

CHECKOUT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BUILD=${BUILD:-$CHECKOUT/build}
[[ $BUILD == /* ]] || BUILD=$CHECKOUT/$BUILD
cd "$CHECKOUT"

# "demo: building …": one line of progress, to stderr, so that results alone go to stdout.
say() {
  echo "${0##*/}: $*" >&2
}

die() {
  say "$*"
  exit 1
}

# Stops, with a word, where as_root could not work. Before its output goes to a log.
require_root_or_sudo() {
  [ "$(id -u)" -eq 0 ] || command -v sudo >/dev/null || die "$1 needs root, and there is no sudo: run this as root"
}

# Runs a command as root: directly, or through sudo.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    require_root_or_sudo "'$1'"
    sudo --preserve-env=SHELL,BUILD,STAGE,MATRIX,TMPDIR,BATS_LIB_PATH,CUTAWAY_LEAKS_BEFORE "$@"
  fi
}

# What root wrote into our build folders belongs to us again.
own_again() {
  if [ "$(id -u)" -ne 0 ]; then
    as_root chown -R "$(id -u):$(id -g)" "$@"
  fi
}

# The folder whose boot/ and lib/modules/ hold Debian's cloud kernel, for virtual machines: the system's root
# when it is installed, or what tools/setup unpacked. For tests, KERNEL_SYSTEM is the system's root.
find_cloud_kernel() {
  local root
  for root in "${KERNEL_SYSTEM:-}/" "$BUILD/vm/kernel/"; do
    if compgen -G "${root}boot/vmlinuz-*-cloud-amd64" >/dev/null; then
      echo "$root"
      return
    fi
  done
  return 1
}

# NUL-separated list of the project's own files that match the patterns, with or without git.
project_files() {
  if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    # Files that are removed but not yet committed are still listed: leave them out.
    git ls-files -z --cached --others --exclude-standard -- "$@" |
      while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done
  else
    local pattern names=()
    for pattern; do names+=(-o -name "${pattern##*/}"); done
    find . -path './build*' -prune -o -type f \( "${names[@]:1}" \) -printf '%P\0'
  fi
}
