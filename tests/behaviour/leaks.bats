#!/usr/bin/env bats
# leaks.bats - runs last: all suites together have left nothing behind on this machine.
#
# tools/test lists the world before the suites in $CUTAWAY_LEAKS_BEFORE. Run alone, everything that
# this engine could have made counts as left behind.

bats_require_minimum_version 1.8.0
source "$BATS_TEST_DIRNAME/world.bash"

# What is there now and was not there before.
new_things() {
  if [ -n "${CUTAWAY_LEAKS_BEFORE:-}" ]; then
    comm -13 "$CUTAWAY_LEAKS_BEFORE" <(list_world)
  else
    list_world | grep -E '^(process|mount|cgroup|network device ct-|nftables table .* cutaway-|file .*/ct\.)' || true
  fi
}

@test "the suites left no process, mount, network device, nftables table, cgroup or file behind" {
  local deadline=$((SECONDS + 10)) left
  while left=$(new_things) && [ -n "$left" ] && ((SECONDS < deadline)); do
    sleep 0.2 # a monitor may still be on its way out
  done
  echo "$left"
  [ -z "$left" ]
}

@test "the list of the world sees what an engine could leave" {
  local dir
  dir=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  mkdir "$dir/mounted"
  mount -t tmpfs none "$dir/mounted"
  local seen
  seen=$(list_world)
  umount "$dir/mounted"
  rm -r "$dir"
  [[ $seen == *"mount $dir/mounted"* ]]
  [[ $seen == *"file $dir"* ]]
  [[ $seen == *"network device lo"* ]]
}
