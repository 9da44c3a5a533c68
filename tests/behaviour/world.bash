# shellcheck shell=bash
# world.bash - everything on this machine that an engine could leave behind, one line each.
#
# Used by: tools/test (a list before the suites) and leaks.bats (the same list after them).

# list_world: sorted lines. Only kinds of things that engines make; no process that merely ran on.
list_world() {
  local homes=${TMPDIR:-/tmp}/ct. # see behaviour_setup
  {
    grep -lF -f <(echo "$homes") /proc/[0-9]*/cmdline 2>/dev/null |
      cut -d/ -f3 | while read -r pid; do
        _is_ours "$pid" && echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
      done
    awk -v homes="$homes" 'index($5, homes) == 1 || $5 ~ /^\/(var\/lib|run)\/cutaway/ { print "mount " $5 }' /proc/self/mountinfo
    find /sys/class/net -mindepth 1 -maxdepth 1 -printf 'network device %f\n'
    nft list tables 2>/dev/null | sed 's/^table/nftables table/'
    find /sys/fs/cgroup -type d \( -name 'lxc*' -o -name '*cutaway*' \) -printf 'cgroup %p\n' 2>/dev/null
    find "${TMPDIR:-/tmp}" -mindepth 1 -maxdepth 1 -name 'ct.??????' -printf 'file %p\n'
    find /tmp -mindepth 1 -maxdepth 1 -name 'cutaway*' -printf 'file %p\n'
    find /var/lib/cutaway /run/cutaway -maxdepth 0 -printf 'file %p\n'
    find /run/netns /dev/shm /dev/mqueue -mindepth 1 -maxdepth 1 -printf 'file %p\n'
  } 2>/dev/null | sort
}

# Not the shells and greps that only look: those stand in our own line of ancestors or children.
_is_ours() {
  case $(cat "/proc/$1/comm" 2>/dev/null) in
  grep | bash | sh | bats* | parallel | perl | '') return 1 ;;
  esac
}
