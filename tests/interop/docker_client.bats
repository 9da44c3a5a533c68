# Docker's own client in front of the daemon of stage 02.
# Room: tests/interop. Run by: tools/test interop.

load ../behaviour/lib

setup() {
  export STAGE=02
  behaviour_setup
  SOCKET=$RUN/cutaway.sock
  export DOCKER_HOST=unix://$SOCKET DOCKER_CONFIG=$HOME_OF_TEST/docker
}

threads() { awk '/^Threads:/ { print $2 }' "/proc/$DAEMON/status"; }

# ask METHOD PATH [CURL OPTION…]: prints the body, then the status on a line of its own.
ask() {
  local method=$1 path=$2
  shift 2
  curl -s --max-time 20 --unix-socket "$SOCKET" -X "$method" -w '\n%{http_code}\n' "$@" "http://d$path"
}

@test "docker version and info know whom they talk to" {
  run -0 docker version
  assert_output --partial "Cutaway, stage 02-split-client"
  assert_output --partial "minimum version 1.24"
  run -0 docker info
  assert_output --partial "Storage Driver: overlay"
}

@test "docker run prints what the program prints and ends as it ends" {
  run -0 docker run --rm busybox echo hello
  assert_output "hello"
  run -3 docker run --rm busybox sh -c 'exit 3'
  run -0 bash -c 'echo piped | docker run -i --rm busybox cat'
  assert_output "piped"
  run -0 docker ps -aq
  assert_output ""
}

@test "docker run tells why a program does not start, with Docker's exit codes" {
  run -127 docker run --rm busybox no-such-program
  assert_output --partial "no directory of PATH has such a program"
  run -126 docker run --rm busybox /etc/passwd
  assert_output --partial "it is not executable (mode 0644)"
}

@test "docker goes through a container's life" {
  docker run -d --name web -l k=v busybox sh -c 'echo begin; exec sleep 1000'
  run -0 docker ps --filter label=k=v --format '{{.Names}} {{.State}}'
  assert_output "web running"
  run -0 docker exec web echo inside
  assert_output "inside"
  run -4 docker exec web sh -c 'exit 4'
  run -0 docker logs web
  assert_output "begin"
  docker pause web
  docker unpause web
  docker start web # runs already: 304, no failure
  docker rename web www
  run -1 docker rm www
  assert_output --partial "running"
  docker stop -t 0 www
  run -0 docker wait www
  assert_output "137"
  run -0 docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' www
  assert_output "exited 137"
  docker rm www
}

@test "docker cp, diff, commit, export, save, load, tag and rmi move files and images" {
  docker create --name box busybox sh -c 'cat /note'
  echo text >"$HOME_OF_TEST/note"
  docker cp "$HOME_OF_TEST/note" box:/note
  run -0 docker start -a box
  assert_output "text"
  docker cp box:/note "$HOME_OF_TEST/back"
  run -0 cat "$HOME_OF_TEST/back"
  assert_output "text"
  run -0 docker diff box
  assert_line "A /note"
  docker commit box noted:1
  run -0 bash -c "docker export box | tar -t"
  assert_line "note"
  docker tag noted:1 noted:2
  docker save -o "$HOME_OF_TEST/noted.tar" noted:2
  docker rm box
  docker rmi noted:1 noted:2
  run -0 docker load -i "$HOME_OF_TEST/noted.tar"
  assert_output --partial "Loaded image: noted:2"
  run -0 docker run --rm noted:2
  assert_output "text"
}

@test "docker load and import draw our progress, and our client draws it as docker does" {
  docker run --rm busybox true
  docker save -o "$HOME_OF_TEST/b.tar" busybox
  run -0 on_terminal 120 docker load -i "$HOME_OF_TEST/b.tar"
  assert_output --regexp $'\e\\[1A\e\\[2K\r[^ ]+: Loading layer \\[={50}>\\] '
  assert_output --partial "Loaded image: busybox:latest"
  local drawn_by_docker=$output
  run -0 on_terminal 120 "${CUTAWAY[@]}" load -i "$HOME_OF_TEST/b.tar"
  assert_output "$drawn_by_docker"
  run -0 docker load -i "$HOME_OF_TEST/b.tar"
  assert_output "Loaded image: busybox:latest"
  run -0 ask POST /v1.43/images/load -H 'Content-Type: application/x-tar' -T "$HOME_OF_TEST/b.tar"
  assert_output --partial '{"stream":"Loaded image: busybox:latest\n"}'
  refute_output --partial progressDetail
  mkdir "$HOME_OF_TEST/fs"
  head -c 2000000 /dev/zero >"$HOME_OF_TEST/fs/zeros"
  tar -C "$HOME_OF_TEST/fs" -cf "$HOME_OF_TEST/fs.tar" .
  run -0 on_terminal 120 docker import "$HOME_OF_TEST/fs.tar" zeros
  assert_output --regexp ': Importing \[={50}>\] '
  assert_equal "$(grep -o sha256: <<<"$output" | wc -l)" 1
  run -0 docker import "$HOME_OF_TEST/fs.tar" zeros
  assert_output --regexp '^sha256:[0-9a-f]{64}$'
}

@test "docker logs --details" {
  docker run --name told --label c=d -e 'V=1 2' --log-opt labels=c --log-opt env=V busybox echo hi
  run -0 docker logs --details told
  assert_output "V=1+2,c=d hi"
  run -0 docker inspect -f '{{json .HostConfig.LogConfig}}' told
  assert_output '{"Type":"json-file","Config":{"env":"V","labels":"c"}}'
}

@test "docker network and volume" {
  docker network create back
  docker volume create data
  run -0 docker run --rm --network back -v data:/data busybox sh -c 'echo kept >/data/f; ip -o -4 addr show eth0 | wc -l'
  assert_output "1"
  run -0 docker run --rm --network none -v data:/data busybox cat /data/f
  assert_output "kept"
  docker volume rm data
  docker network rm back
  run -1 docker network rm bridge
}

@test "docker events and logs -f follow until their end" {
  docker run -d --name web busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done'
  run -0 timeout 20 docker logs -f web
  assert_output $'1\n2\n3'
  # Until a moment that is still to come: the last event follows the record of the end.
  run -0 timeout 20 docker events --since 1h --until "$(date -d '+2 seconds' +%s)" --filter container=web --format '{{.Action}}'
  assert_line "start"
  assert_line "die"
}

@test "a killed daemon hurts no container: the next one finds it, its output and its exit code" {
  docker run -d --name web busybox sh -c 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done; exit 9'
  stop_daemon KILL || true
  start_daemon
  run -0 timeout 20 docker wait web
  assert_output "9"
  run -0 docker logs web
  assert_output $'1\n2\n3\n4\n5\n6'
}

@test "the next daemon starts what its restart policy brings back, and leaves what was stopped" {
  docker run -d --name back --restart always busybox sleep 1000
  docker run -d --name rest --restart unless-stopped busybox sleep 1000
  docker stop -t 0 back rest
  stop_daemon TERM || true
  start_daemon
  run -0 docker ps --format '{{.Names}}'
  assert_output "back"
}

@test "a second daemon on the same root or socket is refused" {
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" 3>&-
  assert_output --partial "another cutawayd works on '$ROOT'"
  mkdir -m 700 "$HOME_OF_TEST/other"
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$HOME_OF_TEST/other" --run "$RUN" 3>&-
  assert_output --partial "another daemon serves it"
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$HOME_OF_TEST/other" -H tcp://0.0.0.0:1 3>&-
  assert_output --partial "without TLS"
}

@test "requests that are wrong get Docker's status and a sentence" {
  run -0 ask GET /v1.99/info
  assert_line "400"
  assert_output --partial "client version 1.99 is too new"
  run -0 ask GET /v1.43/no/such/page
  assert_line "404"
  run -0 ask POST /v1.43/containers/create -H 'Content-Type: application/json' -d '{"Image":'
  assert_line "400"
  run -0 ask POST /v1.43/containers/create -H 'Content-Type: text/plain' -d '{}'
  assert_line "400"
  assert_output --partial "must be 'application/json'"
  run -0 ask POST /v1.43/containers/create -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":5}'
  assert_line "400"
  run -0 ask POST /v1.43/containers/create -H 'Content-Type: application/json' -d '{"Image":"nowhere"}'
  assert_line "404"
  run -0 ask POST /v1.43/containers/../start
  assert_line "404"
  run -0 ask GET '/v1.43/containers/json?filters=%7Bx'
  assert_line "400"
  run -0 ask GET '/v1.43/events?filters=%7B%22colour%22%3A%5B%22red%22%5D%7D'
  assert_line "400"
  run -0 ask POST /v1.43/build
  assert_line "501"
  run -0 ask GET /v1.43/containers/nobody/logs?stdout=1
  assert_line "404"
}

@test "a client that reads slowly, or goes, costs no processor and leaves nothing" {
  # More than the client's socket holds, less than both: the program has ended, the client is behind.
  docker run -d --name web busybox sh -c 'sleep 2; head -c 300000 /dev/zero'
  docker attach --no-stdin web >"$HOME_OF_TEST/out" 3>&- &
  local client=$!
  sleep 0.5
  kill -STOP "$client"
  docker wait web
  local before after
  before=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
  sleep 1
  after=$(awk '{ print $14 + $15 }' "/proc/$DAEMON/stat")
  kill -KILL "$client"
  assert [ $((after - before)) -lt 50 ]
  for _ in $(seq 50); do
    [ "$(threads)" -gt 2 ] || break
    sleep 0.1
  done
  assert [ "$(threads)" -le 2 ]
}

@test "a document that is too large is refused, and the daemon goes on" {
  head -c 9000000 /dev/zero >"$HOME_OF_TEST/large"
  run -0 ask POST /v1.43/containers/create -H 'Content-Type: application/json' --data-binary "@$HOME_OF_TEST/large"
  assert_line "400"
  run -0 ask GET /_ping
  assert_line "200"
}
