#!/usr/bin/env bats
# streams.bats - terminals, descriptors, and what systemd hands over and wants to know.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a process with a BUNDLE of its own, from lib
load lib

# receive_terminal SOCKET COMMAND…: listens there, runs the command, and prints what the terminal says until its end.
receive_terminal() {
  python3 -c '
import os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(1)
command = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
connection, _ = listener.accept()
name, fds, _, _ = socket.recv_fds(connection, 100, 4)
assert len(fds) == 1, fds
assert command.wait() == 0
while True:
    try:
        data = os.read(fds[0], 4096)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
' "$@" 3>&-
}

@test "a console socket gets the master of the container's terminal" {
  config '.process.terminal = true | .process.consoleSize = {height: 11, width: 44}'
  script 'stty size; tty'
  run -0 receive_terminal "$HOME_OF_TEST/sock" "$RUNC" --root "$STATES" run -d --console-socket "$HOME_OF_TEST/sock" \
    -b "$BUNDLE" "$ID"
  assert_equal "$(tr -d '\r' <<<"$output")" "11 44
/dev/pts/0"
}

@test "exec -t makes a terminal, in the foreground and for a console socket" {
  script 'exec sleep 100'
  begin
  run -0 cutaway_runc exec -t "$ID" tty </dev/null
  assert_equal "$(tr -d '\r' <<<"$output")" /dev/pts/0
  run -0 receive_terminal "$HOME_OF_TEST/sock" "$RUNC" --root "$STATES" exec -t -d --console-socket "$HOME_OF_TEST/sock" \
    "$ID" tty
  assert_equal "$(tr -d '\r' <<<"$output")" /dev/pts/0
}

@test "a terminal in the foreground is as large as ours, and ours is as before at the end" {
  config '.process.terminal = true'
  script 'stty size; read line; echo "got $line"; exit 3'
  on_terminal() {
    command script -qec "stty rows 20 cols 70; $RUNC --root $STATES run -b $BUNDLE $ID; echo code \$?; stty -a | grep -o '.*icanon'" \
      /dev/null 3>&- <<<typed | tr -d '\r'
  }
  run -0 on_terminal
  assert_line "20 70"
  assert_line "got typed"
  assert_line "code 3"
  refute_output --partial -- "-icanon"
}

@test "a terminal and a console socket go together" {
  config '.process.terminal = true'
  run -1 cutaway_runc create -b "$BUNDLE" "$ID" </dev/null
  assert_output --partial "cannot allocate tty if cutaway-runc will detach without setting console socket"
  config '.process.terminal = false'
  run -1 cutaway_runc create -b "$BUNDLE" --console-socket "$HOME_OF_TEST/none" "$ID" </dev/null
  assert_output --partial "cannot use console socket if cutaway-runc will not detach or allocate tty"
}

@test "preserve-fds passes that many descriptors, and no more" {
  script 'cat <&4; (true <&5) 2>/dev/null || echo none'
  echo fourth >"$HOME_OF_TEST/four"
  run -0 env "$RUNC" --root "$STATES" run --preserve-fds 2 -b "$BUNDLE" "$ID" \
    </dev/null 3</dev/null 4<"$HOME_OF_TEST/four" 5<"$HOME_OF_TEST/four"
  assert_output "fourth
none"
  run -1 env "$RUNC" --root "$STATES" run --preserve-fds 2 -b "$BUNDLE" "$ID" </dev/null 3</dev/null 4<&-
  assert_output --partial "preserve descriptor 4: it is not open"
}

@test "sockets of systemd are the program's, and it knows" {
  script 'echo $LISTEN_FDS $LISTEN_PID; cat <&3'
  echo third >"$HOME_OF_TEST/three"
  # shellcheck disable=SC2016 # for the inner shell
  run -0 bash -c 'export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@" 3<"$0"' "$HOME_OF_TEST/three" "$RUNC" --root "$STATES" run \
    -b "$BUNDLE" "$ID" </dev/null
  assert_output "1 1
third"
}

# systemd_hears COMMAND…: what NOTIFY_SOCKET is told while the command runs, and then the command's exit code. The
# barrier's descriptor is closed, as systemd does when it has read all before it.
systemd_hears() {
  python3 -c '
import os, socket, subprocess, sys
host = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
host.bind(sys.argv[1])
command = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           env={**os.environ, "NOTIFY_SOCKET": sys.argv[1]})
while True:
    message, fds, _, _ = socket.recv_fds(host, 4096, 4)
    print(message.decode().strip(), flush=True)
    for fd in fds:
        os.close(fd)
    if message.startswith(b"BARRIER"):
        break
print("code", command.wait())
' "$@" 3>&-
}

# busybox has nothing that sends a datagram to a path, so the host does it at the container's word.
notifying() {
  script 'echo $NOTIFY_SOCKET >/tmp/asks; while [ ! -e /tmp/told ]; do sleep 0.05; done; exec sleep 100'
  (
    retry 10 [ -s "$BUNDLE/rootfs/tmp/asks" ] && retry 10 [ -S "$STATES/$ID:notify/notify.sock" ] && python3 -c '
import os, socket, sys
folder = os.open(sys.argv[1], os.O_RDONLY)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("/proc/self/fd/%d/notify.sock" % folder)
s.send(b"STATUS=soon")
s.send(b"STATUS=now\nREADY=1\n")
' "$STATES/$ID:notify" && touch "$BUNDLE/rootfs/tmp/told"
  ) 3>&- &
}

@test "readiness is passed on, with the container's process as the main one, and nothing else is" {
  notifying
  run -0 systemd_hears "$HOME_OF_TEST/notify" "$RUNC" --root "$STATES" run -d -b "$BUNDLE" "$ID"
  assert_output "READY=1
MAINPID=$(state pid)
BARRIER=1
code 0"
  assert_equal "$(cat "$BUNDLE/rootfs/tmp/asks")" /run/notify/notify.sock
  cutaway_runc delete -f "$ID"
  assert [ ! -e "$STATES/$ID:notify" ]
}

@test "start waits for the readiness of what create has made" {
  notifying
  NOTIFY_SOCKET=$HOME_OF_TEST/notify "$RUNC" --root "$STATES" create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  assert_equal "$(cutaway_runc list -q)" "$ID"
  run -0 systemd_hears "$HOME_OF_TEST/notify" "$RUNC" --root "$STATES" start "$ID"
  assert_output "READY=1
MAINPID=$(state pid)
BARRIER=1
code 0"
}
