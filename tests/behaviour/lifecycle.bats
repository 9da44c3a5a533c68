#!/usr/bin/env bats
# lifecycle.bats - stop, kill, restart, pause, wait, rename, update, rm: a container's life.

load lib

@test "stop ends a program that listens to SIGTERM at once" {
  cutaway run -d --name polite busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
  run -0 timeout 8 "${CUTAWAY[@]}" stop polite
  assert_output "polite"
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' polite)" 5
}

@test "stop kills a program that does not listen when its time is up" {
  cutaway run -d --name stubborn busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done'
  run -0 cutaway stop -t 1 stubborn
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' stubborn)" 137
}

@test "stop of a stopped container succeeds and changes nothing" {
  cutaway run --name gone busybox true
  run -0 cutaway stop gone
  assert_output "gone"
}

@test "--stop-signal is what stop sends" {
  cutaway run -d --name usr --stop-signal USR1 busybox sh -c 'trap "exit 9" USR1; while :; do sleep 0.1; done'
  cutaway stop usr
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' usr)" 9
}

@test "kill ends a container at once, kill -s sends any signal" {
  cutaway run -d --name one busybox sh -c 'trap "echo got" USR1; while :; do sleep 0.1; done'
  cutaway kill -s USR1 one
  retry 10 bash -c '"$@" | grep got >/dev/null' _ "${CUTAWAY[@]}" logs one
  run -0 cutaway kill one
  assert_output "one"
  assert_status_of one exited
}

@test "kill of a container that does not run is refused" {
  cutaway create --name idle busybox true
  run -1 cutaway kill idle
  assert_output "cutaway: kill 'idle': container idle is not running"
}

@test "restart starts a new run" {
  cutaway run -d --name web busybox sleep 60
  before=$(pid_of web)
  run -0 cutaway restart -t 0 web
  assert_status_of web running
  refute [ "$(pid_of web)" = "$before" ]
}

@test "pause stops the processes, unpause lets them go on" {
  cutaway run -d --name web busybox sh -c 'while :; do echo tick; sleep 0.05; done'
  run -0 cutaway pause web
  assert_status_of web paused
  count=$(cutaway logs web | wc -l)
  sleep 0.3 # the claim is that nothing happens: there is nothing to wait for
  assert_equal "$(cutaway logs web | wc -l)" "$count"
  run -0 cutaway unpause web
  assert_status_of web running
}

@test "wait prints the exit code" {
  cutaway run -d --name job busybox sh -c 'sleep 0.3; exit 4'
  run -0 cutaway wait job
  assert_output 4
}

@test "rename gives a new name and takes the old one" {
  cutaway create --name old busybox true
  run -0 cutaway rename old new
  assert_status_of new created
  run -1 cutaway inspect --type container old
}

@test "update changes limits of a running container" {
  cutaway run -d --name web --memory 64m busybox sleep 60
  run -0 cutaway update --memory 128m --memory-swap 128m web
  assert_equal "$(cutaway inspect -f '{{.HostConfig.Memory}}' web)" 134217728
}

@test "rm refuses a running container, rm -f removes it" {
  cutaway run -d --name web busybox sleep 60
  run -1 cutaway rm web
  assert_output --partial "cannot remove container 'web': it is running"
  assert_output --partial "try: stop it first, or remove it with --force"
  run -0 cutaway rm -f web
  assert_output "web"
  run -0 cutaway ps -aq
  assert_output ""
}

@test "several names go on after one that fails" {
  cutaway create --name aa busybox true
  cutaway create --name bb busybox true
  run -1 cutaway rm aa nothing bb
  assert_line "aa"
  assert_line "bb"
  assert_line "cutaway: remove 'nothing': containers: no such container: nothing"
}

@test "a container is found by an id prefix, an ambiguous one is refused" {
  id=$(cutaway create --name xx busybox true)
  run -0 cutaway inspect -f '{{.Name}}' "${id:0:8}"
  assert_output "/xx"
  run -1 cutaway inspect --type container ""
}

@test "exec runs one more program with its own exit code" {
  cutaway run -d --name web -e A=1 busybox sleep 60
  run -3 cutaway exec -e B=2 -w /tmp web sh -c 'echo "$A$B $(pwd)"; exit 3'
  assert_output "12 /tmp"
}

@test "exec passes standard input on" {
  cutaway run -d --name web busybox sleep 60
  run -0 bash -c 'echo hello | "$@"' _ "${CUTAWAY[@]}" exec -i web cat
  assert_output "hello"
}

@test "exec of a missing program is 127, of a directory 126" {
  cutaway run -d --name web busybox sleep 60
  run -127 cutaway exec web /no/such
  run -126 cutaway exec web /tmp
}

@test "exec of a working directory through a descriptor of the host is refused" {
  cutaway run -d --name web busybox sleep 60
  for n in 3 4 5 6 7 8 9 10; do
    run cutaway exec -w "/proc/self/fd/$n" web true
    assert [ "$status" -ne 0 ]
  done
}

@test "exec in a container that does not run is refused" {
  cutaway create --name idle busybox true
  run -1 cutaway exec idle true
  assert_output --partial "container idle is not running"
}

@test "logs keeps both streams, --tail and -t select and stamp" {
  cutaway run --name talk busybox sh -c 'echo a; echo b >&2; echo c'
  run -0 --separate-stderr cutaway logs talk
  assert_output $'a\nc'
  # shellcheck disable=SC2154
  assert_equal "$stderr" b
  cutaway run --name lines busybox sh -c 'echo a; echo b; echo c'
  run -0 cutaway logs --tail 1 lines
  assert_output "c"
  run -0 cutaway logs -t --tail 1 lines
  assert_output --regexp '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z c$'
}

@test "logs --details shows the labels and variables that the log was given" {
  cutaway run --name told --label 'a/b=x y' -e 'V=1 2' -e W=w --log-opt labels=a/b,none --log-opt env=V busybox echo hi
  run -0 cutaway logs --details told
  assert_output "V=1+2,a%2Fb=x+y hi"
  run -0 cutaway logs --details -t told
  assert_output --regexp '^[0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z V=1\+2,a%2Fb=x\+y hi$'
  run -0 cutaway logs told
  assert_output "hi"
  cutaway run --name untold busybox echo hi
  run -0 cutaway logs --details untold
  assert_output " hi"
  run -125 cutaway create --log-opt tag=x busybox true
  assert_output --partial "log opt 'tag' for json-file log driver is in no stage"
}

@test "logs -f follows to the end" {
  cutaway run -d --name slow busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.1; done'
  run -0 timeout 20 "${CUTAWAY[@]}" logs -f slow
  assert_output $'1\n2\n3'
}

@test "ps shows what runs, ps -a everything, -q ids, --filter selects" {
  cutaway create --name idle --label tier=back busybox true
  cutaway run -d --name web --label tier=front busybox sleep 60
  run -0 cutaway ps --format '{{.Names}} {{.State}}'
  assert_output "web running"
  run -0 cutaway ps -a --format '{{.Names}}'
  assert_output $'web\nidle'
  run -0 cutaway ps -aq --no-trunc --filter label=tier=back
  assert_output --regexp '^[0-9a-f]{64}$'
  run -0 cutaway ps
  assert_line --index 0 --regexp '^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$'
}

@test "ps tells the time that passes, and what others did meanwhile" {
  cutaway run -d --name web busybox sleep 60
  run -0 cutaway ps --format '{{.Status}}'
  local before=$output
  _is_older() { [ "$(cutaway ps --format '{{.Status}}')" != "$before" ]; }
  retry 20 _is_older
  cutaway rename web shop
  run -0 cutaway ps --format '{{.Names}}'
  assert_output "shop"
  cutaway kill shop
  cutaway wait shop
  run -0 cutaway ps -a --format '{{.Names}} {{.State}}'
  assert_output "shop exited"
  cutaway rm shop
  run -0 cutaway ps -aq
  refute_output
}

@test "an unknown filter is refused by name" {
  run -1 cutaway ps --filter colour=red
  assert_output --partial "invalid filter 'colour'"
}

@test "top, stats and port tell of a running container" {
  cutaway run -d --name web busybox sleep 60
  run -0 cutaway top web
  assert_output --partial "sleep 60"
  run -0 cutaway stats --no-stream --format '{{.Name}} {{.PIDs}}' web
  assert_output "web 1"
}

@test "diff, cp and export see what the program changed" {
  cutaway run --name change busybox sh -c 'echo new >/new; rm /etc/group; echo x >>/etc/passwd'
  run -0 cutaway diff change
  assert_line "A /new"
  assert_line "D /etc/group"
  assert_line "C /etc/passwd"
  run -0 cutaway cp change:/new "$HOME_OF_TEST/new"
  assert_equal "$(cat "$HOME_OF_TEST/new")" new
  echo back >"$HOME_OF_TEST/back"
  cutaway cp "$HOME_OF_TEST/back" change:/tmp/
  run -0 bash -c '"$@" | tar -xO tmp/back' _ "${CUTAWAY[@]}" export change
  assert_output "back"
}

@test "cp works on a running container and follows no link out of it" {
  cutaway run -d --name web busybox sh -c 'ln -s / /tmp/out; sleep 60'
  retry 10 cutaway exec web test -L /tmp/out
  echo inside >"$HOME_OF_TEST/file"
  cutaway cp "$HOME_OF_TEST/file" web:/tmp/out/landed
  run -0 cutaway exec web cat /landed
  assert_output "inside"
  assert [ ! -e /landed ]
}

@test "commit makes an image of the changes" {
  cutaway run --name base busybox sh -c 'echo kept >/kept'
  run -0 cutaway commit -c 'CMD ["cat","/kept"]' base keeper
  assert_output --regexp '^sha256:[0-9a-f]{64}$'
  run -0 cutaway run --rm keeper
  assert_output "kept"
}

@test "events tell a container's life in order" {
  cutaway run --rm --name seen busybox true
  # An event follows its record: the command may be back before the last one is told.
  _seen_events() { run -0 cutaway events --since 1h --until 0s --filter container=seen --format '{{.Action}}'; }
  _all_told() { _seen_events && [ "${lines[-1]}" = destroy ]; }
  retry 10 _all_told
  assert_line "create"
  assert_line "start"
  assert_line "die"
  assert_line "destroy"
}

@test "inspect of nothing says so" {
  run -1 cutaway inspect nothing
  assert_line --partial "No such object: nothing"
}
