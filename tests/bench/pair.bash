# shellcheck shell=bash
# pair.bash - measuring two commands side by side.
#
# Used by: tools/bench. Machines differ and load comes and goes, so a figure alone says little: each
# round runs ours and the peer's one after the other, and the ratio is the median of the rounds' ratios.

# Microseconds of wall time of a command; its output goes to $BENCH_LOG. Fails when the command does.
time_us() {
  local began=${EPOCHREALTIME/./} status=0
  "$@" >>"$BENCH_LOG" 2>&1 || status=$?
  echo $((${EPOCHREALTIME/./} - began))
  return "$status"
}

# Median of the numbers on stdin, one a line.
median() {
  sort -n | awk '{ v[NR] = $1 } END { if (NR == 0) exit 1; m = int((NR + 1) / 2); print NR % 2 ? v[m] : (v[m] + v[m + 1]) / 2 }'
}

# pair ROUNDS OURS PEER [BEFORE]: functions or commands without arguments. BEFORE runs untimed before each.
# Prints "ours_us peer_us ratio": medians, and the median of the paired ratios. The first round warms up.
pair() {
  local rounds=$1 ours=$2 peer=$3 before=${4:-true} round a b
  local times
  times=$(
    for ((round = 0; round <= rounds; round++)); do
      "$before" >>"$BENCH_LOG" 2>&1
      a=$(time_us "$ours") || exit 1
      "$before" >>"$BENCH_LOG" 2>&1
      b=$(time_us "$peer") || exit 1
      ((round == 0)) || echo "$a $b"
    done
  ) || return 1
  echo "$(cut -d' ' -f1 <<<"$times" | median)" "$(cut -d' ' -f2 <<<"$times" | median)" \
    "$(awk '{ printf "%.4f\n", $1 / $2 }' <<<"$times" | median)"
}
