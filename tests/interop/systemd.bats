# The daemon under a service manager: a socket that is handed over, and who is told that it is ready.
# Room: tests/interop. Run by: tools/test interop. There need be no running systemd: systemd-socket-activate does its part.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load ../behaviour/lib

setup() {
  export STAGE=02
  behaviour_setup
  stop_daemon TERM
  DAEMON=
  PROGRAM=$BUILD/stages/02-split-client/cutawayd
}

# listener ADDRESS: the manager's socket there; with the first connection it becomes our daemon.
listener() {
  systemd-socket-activate --listen="$1" "$PROGRAM" --root "$ROOT" --run "$RUN" "${@:2}" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
}

@test "systemd-socket-activate starts it with the first request, and keeps the socket" {
  socket=$HOME_OF_TEST/activated.sock
  listener "$socket"
  retry 10 test -S "$socket"
  [ "$(tr '\0' ' ' <"/proc/$DAEMON/cmdline" | cut -d' ' -f1)" = systemd-socket-activate ]
  run -0 curl -s --max-time 20 --unix-socket "$socket" http://d/_ping
  assert_output OK
  assert_equal "$(readlink "/proc/$DAEMON/exe")" "$(readlink -f "$PROGRAM")"
  run -0 "$BUILD/cutaway" --stage 02 -H "unix://$socket" run --rm busybox echo hello 3>&-
  assert_output hello
  assert [ ! -e "$RUN/cutaway.sock" ] # it makes none of its own besides
  # Nothing of it is for containers' monitors: no descriptor, no variable.
  "$BUILD/cutaway" --stage 02 -H "unix://$socket" run -d --name web busybox sleep 1000 3>&-
  monitor=$(pgrep -f "^cutaway-monitor --root $ROOT ")
  run ! grep -zqE '^(LISTEN_|NOTIFY_SOCKET)' "/proc/$monitor/environ"
  inode=$(stat -L -c %i "/proc/$DAEMON/fd/3")
  run ! bash -c 'stat -L -c %i /proc/$0/fd/* | grep -qx "$1"' "$monitor" "$inode"
  "$BUILD/cutaway" --stage 02 -H "unix://$socket" rm -f web 3>&-
  stop_daemon TERM # and its exit code is 0
  DAEMON=
  assert [ -S "$socket" ] # it is the manager's
}

@test "--host is served besides the socket that was handed over" {
  listener "$HOME_OF_TEST/activated.sock" -H "unix://$RUN/cutaway.sock"
  retry 10 test -S "$HOME_OF_TEST/activated.sock"
  run -0 curl -s --max-time 20 --unix-socket "$HOME_OF_TEST/activated.sock" http://d/_ping
  run -0 curl -s --max-time 20 --unix-socket "$RUN/cutaway.sock" http://d/_ping
  assert_output OK
}

@test "a tcp socket that was handed over stands to the same conditions as one of our own" {
  port=$((20000 + RANDOM % 20000))
  listener "127.0.0.1:$port"
  retry 10 bash -c '(: <>/dev/tcp/127.0.0.1/$0) 2>/dev/null' "$port"
  wait "$DAEMON" || status=$?
  assert_equal "$status" 1
  DAEMON=
  run -0 tail -n 1 "$HOME_OF_TEST/log"
  assert_output "cutawayd: serve socket 1 of systemd: listen on tcp://127.0.0.1:$port without TLS; try: add --insecure-loopback if every user of this machine may be root"
  listener "127.0.0.1:$port" --insecure-loopback
  retry 10 curl -sf --max-time 20 "http://127.0.0.1:$port/_ping"
}

@test "a descriptor that does not listen is refused by name" {
  run -1 bash -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@" 3</dev/null' _ "$PROGRAM" --root "$ROOT" --run "$RUN"
  assert_output "cutawayd: serve socket 1 of systemd: look at the socket: Socket operation on non-socket (ENOTSOCK)"
}

@test "who started it is told when it is ready, and when it ends" {
  python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
for _ in range(2): print(s.recv(4096).decode(), flush=True)' "$HOME_OF_TEST/notify" >"$HOME_OF_TEST/told" 3>&- &
  manager=$!
  retry 10 test -S "$HOME_OF_TEST/notify"
  NOTIFY_SOCKET=$HOME_OF_TEST/notify "$PROGRAM" --root "$ROOT" --run "$RUN" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
  retry 20 grep -q READY=1 "$HOME_OF_TEST/told"
  run -0 curl -s --max-time 5 --unix-socket "$RUN/cutaway.sock" http://d/_ping # ready: at once
  stop_daemon TERM # and its exit code is 0
  DAEMON=
  wait "$manager"
  assert_equal "$(cat "$HOME_OF_TEST/told")" $'READY=1\nSTOPPING=1'
}
