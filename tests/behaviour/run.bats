#!/usr/bin/env bats
# run.bats - what a user sees of create, start and run: output, exit codes, streams.

load lib

@test "run prints the program's output and ends with its exit code" {
  run -7 --separate-stderr cutaway run --rm busybox sh -c 'echo out; echo err >&2; exit 7'
  assert_output "out"
  # shellcheck disable=SC2154 # set by run
  assert_equal "$stderr" "err"
}

@test "a killed program's exit code is 128 and the signal" {
  cutaway run -d --name victim busybox sleep 60
  kill -KILL "$(pid_of victim)"
  run -0 timeout 20 "${CUTAWAY[@]}" wait victim
  assert_output 137
}

@test "run --rm leaves no container" {
  run -0 cutaway run --rm busybox true
  run -0 cutaway ps -aq
  assert_output ""
}

@test "run without --rm leaves a container that tells how it ended" {
  run -3 cutaway run --name over busybox sh -c 'exit 3'
  assert_status_of over exited
  assert_equal "$(cutaway inspect -f '{{.State.ExitCode}}' over)" 3
}

@test "run -d prints the id and returns while the program runs" {
  run -0 cutaway run -d --name web busybox sleep 60
  assert_output --regexp '^[0-9a-f]{64}$'
  assert_status_of web running
}

@test "run -i passes standard input on to its end" {
  run -0 bash -c 'printf "one\ntwo\n" | "$@"' _ "${CUTAWAY[@]}" run -i --rm busybox wc -l
  assert_output 2
}

@test "the last line without a newline is not lost" {
  run -0 cutaway run --rm busybox printf 'no newline'
  assert_output "no newline"
}

@test "a lot of output arrives whole" {
  run -0 bash -c '"$@" | wc -c' _ "${CUTAWAY[@]}" run --rm busybox sh -c 'head -c 5000000 /dev/zero | tr "\0" x'
  assert_output 5000000
}

@test "create makes a container that does not run, start -a runs it" {
  run -0 cutaway create --name hello busybox echo hi
  assert_status_of hello created
  run -0 cutaway start -a hello
  assert_output "hi"
  assert_status_of hello exited
}

@test "start prints the name, and start of a running container changes nothing" {
  cutaway create --name web busybox sleep 60
  run -0 cutaway start web
  assert_output "web"
  pid=$(pid_of web)
  run -0 cutaway start web
  assert_equal "$(pid_of web)" "$pid"
}

@test "a container can be started again and again" {
  cutaway create --name again busybox sh -c 'echo run >>/runs; wc -l </runs'
  run -0 cutaway start -a again
  assert_output 1
  run -0 cutaway start -a again
  assert_output 2
}

@test "environment, working directory, user and host name are as asked for" {
  run -0 cutaway run --rm -e A=1 -e 'B=two words' -w /tmp -u 1000:1001 -h box busybox \
    sh -c 'echo "$A/$B $(pwd) $(id -u):$(id -g) $(hostname)"'
  assert_output "1/two words /tmp 1000:1001 box"
}

@test "a value with a newline survives" {
  run -0 cutaway run --rm -e "A=$(printf 'x\ny')" busybox sh -c 'echo "$A" | wc -l'
  assert_output 2
}

@test "a variable without value is taken from the caller's environment" {
  FROM_OUTSIDE=seen run -0 cutaway run --rm -e FROM_OUTSIDE busybox sh -c 'echo $FROM_OUTSIDE'
  assert_output "seen"
}

@test "nothing of the engine's environment or descriptors reaches the program" {
  TRACEPARENT=00-11111111111111111111111111111111-2222222222222222-01 \
    run -0 cutaway run --rm busybox sh -c 'env | grep -c -i -e TRACEPARENT -e CUTAWAY; ls /proc/self/fd | wc -w'
  assert_line --index 0 0
  assert_line --index 1 4 # 0, 1, 2, and the directory that ls reads
}

@test "--entrypoint replaces the image's, an empty one removes it" {
  run -0 cutaway run --rm --entrypoint /bin/echo busybox a b
  assert_output "a b"
  run -0 cutaway run --rm --entrypoint "" busybox echo c
  assert_output "c"
}

@test "the first process has pid 1 and sees only its own" {
  run -0 cutaway run --rm busybox sh -c 'echo $$; ps | wc -l'
  assert_line --index 0 1
}

@test "-t gives a terminal" {
  run -0 cutaway run -t --rm busybox sh -c 'test -t 0 && test -t 1 && echo tty'
  assert_output --partial "tty"
}

@test "--read-only makes the root file system read-only, tmpfs and volumes not" {
  run -0 cutaway run --rm --read-only --tmpfs /scratch -v data:/data busybox \
    sh -c 'touch /x 2>&1; touch /scratch/x && touch /data/x && echo written'
  assert_line --index 0 --partial "Read-only file system"
  assert_line --index 1 "written"
}

@test "--memory and --pids-limit reach the kernel" {
  cutaway run -d --name limited --memory 64m --pids-limit 50 --cpus 0.5 busybox sleep 60
  pid=$(pid_of limited)
  memory=$(awk -F: '$2 ~ /(^|,)memory(,|$)/ { print $3 }' "/proc/$pid/cgroup")
  pids=$(awk -F: '$2 ~ /(^|,)pids(,|$)/ { print $3 }' "/proc/$pid/cgroup")
  if [ -n "$memory" ]; then
    assert_equal "$(cat "/sys/fs/cgroup/memory$memory/memory.limit_in_bytes")" 67108864
    assert_equal "$(cat "/sys/fs/cgroup/pids$pids/pids.max")" 50
  else
    unified=$(awk -F: '$1 == 0 { print $3 }' "/proc/$pid/cgroup")
    assert_equal "$(cat "/sys/fs/cgroup$unified/memory.max")" 67108864
    assert_equal "$(cat "/sys/fs/cgroup$unified/pids.max")" 50
  fi
}

@test "a process that outgrows its memory is killed and the state says so" {
  run -137 cutaway run --name hog --memory 16m --memory-swap 16m busybox \
    sh -c 'exec tail /dev/zero'
  assert_equal "$(cutaway inspect -f '{{.State.OOMKilled}}' hog)" true
}

@test "--ulimit, --cap-drop and --cap-add reach the program" {
  run -0 cutaway run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'
  assert_output $'100\n200'
  run -0 cutaway run --rm --cap-drop ALL --cap-add CHOWN busybox grep CapEff /proc/self/status
  assert_output --regexp 'CapEff:[[:space:]]+0000000000000001$'
}

@test "the default capabilities are Docker's fourteen" {
  run -0 cutaway run --rm busybox grep CapEff /proc/self/status
  assert_output --regexp 'CapEff:[[:space:]]+00000000a80425fb$'
}

@test "no capability is inheritable" {
  run -0 cutaway run --rm busybox grep CapInh /proc/self/status
  assert_output --regexp 'CapInh:[[:space:]]+0000000000000000$'
}

@test "another user has no capabilities" {
  run -0 cutaway run --rm -u 1000 busybox grep CapEff /proc/self/status
  assert_output --regexp 'CapEff:[[:space:]]+0000000000000000$'
}

@test "--add-host and --dns write the container's files" {
  run -0 cutaway run --rm --add-host db:10.9.8.7 --dns 9.9.9.9 busybox cat /etc/hosts /etc/resolv.conf
  assert_output --regexp '10\.9\.8\.7[[:space:]]+db'
  assert_output --partial "nameserver 9.9.9.9"
}

@test "what this stage cannot do is refused by name with the stage that brings it" {
  run -125 cutaway run --rm --storage-opt size=1g busybox true
  assert_output --partial "--storage-opt"
  assert_output --partial "no stage yet"
}

@test "--init: a small program is process 1, and reaps whom nobody waits for" {
  if ((10#$STAGE < 4)); then
    run -125 cutaway run --rm --init busybox true
    assert_output --partial "HostConfig.Init: it comes with stage 04-modular"
    return
  fi
  # The orphan of an orphan ends; without an init it would stay as a zombie of the shell.
  run -0 cutaway run --rm --init busybox sh -c 'tr "\0" " " </proc/1/cmdline; echo; (true &); sleep 0.3; ps -o stat,args | grep -c "^Z" || true'
  assert_line --index 0 --regexp '^/sbin/docker-init -- sh -c'
  assert_line --index 1 0
  run -7 cutaway run --rm --init busybox sh -c 'exit 7'
}

@test "a restart policy brings the program back until its count is used up" {
  cutaway run -d --name flaky --restart on-failure:2 busybox sh -c 'echo try; exit 1'
  retry 20 bash -c '[ "$("$@")" = exited ]' _ "${CUTAWAY[@]}" inspect -f '{{.State.Status}}' flaky
  assert_equal "$(cutaway inspect -f '{{.RestartCount}}' flaky)" 2
  run -0 cutaway logs flaky
  assert_output $'try\ntry\ntry'
}

@test "a stopped container is not brought back by its restart policy" {
  cutaway run -d --name kept --restart always busybox sleep 60
  cutaway stop -t 0 kept
  assert_status_of kept exited
}

@test "a health check is run and told" {
  cutaway run -d --name sick --health-cmd 'test -f /well' --health-interval 100ms --health-retries 1 busybox sleep 60
  retry 20 bash -c '[ "$("$@")" = unhealthy ]' _ "${CUTAWAY[@]}" inspect -f '{{.State.Health.Status}}' sick
  cutaway exec sick touch /well
  retry 20 bash -c '[ "$("$@")" = healthy ]' _ "${CUTAWAY[@]}" inspect -f '{{.State.Health.Status}}' sick
}
