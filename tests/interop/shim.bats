# Our shim between Docker's own parts: a real containerd and its ctr above, the real runc below.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load shim

setup() { shim_setup; }
teardown() { shim_teardown; }

# A program that ends with 7 when it is asked to.
WAITS='trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done'

# ---- a container's life ---------------------------------------------------------------------

@test "output, error output, input and exit code pass the shim" {
  run -3 run_task --rm one sh -c 'echo out; exit 3'
  assert_output --partial out
  run -0 --separate-stderr run_task --rm two sh -c 'echo out; echo wrong >&2'
  assert_output out
  # shellcheck disable=SC2154 # bats sets it
  assert_equal "$stderr" wrong
  run -0 run_task --rm three wc -c < <(head -c 300000 /dev/zero)
  assert_output 300000
  run -0 run_task --rm four sh -c 'head -c 3000000 /dev/zero'
  assert_equal "${#output}" 0 # zeros are no text, but all of them must have been read
}

@test "everything that is printed arrives, and in order" {
  run_task --rm long seq 1 200000 >"$HOME_OF_TEST/out"
  seq 1 200000 | cmp - "$HOME_OF_TEST/out"
}

@test "exec: output, input, exit code, its own entry among the processes" {
  run_task -d web sh -c "$WAITS" >"$HOME_OF_TEST/out" </dev/null
  run -5 ctr tasks exec --exec-id one web sh -c 'echo inside; exit 5'
  assert_output --partial inside
  run -0 ctr tasks exec --exec-id two web cat <<<"some input"
  assert_output "some input"
  ctr tasks exec --exec-id three web sleep 1000 </dev/null >/dev/null 2>&1 &
  exec=$!
  _lists_it() { ctr tasks ps web | grep -q 'three'; }
  retry 10 _lists_it
  ctr tasks kill -s KILL --exec-id three web
  code=0
  wait "$exec" || code=$?
  assert_equal "$code" 137
  _lists_it_no_more() { ! _lists_it; }
  retry 10 _lists_it_no_more
}

@test "a terminal: it is one, has the size of ours, and what is typed arrives" {
  terminal() { # COMMAND: in a terminal of 33 lines of 77 characters
    SHELL=/bin/bash script -qec "stty rows 33 cols 77; $1" /dev/null # a shell that has our functions
  }
  export -f ctr run_task
  export HOME_OF_TEST NAMESPACE SHIM BUSYBOX
  run -4 terminal 'run_task --rm -t tty sh -c "tty; exit 4"' </dev/null
  assert_output --partial /dev/pts/0
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  run -0 terminal 'ctr tasks exec -t --exec-id one web sh -c "sleep 0.5; stty size"'
  assert_output --partial "33 77"
  run -0 terminal 'ctr tasks exec -t --exec-id two web sh -c "read line; echo got-\$line"' < <(printf 'typed\n')
  assert_output --partial got-typed
}

@test "signals, pause, resume, metrics, and the exit code after a polite stop" {
  listen_to
  run_task -d --memory-limit 33554432 web sh -c "$WAITS" >/dev/null </dev/null
  assert_equal "$(status_of web)" RUNNING
  run -0 ctr tasks metrics web
  assert_line --regexp 'memory.*limit.* 33554432'
  assert_line --regexp 'pids.current +[1-9]'
  ctr tasks pause web
  assert_equal "$(status_of web)" PAUSED
  ctr tasks resume web
  assert_equal "$(status_of web)" RUNNING
  ctr tasks kill -s TERM web
  retry 10 has_status web STOPPED
  run -1 ctr tasks kill -s TERM web
  assert_output --partial "not found"
  run ctr tasks delete web
  assert_output --partial "exit code 7"
  retry 10 heard /tasks/delete '"exit_status":7'
  for topic in create start paused resumed exit delete; do heard "/tasks/$topic" '"container_id":"web"'; done
  # In this order, each once.
  run -0 sed -n 's,.* /tasks/\([a-z]*\) .*"web".*,\1,p' "$HOME_OF_TEST/events"
  assert_output "$(printf '%s\n' create start paused resumed exit delete)"
}

@test "memory that runs out is told" {
  listen_to
  run -137 run_task --rm --memory-limit 8388608 hungry sh -c 'x=x; while :; do x=$x$x; done'
  retry 10 heard /tasks/oom '"container_id":"hungry"'
}

@test "a checkpoint is refused by name" {
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  run -1 ctr tasks checkpoint web
  assert_output --partial "checkpoint: this shim does not"
}

@test "our runc below it; and the shim named by its path" {
  run -2 ctr run --rm --runtime "$SHIM" "$BUSYBOX" path sh -c 'exit 2'
  runc=$BUILD/stages/04-modular/runc/cutaway-runc
  [ -x "$runc" ] || skip "there is no cutaway-runc"
  run -9 run_task --rm --runc-binary "$runc" one sh -c 'echo through; exit 9'
  assert_output --partial through
}

# ---- where output goes ----------------------------------------------------------------------

@test "output to a file, to a program, and to a log that is rotated" {
  run_task -d --log-uri "file://$HOME_OF_TEST/logs/one.log" one sh -c 'echo to a file; echo and errors >&2'
  retry 10 has_status one STOPPED
  run -0 sort "$HOME_OF_TEST/logs/one.log"
  assert_output $'and errors\nto a file'

  cat >"$HOME_OF_TEST/logger" <<'END'
#!/bin/sh
{ echo "$CONTAINER_ID $CONTAINER_NAMESPACE $*"; exec 5>&-; cat <&3; } >"$2"
END
  chmod +x "$HOME_OF_TEST/logger"
  run_task -d --log-uri "binary://$HOME_OF_TEST/logger?to=$HOME_OF_TEST/two.log" two echo to a program
  _logged() { [ "$(wc -l <"$HOME_OF_TEST/two.log")" = 2 ]; }
  retry 10 _logged
  run -0 cat "$HOME_OF_TEST/two.log"
  assert_output "two $NAMESPACE to $HOME_OF_TEST/two.log"$'\nto a program'

  run_task -d --log-uri "json-file://$HOME_OF_TEST/logs/three?max-size=10k&max-file=2" three seq 1 1000
  retry 10 has_status three STOPPED
  ctr tasks delete three >/dev/null # by then all is written
  run -0 jq -r .log "$HOME_OF_TEST/logs/three/three-json.log"
  assert_line 1000
  run -0 find "$HOME_OF_TEST/logs/three" -name '*-json.log*' -printf '%f\n'
  assert_equal "$(sort <<<"$output")" $'three-json.log\nthree-json.log.1'
  for id in one two; do ctr tasks delete "$id" >/dev/null; done
}

@test "a logger that does not come, an unknown scheme: said by name, and nothing is left" {
  run -1 run_task -d --log-uri "binary:///no/such/logger" one true
  assert_output --partial "run '/no/such/logger': No such file or directory"
  run -1 run_task -d --log-uri "ftp://somewhere" two true
  assert_output --partial "send output to 'ftp://somewhere': there are fifo, file, binary and json-file"
}

# ---- what fails -----------------------------------------------------------------------------

@test "a program that is not there, and a runtime that is missing, crashes or talks nonsense" {
  run -1 run_task --rm one no-such-program
  assert_output --partial "OCI runtime create failed: runc"
  assert_output --partial '"no-such-program": executable file not found in $PATH'
  run -1 run_task --rm --runc-binary "$HOME_OF_TEST/missing" two true
  assert_output --partial "run '$HOME_OF_TEST/missing'"
  assert_output --partial "No such file or directory"

  fake() { printf '#!/bin/sh\n%s\n' "$1" >"$HOME_OF_TEST/fake-runc" && chmod +x "$HOME_OF_TEST/fake-runc"; }
  fake 'kill -SEGV $$'
  run -1 run_task --rm --runc-binary "$HOME_OF_TEST/fake-runc" three true
  assert_output --partial "OCI runtime create failed: fake-runc: it was ended by SIGSEGV"
  fake 'exit 4'
  run -1 run_task --rm --runc-binary "$HOME_OF_TEST/fake-runc" four true
  assert_output --partial "fake-runc: it ended with 4 and said nothing"
  fake 'echo nonsense >"$PWD/init.pid"'
  run -1 run_task --rm --runc-binary "$HOME_OF_TEST/fake-runc" five true
  assert_output --partial "it is no process's number"
  run -0 ctr tasks ls -q
  assert_output ""
}

@test "a runtime that hangs keeps nobody from ending it" {
  printf '#!/bin/sh\n[ "$7" != create ] || exec sleep 1000\nexec runc "$@"\n' >"$HOME_OF_TEST/slow-runc"
  chmod +x "$HOME_OF_TEST/slow-runc"
  run -1 run_task_for_2_s --runc-binary "$HOME_OF_TEST/slow-runc" one true
  assert_output --partial "context deadline exceeded"
  retry 20 has_no_shim one
}
run_task_for_2_s() {
  command ctr --timeout 2s -a "$HOME_OF_TEST/containerd.sock" -n "$NAMESPACE" run --fifo-dir "$HOME_OF_TEST/fifo" \
    --runtime io.containerd.runc.v2 --runc-root "$HOME_OF_TEST/runc" "${@:1:2}" "$BUSYBOX" "${@:3}"
}

# ---- who dies -------------------------------------------------------------------------------

@test "containerd is killed and comes again: the task goes on, is found, and tells how it ended" {
  run_task -d --log-uri "file://$HOME_OF_TEST/out" web sh -c "$WAITS"
  shim=$(shim_of web)
  retry 10 grep -q ready "$HOME_OF_TEST/out"
  stop_containerd KILL
  assert [ -d "/proc/$shim" ]
  start_containerd
  assert_equal "$(status_of web)" RUNNING
  assert_equal "$(shim_of web)" "$shim"
  run -0 ctr tasks exec --exec-id one web echo still here
  assert_output "still here"
  ctr tasks kill -s TERM web
  retry 10 has_status web STOPPED
  run ctr tasks delete web
  assert_output --partial "exit code 7"
}

@test "a task that ends while containerd is away: the exit code is kept, and the event comes later" {
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  pid=$(ctr tasks ls | awk '$1 == "web" { print $2 }')
  stop_containerd KILL
  kill -TERM "$pid"
  retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
  start_containerd
  assert_equal "$(status_of web)" STOPPED
  run ctr tasks delete web
  assert_output --partial "exit code 7"
}

@test "the shim is killed: containerd has it cleaned up, and nothing is left" {
  listen_to
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  pid=$(ctr tasks ls | awk '$1 == "web" { print $2 }')
  kill -KILL "$(shim_of web)"
  retry 10 heard /tasks/exit '"exit_status":137'
  retry 10 heard /tasks/delete '"container_id":"web"'
  retry 10 bash -c '[ ! -e "/proc/$0/root/." ]' "$pid"
  run -0 ctr tasks ls -q
  assert_output ""
  run ! grep -F "$HOME_OF_TEST/state/io.containerd.runtime.v2.task" /proc/self/mountinfo
  assert_equal "$(find "$HOME_OF_TEST/run/s" -type s)" ""
  assert_equal "$(find "$HOME_OF_TEST/runc" -name state.json)" ""
}

@test "the shim is killed at any moment of a container's life: nothing is left" {
  life() {
    run_task -d web sh -c "$WAITS" </dev/null &&
      ctr tasks exec --exec-id one web sleep 0.1 </dev/null &&
      ctr tasks kill -s KILL web && ctr tasks delete web
  }
  for ms in 010 030 050 070 090 110 130 160 200 250 300 350; do
    life >/dev/null 2>&1 &
    life=$!
    read -rt "0.$ms" <> <(:) || true # a moment, not an event
    shim=$(shim_of web)
    [ -z "$shim" ] || kill -KILL "$shim" || true
    wait "$life" || true
    ctr tasks rm -f web >/dev/null 2>&1 || true
    ctr containers rm web >/dev/null 2>&1 || true
  done
  _all_is_gone() {
    [ -z "$(ctr tasks ls -q)$(ctr containers ls -q)" ] && has_no_shim web &&
      [ -z "$(find "$HOME_OF_TEST/run/s" -type s)$(find "$HOME_OF_TEST/runc" -name state.json 2>/dev/null)" ] &&
      ! grep -qF "$HOME_OF_TEST/state/io.containerd.runtime.v2.task/$NAMESPACE/" /proc/self/mountinfo
  }
  retry 20 _all_is_gone
} # teardown looks for processes and control groups

@test "a signal does not take the shim from its container" {
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  shim=$(shim_of web)
  kill -TERM "$shim"
  run -0 ctr tasks exec --exec-id one web echo here
  assert_output here
  assert_equal "$(shim_of web)" "$shim"
}

@test "a shim that nobody gives a container ends by itself" {
  mkdir "$HOME_OF_TEST/bundle"
  echo '{}' >"$HOME_OF_TEST/bundle/config.json"
  run -0 env -C "$HOME_OF_TEST/bundle" "$SHIM" -namespace "$NAMESPACE" -id lonely -address "$HOME_OF_TEST/containerd.sock" start </dev/null
  [ -S "${output#unix://}" ]
  assert [ -n "$(shim_of lonely)" ]
  retry 20 has_no_shim lonely
  [ ! -e "${output#unix://}" ]
}

# ---- one shim for several, and for long ------------------------------------------------------

@test "containers of one group have one shim, which ends with the last" {
  run_task -d --annotation io.containerd.runc.v2.group=pod pod sh -c "$WAITS" >/dev/null </dev/null
  shim=$(shim_of pod)
  for i in 1 2 3; do
    run_task -d --annotation io.containerd.runc.v2.group=pod "part$i" sh -c "$WAITS" >/dev/null </dev/null
    assert_equal "$(shim_of "part$i")" ""
  done
  run -0 ctr tasks exec --exec-id one part2 echo in the second
  assert_output "in the second"
  for id in pod part1 part2; do ctr tasks rm -f "$id" >/dev/null; done
  assert_equal "$(shim_of pod)" "$shim"
  assert_equal "$(status_of part3)" RUNNING
  ctr tasks rm -f part3 >/dev/null
  retry 10 has_no_shim pod
}

@test "fifty programs later it has no descriptor more, and less than a megabyte of its own" {
  run_task -d --annotation io.containerd.runc.v2.group=pod pod sh -c "$WAITS" >/dev/null </dev/null
  shim=$(shim_of pod)
  cycle() {
    ctr tasks exec --exec-id "e$1" pod true
    run_task --rm --annotation io.containerd.runc.v2.group=pod "c$1" true
  }
  cycle 0
  before=$(descriptors_of "$shim")
  for i in $(seq 1 25); do cycle "$i"; done
  _has_as_many() { [ "$(descriptors_of "$shim")" = "$before" ]; }
  retry 5 _has_as_many
  _is_small() { [ "$(awk '/^Private/ { sum += $2 } END { print sum }' "/proc/$shim/smaps_rollup")" -lt 1000 ]; }
  retry 5 _is_small
  assert_equal "$(awk '/^Threads/ { print $2 }' "/proc/$shim/status")" 1
}

# ---- who may ask ----------------------------------------------------------------------------

@test "the socket is a file that only root reaches (CVE-2020-15257)" {
  run_task -d web sh -c "$WAITS" >/dev/null </dev/null
  socket=$(cat "$HOME_OF_TEST/state/io.containerd.runtime.v2.task/$NAMESPACE/web/address")
  assert_regex "$socket" "^unix://$HOME_OF_TEST/run/s/[0-9a-f]{64}$"
  socket=${socket#unix://}
  assert_equal "$(stat -c '%a %u %F' "$socket")" "600 0 socket"
  assert_equal "$(stat -c '%a %u' "$HOME_OF_TEST/run/s")" "700 0"
  run ! grep -E "@.*${socket##*/}" /proc/net/unix
  # A folder that others may enter is not used.
  ctr tasks rm -f web >/dev/null
  ctr containers rm web
  chmod 755 "$HOME_OF_TEST/run/s"
  run -1 run_task -d web true
  assert_output --partial "use '$HOME_OF_TEST/run/s': others may, too"
  chmod 700 "$HOME_OF_TEST/run/s"
}

@test "its command line: help, version, what is wrong" {
  run -0 "$SHIM" -help
  assert_line --partial "Usage: cutaway-containerd-shim [OPTIONS] start|delete"
  run -0 "$SHIM" --v
  assert_output --regexp '^cutaway-containerd-shim [0-9.]+$'
  run -64 "$SHIM" -namespace a -id b stop
  assert_output "cutaway-containerd-shim: there is no command stop; try: cutaway-containerd-shim -help"
  run -64 "$SHIM" start
  assert_output --partial "-namespace and -id must be given"
  run -1 "$SHIM" -namespace a -id b -address /x start </dev/null
  assert_output --partial "config.json"
  run -1 "$SHIM" -namespace a -id b -address /x 3>&-
  assert_output --partial "descriptor 3"
  run -0 bash -c '"$0" -info </dev/null | strings' "$SHIM"
  assert_output --partial io.containerd.cutaway.v2
  run -0 bash -c '"$0" -man | man -l - | grep -c publish-binary' "$SHIM"
}
