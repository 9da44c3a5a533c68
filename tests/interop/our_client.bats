# Our client in front of Docker's own daemon.
# Room: tests/interop. Run by: tools/test interop.

load ../behaviour/lib

# One dockerd for the file: it takes seconds to start. Without networks of its own, so that nothing of the
# machine's firewall is touched.
setup_file() {
  export BATS_NO_PARALLELIZE_WITHIN_FILE=true
  DOCKER_HOME=$(mktemp -d "${TMPDIR:-/tmp}/dk.XXXXXX")
  export DOCKER_HOME
  dockerd -H "unix://$DOCKER_HOME/docker.sock" --data-root "$DOCKER_HOME/data" --exec-root "$DOCKER_HOME/exec" \
    -p "$DOCKER_HOME/pid" --bridge=none --iptables=false --storage-driver=vfs >"$DOCKER_HOME/log" 2>&1 3>&- &
  export DOCKERD=$!
  for _ in $(seq 150); do
    if curl -sf --unix-socket "$DOCKER_HOME/docker.sock" http://d/_ping >/dev/null; then return 0; fi
    sleep 0.2
  done
  cat "$DOCKER_HOME/log"
  return 1
}

teardown_file() {
  kill "$DOCKERD" && retry 20 bash -c '! kill -0 "$0" 2>/dev/null' "$DOCKERD"
  awk -v home="$DOCKER_HOME/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
  rm -rf --one-file-system "$DOCKER_HOME"
}

setup() {
  export STAGE=01 # no daemon of ours
  behaviour_setup
}

teardown() {
  local ids
  ids=$(cutaway ps -aq)
  # shellcheck disable=SC2086 # one id a word
  [ -z "$ids" ] || cutaway rm -f -v $ids >/dev/null
  rm -rf "$HOME_OF_TEST"
}

cutaway() { env -u CUTAWAY_HOST -u CUTAWAY_STAGE "$BUILD/cutaway" --stage 02 -H "unix://$DOCKER_HOME/docker.sock" "$@" 3>&-; }

@test "version, info and an image that dockerd takes from us" {
  run -0 cutaway version
  assert_output --partial "API:        1.41"
  run -0 cutaway load -i "$BUILD/tools/busybox.tar"
  assert_output "Loaded image: busybox:latest"
  run -0 cutaway images --format '{{.Repository}}:{{.Tag}}'
  assert_output "busybox:latest"
  run -0 cutaway info --format '{{.Driver}}'
  assert_output vfs
}

@test "load draws what dockerd tells as docker does" {
  local ours=("$BUILD/cutaway" --stage 02 -H "unix://$DOCKER_HOME/docker.sock")
  # A layer that dockerd has is not told: one of our own, gone again before each load.
  mkdir "$HOME_OF_TEST/fs"
  head -c 2000000 /dev/urandom >"$HOME_OF_TEST/fs/noise"
  run -0 bash -c 'tar -C "$0" -c . | "$@" import - noise' "$HOME_OF_TEST/fs" "${ours[@]}"
  cutaway save -o "$HOME_OF_TEST/noise.tar" noise
  cutaway rmi noise
  run -0 on_terminal 120 "${ours[@]}" load -i "$HOME_OF_TEST/noise.tar"
  assert_output --regexp $'^\r\n?\e\\[1A\e\\[2K\r[0-9a-f]{12}: Loading layer \\['
  assert_output --regexp ': Loading layer \[={50}>\]  2\.[0-9]+MB/2\.[0-9]+MB'
  assert_output --partial "Loaded image: noise:latest"
  cutaway rmi noise
  run -0 cutaway load -i "$HOME_OF_TEST/noise.tar"
  assert_output "Loaded image: noise:latest"
}

@test "run passes streams and exit codes on" {
  run -0 cutaway run --rm --network none busybox echo hello
  assert_output hello
  run -0 bash -c "echo piped | '$BUILD/cutaway' --stage 02 -H 'unix://$DOCKER_HOME/docker.sock' run --rm -i --network none busybox cat" 3>&-
  assert_output piped
  run -5 cutaway run --rm --network none busybox sh -c 'exit 5'
  run -127 cutaway run --rm --network none busybox no-such-program
  assert_output --partial "executable file not found"
  cutaway run --rm --network none busybox sh -c 'echo out; echo err >&2' >"$HOME_OF_TEST/out" 2>"$HOME_OF_TEST/err"
  assert_equal "$(cat "$HOME_OF_TEST/out") $(cat "$HOME_OF_TEST/err")" "out err"
  run -0 script -qec "'$BUILD/cutaway' --stage 02 -H 'unix://$DOCKER_HOME/docker.sock' run --rm -it --network none busybox tty" /dev/null 3>&-
  assert_output --partial /dev/
}

@test "a container's life" {
  cutaway run -d --name web --network none -l k=v busybox sh -c 'echo begin; exec sleep 1000'
  run -0 cutaway ps --filter label=k=v --format '{{.Names}} {{.State}}'
  assert_output "web running"
  run -4 cutaway exec web sh -c 'exit 4'
  run -0 cutaway logs web
  assert_output begin
  run -0 cutaway top web
  assert_output --partial "sleep 1000"
  run -0 cutaway stats --no-stream --format '{{.Name}}' web
  assert_output web
  run -0 cutaway pause web
  run -0 cutaway unpause web
  run -0 cutaway rename web shop
  run -0 cutaway stop -t 0 shop
  run -0 cutaway wait shop
  assert_output 137
  run -0 cutaway start shop
  run -0 cutaway events --since 10m --until 0s --filter event=rename --format '{{.Action}}'
  assert_output rename
  run -0 cutaway rm -f shop
}

@test "logs --details are dockerd's" {
  cutaway run --name told --network none --label c=d -e 'V=1 2' --log-opt labels=c --log-opt env=V busybox echo hi
  run -0 cutaway logs --details told
  assert_output "V=1+2,c=d hi"
}

@test "files, images and volumes go both ways" {
  cutaway run -d --name web --network none -v data:/data busybox sleep 1000
  echo content >"$HOME_OF_TEST/f"
  cutaway cp "$HOME_OF_TEST/f" web:/tmp/f
  run -0 cutaway diff web
  assert_line "A /tmp/f"
  cutaway cp web:/tmp/f "$HOME_OF_TEST/g"
  assert_equal "$(cat "$HOME_OF_TEST/g")" content
  run -0 bash -c "'$BUILD/cutaway' --stage 02 -H 'unix://$DOCKER_HOME/docker.sock' export web | tar -xO tmp/f" 3>&-
  assert_output content
  run -0 cutaway commit -c 'CMD ["cat","/tmp/f"]' web mine:1
  run -0 cutaway run --rm --network none mine:1
  assert_output content
  cutaway save -o "$HOME_OF_TEST/mine.tar" mine:1
  run -0 cutaway tag mine:1 mine:2
  run -0 cutaway rmi mine:1 mine:2
  run -0 cutaway load -i "$HOME_OF_TEST/mine.tar"
  assert_output "Loaded image: mine:1"
  run -0 cutaway history -q mine:1
  run -0 cutaway rmi mine:1
  run -0 cutaway volume inspect -f '{{.Name}}' data
  assert_output data
  cutaway rm -f web
  run -0 cutaway volume rm data
}

@test "what dockerd refuses is told in its words" {
  run -1 cutaway start nobody
  assert_output "cutaway: No such container: nobody"
  run -1 cutaway rmi nothing
  assert_output --partial "No such image: nothing:latest"
  cutaway create --name web --network none busybox true
  run -125 cutaway create --name web --network none busybox true
  assert_output --partial "already in use"
  run -1 cutaway cp web:/nope "$HOME_OF_TEST/"
  assert_output --partial "/nope"
}
