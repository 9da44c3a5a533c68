# shellcheck shell=bash
# lib.bash - stage 04 under load, and how one finds and kills each of its boxes.
#
# Used by:  every *.bats file in this folder:   load lib
# Settings: SEED (default: another one in each run; it is printed), as bats' environment.
#
# Clients create, start, exec, stop and remove containers as fast as they can, and write down what was said to have
# succeeded. Whatever fails meanwhile is the kill's doing; but what was said must be true afterwards.

# shellcheck disable=SC2034,SC2317 # for the tests; functions that retry calls

STAGE=04
load ../behaviour/lib

STATE=$BUILD/stages/04-modular
LINES_OF_SHORT=100 CODE_OF_SHORT=3
SHORT="seq 1 $LINES_OF_SHORT; exit $CODE_OF_SHORT"
LONG='trap "exit 7" TERM; seq 1 20; while :; do sleep 0.1; done'

# ---- the boxes ----

# A runtime that is killed when somebody asks for it, which is a file with seconds: so soon after it has begun.
make_killable_runtime() {
  export CUTAWAY_RUNTIME=$HOME_OF_TEST/runc
  cat >"$CUTAWAY_RUNTIME" <<END
#!/bin/bash
mv "$HOME_OF_TEST/kill-runc" "$HOME_OF_TEST/kill-runc.\$\$" 2>/dev/null || exec "$STATE/runc/cutaway-runc" "\$@"
"$STATE/runc/cutaway-runc" "\$@" <&0 &
runc=\$!
read -rt "\$(<"$HOME_OF_TEST/kill-runc.\$\$")" <> <(:)
kill -KILL \$runc 2>/dev/null && echo "\$*" >>"$HOME_OF_TEST/killed-runc"
wait \$runc
END
  chmod +x "$CUTAWAY_RUNTIME"
}

containerd_pid() { pgrep -f "^cutaway-containerd --root $ROOT/containerd "; }
shim_pids() { pgrep -f "^cutaway-containerd-shim .*-address $RUN/" || true; }
id_of_shim() { tr '\0' '\n' <"/proc/$1/cmdline" | sed -n '/^-id$/{n;p}'; }

kill_daemon() {
  stop_daemon KILL || true
  start_daemon
}
kill_containerd() {
  kill -KILL "$(containerd_pid)"
  retry 30 _daemon_answers
}
# A container of the load: those that stay are not touched.
kill_shim() {
  local pid id
  for pid in $(shim_pids | shuf --random-source=<(yes "$SEED")); do
    id=$(id_of_shim "$pid")
    [[ $STEADY_IDS != *"$id"* ]] || continue
    echo "$id" >>"$HOME_OF_TEST/killed-shims"
    kill -KILL "$pid" 2>/dev/null || true
    return 0
  done
}
kill_runc() { echo "0.00$((RANDOM % 10))" >"$HOME_OF_TEST/kill-runc"; }

# ---- the load ----

# say LINE…: what this client knows to be so.
say() { echo "$*" >>"$HOME_OF_TEST/said.$CLIENT"; }

# attempt VERB NAME COMMAND…: writes down that it was tried, and when it is said to be done, with the output.
attempt() {
  local output
  say "try $1 $2"
  if output=$(timeout 60 "${CUTAWAY[@]}" "${@:3}" 2>>"$HOME_OF_TEST/refused" 3>&-); then say "did $1 $2 $output"; fi
}

# client NUMBER: one container after the other, until there is the file "enough".
client() {
  local n=0 name
  CLIENT=$1
  while [ ! -e "$HOME_OF_TEST/enough" ]; do
    name=c$1-$((n += 1))
    case $((n % 4)) in
    0 | 1)
      attempt create "$name" create --name "$name" --network none busybox sh -c "$SHORT"
      attempt start "$name" start "$name"
      attempt wait "$name" wait "$name"
      ;;
    2 | 3)
      attempt create "$name" create --name "$name" "${NETWORK[@]}" busybox sh -c "$LONG"
      attempt start "$name" start "$name"
      attempt exec "$name" exec "$name" echo inside
      ((n % 4 == 3)) || attempt stop "$name" stop -t 20 "$name"
      ;;
    esac
    ((n % 2)) || attempt rm "$name" rm -f "$name"
  done
}

begin_load() {
  local i
  CLIENTS=()
  for i in $(seq "$1"); do
    client "$i" >/dev/null 2>&1 3>&- &
    CLIENTS+=($!)
  done
}

end_load() {
  touch "$HOME_OF_TEST/enough"
  wait "${CLIENTS[@]}"
}

# ---- what must be so afterwards ----

# check_log NAME EXPECTED: it has these lines, no others, none cut or twice.
check_log() {
  diff <(echo "$2") <(cutaway logs "$1") >"$HOME_OF_TEST/diff" || fail "$1 has another log: $(head "$HOME_OF_TEST/diff")"
}

has_said() { grep -qsxE "$1" "$HOME_OF_TEST"/said.*; }

# check_container NAME: of the load, which was said to be started.
check_container() {
  local name=$1 id status code pid
  if ! read -r id status code pid < <(cutaway inspect --type container -f '{{.Id}} {{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}' "$name" 2>/dev/null); then
    has_said "try rm $name" || fail "$name is gone, and nobody has removed it"
    return 0
  fi
  if grep -qsx "$id" "$HOME_OF_TEST/killed-shims"; then # who killed it ended its container, too
    [ "$status" = exited ] || fail "$name lost its shim, and is $status"
    return 0
  fi
  if ((${name#*-} % 4 < 2)); then
    [ "$status $code" = "exited $CODE_OF_SHORT" ] || fail "$name is $status, with code $code"
    check_log "$name" "$(seq 1 "$LINES_OF_SHORT")"
    if has_said "did wait $name .*"; then has_said "did wait $name $CODE_OF_SHORT" || fail "$name: wait said something else"; fi
  else
    check_log "$name" "$(seq 1 20)"
    if [ "$status" = exited ]; then
      has_said "try (stop|rm) $name" || fail "$name has ended, with code $code, and nobody stopped it"
      [ "$code" = 7 ] || [ "$code" = 137 ] || fail "$name was stopped, with code $code"
    else
      if [ "$status" != running ] || [ ! -d "/proc/$pid" ]; then fail "$name is $status, with process $pid"; fi
      ! has_said "did stop $name .*" || fail "$name was said to be stopped, and is $status"
    fi
    if has_said "did exec $name .*"; then has_said "did exec $name inside" || fail "$name: exec printed something else"; fi
  fi
}

check_load() {
  local name
  while read -r name; do check_container "$name"; done < <(sed -n 's/^did start \([^ ]*\) .*/\1/p' "$HOME_OF_TEST"/said.*)
}

# Containers that run through all of it, each counting.
begin_steady() {
  local i
  STEADY=() STEADY_IDS="" STEADY_PIDS=()
  for i in 1 2 3; do
    STEADY_IDS+=" $(cutaway run -d --name "steady$i" busybox sh -c \
      'trap "echo end; exit 7" TERM; i=0; while :; do i=$((i + 1)); echo $i; sleep 0.02; done')"
    STEADY+=("steady$i")
    STEADY_PIDS+=("$(pid_of "steady$i")")
  done
}

check_steady() {
  local i last
  for i in 0 1 2; do
    assert_status_of "${STEADY[i]}" running
    assert_equal "$(pid_of "${STEADY[i]}")" "${STEADY_PIDS[i]}"
    cutaway stop "${STEADY[i]}" >/dev/null
    assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' "${STEADY[i]}")" 7
    last=$(cutaway logs "${STEADY[i]}" | grep -xv end | tail -n 1)
    [ "$last" -gt 100 ] || fail "${STEADY[i]} has written only $last lines"
    check_log "${STEADY[i]}" "$(seq 1 "$last" && echo end)"
  done
}

# What containerd, shims and runtimes had of containers, when all are removed. teardown looks at the kernel.
left_in_boxes() {
  local ask=(ctr -a "$RUN/containerd/containerd.sock" -n cutaway)
  "${ask[@]}" tasks ls -q
  "${ask[@]}" containers ls -q
  "${ask[@]}" leases ls -q
  shim_pids
  find "$RUN" -type s -path '*/s/*'
  find "$RUN/runc" "$RUN/containerd/io.containerd.runtime.v2.task" -mindepth 2 -maxdepth 2
  find "$ROOT/snapshots/active" -mindepth 1 -maxdepth 1
}
nothing_left_in_boxes() { [ -z "$(left_in_boxes 2>&1)" ]; }

remove_all() {
  local ids
  mapfile -t ids < <(cutaway ps -aq)
  if ((${#ids[@]} > 0)); then run -0 cutaway rm -f "${ids[@]}"; fi
  retry 20 nothing_left_in_boxes || fail "left in the boxes: $(left_in_boxes 2>&1)"
}
