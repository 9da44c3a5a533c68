# The daemon of stage 04 and its containerd, killed at any moment: containers do not notice, and nothing that they do is lost.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load ../behaviour/lib

setup() {
  export STAGE=04
  behaviour_setup
}

# kill_daemon: without a word; nobody is there until the next start_daemon.
kill_daemon() {
  kill -KILL "$DAEMON"
  wait "$DAEMON" || true
}

containerd_pid() { pgrep -o -f "^cutaway-containerd --root $ROOT/containerd "; }

kill_containerd() {
  local pid
  pid=$(containerd_pid)
  kill -KILL "$pid"
  retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
}

inspect() { cutaway inspect -f "{{.State.$2}}" "$1"; }
is() { [ "$(inspect "$1" "$2")" = "$3" ]; }

# exec_of CONTAINER COMMAND…: begins one that nobody is attached to, and prints its id.
exec_of() {
  local container=$1 id
  shift
  id=$(curl -s --unix-socket "$RUN/cutaway.sock" -H 'Content-Type: application/json' \
    -d "$(jq -cn '{Cmd: $ARGS.positional}' --args -- "$@")" "http://d/containers/$container/exec" | jq -r .Id)
  curl -s --unix-socket "$RUN/cutaway.sock" -H 'Content-Type: application/json' -d '{"Detach":true}' "http://d/exec/$id/start"
  echo "$id"
}

exec_is() { [ "$(curl -s --unix-socket "$RUN/cutaway.sock" "http://d/exec/$1/json" | jq -r '"\(.Running) \(.ExitCode)"')" = "$2" ]; }

n_monitors() { grep -lx monitor "/proc/$DAEMON"/task/*/comm 2>/dev/null | wc -l; }

@test "a monitor is a thread of the daemon: what stays with a container is its shim" {
  cutaway run -d --name web busybox sleep 1000
  cutaway run -d --name shop busybox sleep 1000
  run pgrep -f "cutaway-monitor.*$ROOT"
  assert_output ""
  assert_equal "$(n_monitors)" 2
  run pgrep -f -c "cutaway-containerd-shim.*$RUN/containerd"
  assert_output 2
  cutaway stop -t 0 web shop
  _none() { [ "$(n_monitors)" = 0 ]; }
  retry 5 _none
}

@test "the daemon killed: the next one takes every container over when it starts, and whoever ended is known" {
  cutaway run -d --name web busybox sh -c 'until [ -e /go ]; do sleep 0.02; done; sleep 1000'
  cutaway run -d --name job busybox sh -c 'until [ -e /go ]; do sleep 0.02; done; echo last; exit 7'
  cutaway run -d --name again --restart on-failure busybox sh -c 'until [ -e /go ]; do sleep 0.02; done; [ -e /second ] && exit 0; touch /second; exit 3'
  cutaway run --rm -d --name once busybox sh -c 'until [ -e /go ]; do sleep 0.02; done'
  local pid name pids=()
  for name in web job again once; do pids+=("$(pid_of "$name")"); done
  kill_daemon
  for pid in "${pids[@]}"; do touch "/proc/$pid/root/go"; done
  for pid in "${pids[@]:1}"; do retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"; done
  start_daemon
  assert [ "$(n_monitors)" -ge 1 ] # before anybody has asked for a container
  assert_equal "$(pid_of web)" "${pids[0]}"
  assert_equal "$(inspect job Status) $(inspect job ExitCode)" "exited 7"
  run -0 cutaway logs job
  assert_output last
  retry 10 is again Status exited
  assert_equal "$(inspect again ExitCode) $(cutaway inspect -f '{{.RestartCount}}' again)" "0 1"
  run -1 cutaway inspect once
  run -0 cutaway exec web echo here
  assert_output here
}

@test "the daemon killed: execs run on, and their ends are known" {
  cutaway run -d --name web busybox sleep 1000
  local ended running pid
  ended=$(exec_of web sh -c 'until [ -e /go ]; do sleep 0.02; done; exit 5')
  running=$(exec_of web sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo more than a pipe holds; done; until [ -e /end ]; do sleep 0.02; done; exit 6')
  exec_is "$running" "true null"
  pid=$(pid_of web)
  kill_daemon
  touch "/proc/$pid/root/go"
  retry 10 bash -c '! grep -lz "until . -e /go" /proc/[0-9]*/cmdline 2>/dev/null | xargs -r grep -l . | grep -q . || [ "$(nsenter -t $0 -p -m -- ps | grep -c /go)" = 0 ]' "$pid"
  start_daemon
  retry 10 exec_is "$ended" "false 5"
  exec_is "$running" "true null"
  touch "/proc/$pid/root/end"
  retry 20 exec_is "$running" "false 6"
}

@test "the daemon killed again and again while a container floods its log: each line is there once, in order" {
  cutaway run -d --name web busybox sh -c 'i=0; while [ ! -e /stop ]; do i=$((i+1)); echo $i; done; echo -n without; sleep 0.5; echo " end"; exit 6'
  for _ in 1 2 3 4 5 6 7 8; do
    kill_daemon
    start_daemon
  done
  cutaway exec web touch /stop
  kill_daemon # and in the middle of a line
  start_daemon
  run -0 timeout 20 "${CUTAWAY[@]}" wait web
  assert_output 6
  cutaway logs web >"$HOME_OF_TEST/lines"
  assert_equal "$(tail -n 1 "$HOME_OF_TEST/lines")" "without end"
  sed -i '$d' "$HOME_OF_TEST/lines"
  assert [ "$(wc -l <"$HOME_OF_TEST/lines")" -gt 1000 ]
  seq "$(wc -l <"$HOME_OF_TEST/lines")" | cmp - "$HOME_OF_TEST/lines"
}

@test "the daemon killed while it stops a container: the program decides, and the next stop is heard" {
  cutaway run -d --name web --restart always busybox sh -c 'trap "echo asked" TERM; while :; do sleep 0.05; done'
  "${CUTAWAY[@]}" stop -t 60 web >/dev/null 2>&1 3>&- &
  _asked() { [ "$(cutaway logs web)" = asked ]; }
  retry 10 _asked
  kill_daemon
  wait $! || true
  start_daemon
  assert_equal "$(inspect web Status)" running
  run -0 cutaway stop -t 0 web
  assert_equal "$(inspect web Status) $(inspect web ExitCode)" "exited 137"
}

@test "the daemon killed at any moment of a start: it runs and obeys, or it can be started" {
  cutaway create --name web busybox sleep 1000
  local delay
  for delay in 0 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1; do
    "${CUTAWAY[@]}" start web >/dev/null 2>&1 3>&- &
    sleep "$delay"
    kill_daemon
    wait $! || true
    start_daemon
    run -0 cutaway start web
    run -0 cutaway exec web echo here
    assert_output here
    run -0 cutaway stop -t 0 web
  done
}

@test "the daemon killed: health checks go on" {
  cutaway run -d --name web --health-cmd 'test -e /well' --health-interval 0.1s --health-retries 1 busybox sleep 1000
  retry 10 is web Health.Status unhealthy
  kill_daemon
  start_daemon
  cutaway exec web touch /well
  retry 10 is web Health.Status healthy
}

@test "the daemon told to end: containers run on, the next one has them, and each line of theirs is there once" {
  cutaway run -d --name web busybox sh -c 'i=0; while [ ! -e /stop ]; do i=$((i+1)); echo $i; done; exit 6'
  cutaway run -d --name again --restart always busybox sh -c 'sleep 0.2; exit 1'
  for _ in 1 2 3; do
    stop_daemon TERM
    start_daemon
  done
  cutaway exec web touch /stop
  run -0 timeout 20 "${CUTAWAY[@]}" wait web
  assert_output 6
  cutaway logs web >"$HOME_OF_TEST/lines"
  seq "$(wc -l <"$HOME_OF_TEST/lines")" | cmp - "$HOME_OF_TEST/lines"
  _goes_on() { [ "$(cutaway inspect -f '{{.RestartCount}}' again)" -gt 2 ]; }
  retry 20 _goes_on
}

@test "containerd killed: it is started again, in one line of the log, and containers obey" {
  cutaway run -d --name web busybox sleep 1000
  cutaway run -d --name job busybox sh -c 'until [ -e /go ]; do sleep 0.02; done; exit 4'
  local before
  before=$(pid_of web)
  touch "/proc/$(pid_of job)/root/go" & # it may end while containerd is away
  kill_containerd
  wait $!
  run -0 cutaway exec web echo here
  assert_output here
  assert_equal "$(pid_of web)" "$before"
  run -0 timeout 20 "${CUTAWAY[@]}" wait job
  assert_output 4
  kill_containerd
  run -0 cutaway run --rm busybox echo new
  assert_output new
  run -0 cutaway stop -t 0 web
  run -0 grep -c 'warn execdriver cutaway-containerd died (SIGKILL): started again pid=' "$HOME_OF_TEST/log"
  assert_output 2
}

@test "containerd killed under a daemon that did not start it" {
  cutaway run -d --name web busybox sleep 1000
  kill_daemon
  start_daemon
  kill_containerd
  run -0 cutaway exec web echo here
  assert_output here
  kill_daemon
  kill_containerd
  start_daemon
  run -0 cutaway exec web echo here
  assert_output here
}

@test "a containerd that cannot be started: a line says so, requests say so, and it comes when it can" {
  cutaway run -d --name web busybox sleep 1000
  stop_daemon TERM
  kill_containerd
  cp -r --parents "$BUILD"/stages/04-modular/{cutawayd,cutaway-containerd,shim/cutaway-containerd-shim,runc/cutaway-runc} "$HOME_OF_TEST"
  ours=$HOME_OF_TEST$BUILD
  BUILD=$ours start_daemon_of "$ours"
  mv "$ours/stages/04-modular/cutaway-containerd" "$ours/elsewhere"
  kill_containerd
  retry 10 grep -q "^warn execdriver cutaway-containerd died (SIGKILL), and goes on being started: run .*No such file or directory" "$HOME_OF_TEST/log"
  run -125 timeout 60 "${CUTAWAY[@]}" run --rm busybox true
  assert_output --partial "connect to containerd at '$RUN/containerd/containerd.sock': Connection refused"
  mv "$ours/elsewhere" "$ours/stages/04-modular/cutaway-containerd"
  retry 20 cutaway exec web true
}

# start_daemon_of BUILD: the daemon of another tree, for the client of this one.
start_daemon_of() {
  "$1"/stages/04-modular/cutawayd --root "$ROOT" --run "$RUN" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
  retry 20 _daemon_answers || fail "the daemon does not answer: $(cat "$HOME_OF_TEST/log")"
}
