#!/usr/bin/env bats
# cycles.bats - containers that start and end, again and again: nothing grows.
#
# Room: tests/failures. Run by: tools/test failures. CYCLES=10000 bats tests/failures/cycles.bats is the long one: some
# twenty minutes. The figures before and after are printed.

load lib

CYCLES=${CYCLES:-200}

# request PATH…: POSTs on one connection.
request() {
  local path urls=()
  for path in "$@"; do urls+=("http://d/v1.43/$path"); done
  curl -sS --fail-with-body --max-time 60 --unix-socket "$RUN/cutaway.sock" -X POST "${urls[@]}" 3>&-
}

# cycle: start, its end, and the next one may begin.
cycle() { [[ $(request containers/web/start containers/web/wait) == *'"StatusCode":3'* ]]; }

# The containers that there have been: others' run on this machine, too.
ids_ever() { grep -ohE '[0-9a-f]{64}' "$ROOT"/04-modular/events/* | sort -u; }

# figures: what could grow, a name and a number a line. Memory is a process's own, in kB.
figures() {
  local name pid
  while read -r name pid; do
    echo "$name memory $(awk '/^Private/ { sum += $2 } END { print sum }' "/proc/$pid/smaps_rollup")"
    echo "$name descriptors $(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
    echo "$name threads $(awk '/^Threads/ { print $2 }' "/proc/$pid/status")"
  done <<<"daemon $DAEMON"$'\n'"containerd $(containerd_pid)"
  echo "machine mounts $(_leaked_mounts | wc -l)"
  echo "machine cgroups $(find /sys/fs/cgroup -type d -printf '%f\n' | grep -cFf <(ids_ever))"
  echo "machine processes $(_leaked_processes | wc -l)"
  echo "state files $(find "$RUN" "$ROOT" -xdev -not -path '*/events/*' -not -path '*/logs/*' | wc -l)"
  echo "state database $(($(stat -c %s "$ROOT/containerd/metadata.db") / 1024))"
}

# settled: the same figures twice, so that who was on his way out is gone.
settled() {
  local before="" now=""
  for _ in $(seq 40); do
    now=$(figures | grep -v memory)
    [ "$now" != "$before" ] || break
    before=$now
    sleep 0.1
  done
  figures
}

# compare BEFORE AFTER: nothing is more. What a heap keeps comes and goes by megabytes (each thread has its own), so that
# a leak of a kilobyte a cycle is seen in the long run only. A database grows by pages, and a pool of workers by as many as
# have once been needed at the same time.
compare() {
  paste -d' ' "$1" <(cut -d' ' -f3 "$2") >"$HOME_OF_TEST/figures"
  sed "s/^/# /" "$HOME_OF_TEST/figures" >&3
  run -0 awk '{ more = $2 == "memory" ? 4096 : $2 == "database" ? $3 + 1024 : $2 == "threads" ? 4 : 0 } $4 > $3 + more { print; bad = 1 } END { exit bad }' \
    "$HOME_OF_TEST/figures"
}

@test "after hundreds of starts and ends of a container nothing has grown" {
  cutaway create --name web --network none busybox sh -c 'echo a line; exit 3' >/dev/null
  for _ in $(seq 50); do cycle; done
  settled >"$HOME_OF_TEST/before"
  for i in $(seq "$CYCLES"); do cycle || fail "cycle $i"; done
  settled >"$HOME_OF_TEST/after"
  compare "$HOME_OF_TEST/before" "$HOME_OF_TEST/after"
}

@test "after hundreds of containers that were made and removed, nothing has grown" {
  round() { cutaway run --rm --network none busybox true; }
  for _ in $(seq 20); do round; done
  cutaway create --name web --network none busybox true >/dev/null # whom figures asks for
  settled >"$HOME_OF_TEST/before"
  for i in $(seq "$((CYCLES / 2))"); do round || fail "round $i"; done
  settled >"$HOME_OF_TEST/after"
  compare "$HOME_OF_TEST/before" "$HOME_OF_TEST/after"
}
