# shellcheck shell=bash
# modular.bash - the six boxes of stage 04 beside docker, dockerd, containerd, containerd-shim-runc-v2 and runc.
#
# Used by: tools/bench (part modular), whose functions for daemons, containers and reports it calls.
# Both stacks have the same image, no network, and their clients: what is measured is what a user waits for.

FLEET=${BENCH_FLEET:-500}

ours() { "$BUILD/cutaway" --stage 04 -H "unix://$OURS" "$@" </dev/null; }
peer() { docker -H "unix://$PEER" "$@" </dev/null; }

start_ours_04() { ours start started; }
start_peer_04() { peer start started; }
run_ours_04() { ours run -d --network none busybox sleep 1000; }
run_peer_04() { peer run -d --network none busybox sleep 1000; }
remove_all() {
  local side ids
  for side in ours peer; do
    ids=$("$side" ps -aq)
    # shellcheck disable=SC2086 # one id a word
    [ -z "$ids" ] || "$side" rm -f $ids
  done
}
renew_started_04() {
  remove_all
  create "$OURS" started
  create "$PEER" started
}

# crun refuses a v2 hierarchy beside v1: a mount namespace without it, made before anything is timed.
prepare_crun() {
  # shellcheck disable=SC2016 # the inner shell's own
  unshare -m sh -c '! mountpoint -q "$0" || umount "$0"; exec sleep infinity' /sys/fs/cgroup/unified &
  CRUN_PLACE=$!
  until [ "$(cat "/proc/$CRUN_PLACE/comm")" = sleep ]; do sleep 0.05; done
}
run_crun() { nsenter -t "$CRUN_PLACE" -m crun --root "$RUN/crun" run -b "$BUNDLE" b4 </dev/null; }

# descendants PID: it and everything below it.
descendants() {
  local child
  echo "$1"
  for child in $(pgrep -P "$1"); do descendants "$child"; done
}

# Sum of what stands on stdin as process ids, by a field of smaps_rollup: memory FIELD
memory() {
  local pid
  while read -r pid; do
    awk -v field="^$1" '$1 ~ field { sum += $2 } END { print sum + 0 }' "/proc/$pid/smaps_rollup" 2>>"$BENCH_LOG" || true
  done | awk '{ sum += $1 } END { print sum + 0 }'
}

# report_kilobytes NAME OURS PEER
report_kilobytes() {
  printf '%-9s %-38s %9d kB\n%-9s %-38s %9d kB    ratio %.3f\n' modular "$1, ours" "$2" '' "$1, Docker's" "$3" \
    "$(awk "BEGIN { print $2 / $3 }")"
  jq -cn --arg what "$1" --argjson a "$2" --argjson b "$3" '{name: "modular", what: $what, ours_kb: $a, peer_kb: $b}' >>"$OUT/results.jsonl"
}

# shims PROGRAM: the process ids of the shims that this run's containerd has started; its socket is in their arguments.
shims() { pgrep -f "^([^ ]*/)?$1 .*$RUN"; }

# fleet SIDE: FLEET containers, one after the other; prints "total_us first_us last_us", medians of 20.
fleet() {
  local side=$1 i began=${EPOCHREALTIME/./} total
  for ((i = 1; i <= FLEET; i++)); do time_us "run_${side}_04" || die "a container of $FLEET did not start: $BENCH_LOG"; done >"$WORK/fleet"
  total=$((${EPOCHREALTIME/./} - began))
  echo "$total $(head -n 20 "$WORK/fleet" | median) $(tail -n 20 "$WORK/fleet" | median)"
}

report_fleet() {
  local a b
  local -a ours_us peer_us
  read -ra ours_us <<<"$(fleet ours)"
  a=$(descendants "$CUTAWAYD" | memory Pss:)
  a=$((a + $(shims cutaway-containerd-shim | memory Pss:)))
  ours ps -aq | xargs "$BUILD/cutaway" --stage 04 -H "unix://$OURS" rm -f >>"$BENCH_LOG" 2>&1
  read -ra peer_us <<<"$(fleet peer)"
  b=$(descendants "$DOCKERD" | memory Pss:)
  b=$((b + $(shims containerd-shim-runc-v2 | memory Pss:)))
  peer ps -aq | xargs docker -H "unix://$PEER" rm -f >>"$BENCH_LOG" 2>&1
  report modular "$FLEET times run -d, ours" "the same, docker" \
    "${ours_us[0]} ${peer_us[0]} $(awk "BEGIN { print ${ours_us[0]} / ${peer_us[0]} }")"
  report modular "the last 20 of ours" "the first 20" "${ours_us[2]} ${ours_us[1]} $(awk "BEGIN { print ${ours_us[2]} / ${ours_us[1]} }")"
  report modular "the last 20 of docker's" "the first 20" "${peer_us[2]} ${peer_us[1]} $(awk "BEGIN { print ${peer_us[2]} / ${peer_us[1]} }")"
  report_kilobytes "memory with $FLEET containers" "$a" "$b"
}

bench_modular() {
  if ! command -v dockerd docker >/dev/null; then
    echo "modular   not measured: there is no docker and dockerd"
    return 0
  fi
  start_daemons 04-modular
  [ -d "${BUNDLE:-}" ] || prepare_bundle
  sleep 2
  report_kilobytes "memory of the idle stack" "$(descendants "$CUTAWAYD" | memory Pss:)" "$(descendants "$DOCKERD" | memory Pss:)"
  report modular "start, client to exec" "docker start" "$(pair "$ROUNDS" start_ours_04 start_peer_04 renew_started_04)"
  prepare_crun
  report modular "start, client to exec" "one bare crun run of true" "$(pair "$ROUNDS" start_ours_04 run_crun renew_started_04)"
  kill "$CRUN_PLACE"
  report modular "run -d" "docker run -d" "$(pair "$ROUNDS" run_ours_04 run_peer_04 remove_all)"
  remove_all >>"$BENCH_LOG"
  # Two of each: they share the program's pages, and what one more costs is the question.
  for _ in 1 2; do run_ours_04 && run_peer_04; done >>"$BENCH_LOG"
  sleep 1
  report_kilobytes "private memory of one more shim" "$(shims cutaway-containerd-shim | head -n 1 | memory Private_)" \
    "$(shims containerd-shim-runc-v2 | head -n 1 | memory Private_)"
  remove_all >>"$BENCH_LOG"
  report_fleet
  stop_daemons
}
