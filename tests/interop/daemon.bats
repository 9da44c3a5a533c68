# The daemon of stage 02 under those who mean no good, and under load: curl, raw bytes, two hundred clients.
# Room: tests/interop. Run by: tools/test interop.

# shellcheck disable=SC2030,SC2031 # each test is a subshell of its own, and that is meant
load ../behaviour/lib

setup() {
  export STAGE=02
  behaviour_setup
  SOCKET=$RUN/cutaway.sock
}

# ask METHOD PATH [CURL OPTION…]: prints the body, then the status on a line of its own.
ask() {
  local method=$1 path=$2
  shift 2
  curl -s --max-time 20 --path-as-is --unix-socket "$SOCKET" -X "$method" -w '\n%{http_code}\n' "$@" "http://d$path"
}

# assert_said STATUS MESSAGE: of the last `run ask`, whole.
assert_said() {
  assert_equal "${lines[-1]} $(head -n 1 <<<"$output" | jq -r .message)" "$1 $2"
}

# What the HTTP door says to bytes, documents and paths: tests/unit/test_daemon.c. Here is what the engine behind it says.

# create BODY: asks for a container of it.
ask_create() {
  ask POST /containers/create -H 'Content-Type: application/json' -d "$1"
}

@test "a wrong type is named by its place, wherever it is, and makes nothing" {
  run -0 ask_create '{"Image":7}'
  assert_said 400 "read field 'Config.Image': it is not a string"
  run -0 ask_create '{}'
  assert_said 400 "read the request: it names no image"
  run -0 ask_create '{"Image":"busybox","Cmd":["true"],"HostConfig":{"PortBindings":{"80/tcp":5}}}'
  assert_said 400 "read field 'HostConfig.PortBindings.80/tcp': it is not an array"
  run -0 ask POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"data","Labels":{"a":5}}'
  assert_said 400 "create volume 'data': json: read field 'Labels.a': it is not a string"
  run -0 ask POST /networks/create -H 'Content-Type: application/json' -d '{"Name":"own","IPAM":{"Config":[{"Subnet":5}]}}'
  assert_said 400 "create network 'own': json: read field 'IPAM.Config[0].Subnet': it is not a string"
  cutaway run -d --name web busybox sleep 1000
  run -0 ask POST /containers/web/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"],"Env":"A=1"}'
  assert_said 400 "exec in 'web': json: read field 'Env': it is not an array"
  run -0 ask POST /containers/web/update -H 'Content-Type: application/json' -d '{"RestartPolicy":{"Name":5}}'
  assert_said 400 "update 'web': json: read field 'RestartPolicy.Name': it is not a string"
  run -0 cutaway ps -aq
  assert_equal "${#lines[@]}" 1
  run -0 cutaway volume ls -q
  assert_output ""
}

@test "unknown fields are accepted, as Docker does" {
  run -0 ask_create '{"Image":"busybox","Cmd":["true"],"NoSuchField":{"a":1},"HostConfig":{"NorThis":[5]}}'
  assert_equal "${lines[-1]}" 201
}

@test "dots lead nowhere, in any name or path" {
  cutaway create --name web busybox true
  run -0 ask POST /containers/../start
  assert_said 404 "start '..': containers: No such container: .."
  run -0 ask GET '/images/../../etc/json'
  assert_said 400 "invalid reference format"
  run -0 ask DELETE /volumes/..
  assert_said 404 "remove volume '..': volumes: no such volume: .."
  run -0 ask POST '/containers/create?name=../x' -H 'Content-Type: application/json' -d '{"Image":"busybox"}'
  assert_said 400 "create '../x': containers: invalid container name '../x': only [a-zA-Z0-9][a-zA-Z0-9_.-]+ are allowed"
  run -0 ask POST /volumes/create -H 'Content-Type: application/json' -d '{"Name":"../x"}'
  assert_said 400 "create volume '../x': volumes: \"../x\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed"
  run -0 ask POST /networks/create -H 'Content-Type: application/json' -d '{"Name":"../x"}'
  assert_said 400 "create network '../x': networks: invalid network name '../x': only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed"
  # Of the container's own files they are: its /etc is busybox's, which has no shadow.
  run -0 ask GET '/containers/web/archive?path=../../../../etc/shadow'
  assert_said 404 "look at 'web:../../../../etc/shadow': path: open '../../../../etc/shadow' in the root file system: No such file or directory (ENOENT)"
}

@test "two starts, an attach to a dead container, a container and an image in use" {
  cutaway create --name web busybox true
  run -0 ask POST /containers/web/start
  assert_equal "${lines[-1]}" 204
  retry 10 bash -c '[ "$("$@")" = exited ]' _ "${CUTAWAY[@]}" inspect -f '{{.State.Status}}' web
  run -1 cutaway attach web
  assert_output "cutaway: you cannot attach to a stopped container, start it first; try: cutaway start -a web"
  run -1 docker -H "unix://$SOCKET" attach web
  assert_output "You cannot attach to a stopped container, start it first"
  cutaway run -d --name busy busybox sleep 1000
  run -0 ask POST /containers/busy/start
  assert_output $'\n304' # and no body
  run -0 cutaway start busy
  assert_output busy
  run -0 ask DELETE /containers/busy
  assert_said 409 "remove 'busy': cannot remove container 'busy': it is running; try: stop it first, or remove it with --force"
  run -0 ask DELETE /images/busybox
  assert_equal "${lines[-1]}" 409
  run -0 jq -r .message <<<"${lines[0]}"
  assert_output --regexp "^remove image 'busybox': images: unable to remove 'busybox': a container uses image [0-9a-f]{12}; try: remove the container first, or use --force to only untag$"
  # Only the name goes; who runs on it goes on, and can be started again.
  run -0 cutaway rmi -f busybox
  assert_output "Untagged: busybox:latest"
  assert_status_of busy running
  cutaway restart -t 0 busy
  assert_status_of busy running
}

@test "input that nobody reads is no error, and what was printed is all there" {
  cutaway run -d --name web busybox sleep 1000
  for client in "${CUTAWAY[*]}" "docker -H unix://$SOCKET"; do
    # shellcheck disable=SC2086 # the words of a command
    run -0 bash -c 'yes | timeout -s KILL 30 "$@"' _ $client exec -i web head -n 1 3>&-
    assert_output y
    # shellcheck disable=SC2086
    run -3 bash -c 'yes | timeout -s KILL 30 "$@"' _ $client exec -i web sh -c 'exec <&-; echo out; exit 3' 3>&-
    assert_output out
  done
}

@test "a socket path that is too long, and no daemon: the sentence says what to do" {
  long=$(head -c 200 /dev/zero | tr '\0' x)
  run -1 cutaway -H "unix:///$long" ps
  assert_output "cutaway: read the host 'unix:///${long:0:59}…': the path has 201 bytes; try: a socket's path has at most 107; choose a shorter --run or -H"
  stop_daemon TERM
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" -H "unix:///$long" 3>&-
  assert_output "cutawayd: read the host 'unix:///${long:0:59}…': the path has 201 bytes; try: a socket's path has at most 107; choose a shorter --run or -H"
  nobody="cutaway: connect to the daemon at 'unix://$SOCKET': No such file or directory (ENOENT); try: start it: sudo cutawayd, or systemctl start cutaway.socket"
  run -1 cutaway ps
  assert_output "$nobody"
  run -125 cutaway run busybox true
  assert_output "$nobody"
  # A socket that a killed daemon has left behind is nobody, too; and the next daemon takes its place.
  start_daemon
  stop_daemon KILL || true
  run -1 cutaway ps
  assert_output "cutaway: connect to the daemon at 'unix://$SOCKET': Connection refused (ECONNREFUSED); try: start it: sudo cutawayd, or systemctl start cutaway.socket"
  run -1 cutaway -H http://x ps
  assert_output "cutaway: read the host 'http://x'; try: write unix:///PATH or tcp://NAME:PORT"
  run -1 cutaway -H tcp://192.0.2.1:2375 ps
  assert_output "cutaway: talk to 'tcp://192.0.2.1:2375' without TLS; try: give --tlscacert, --tlscert and --tlskey, or CUTAWAY_CERT_PATH"
  start_daemon
}

@test "a command line of cutawayd that is wrong is refused by name" {
  program=$BUILD/stages/02-split-client/cutawayd
  run -64 "$program" --log-level loud
  assert_line --index 0 "cutawayd: no log level 'loud': debug, info, warn or error"
  run -64 "$program" --no-such-option
  assert_line --index 0 --partial "unrecognized option '--no-such-option'"
  run -64 "$program" web
  assert_line --index 0 "cutawayd: unexpected argument 'web'"
}

@test "SIGTERM ends what follows, lets a call finish, and removes the socket" {
  cutaway run -d --name web busybox sh -c 'trap "" TERM; sleep 1000'
  "${CUTAWAY[@]}" logs -f web 3>&- &
  follower=$!
  "${CUTAWAY[@]}" stop -t 2 web >"$HOME_OF_TEST/stopped" 2>&1 3>&- &
  stopper=$!
  sleep 0.5
  stop_daemon TERM
  wait "$stopper"
  assert_equal "$(cat "$HOME_OF_TEST/stopped")" web
  wait "$follower" || true
  assert [ ! -e "$SOCKET" ]
  start_daemon
  assert_status_of web exited
}

# ---- who may ----

# daemon_of_group GROUP: the daemon of this test again, its socket for that group.
daemon_of_group() {
  stop_daemon TERM
  "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" --group "$1" >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
  retry 10 _daemon_answers
}

# as_member GROUP COMMAND…: as nobody, of that group alone.
as_member() {
  local group=$1
  shift
  setpriv --reuid nobody --regid "$group" --clear-groups "$@" 3>&-
}

@test "members of the socket's group may use it, others may not, and RUN holds nothing else for them" {
  chmod 711 "$HOME_OF_TEST"
  daemon_of_group games
  cutaway run -d --name web busybox sleep 1000
  run -0 as_member games curl -s --max-time 10 --unix-socket "$SOCKET" http://d/_ping
  assert_output OK
  run -0 as_member games "${CUTAWAY[@]}" ps -q
  assert_equal "${#lines[@]}" 1
  assert_equal "$(stat -c '%a %U:%G' "$RUN") $(stat -c '%a %U:%G' "$SOCKET")" "710 root:games 660 root:games"
  run -0 find "$RUN" -mindepth 1 -maxdepth 1 ! -name cutaway.sock -perm /077
  assert_output ""
  run -2 as_member games ls "$RUN"
  # Another user, another group.
  run -1 as_member nogroup "${CUTAWAY[@]}" ps
  assert_output "cutaway: connect to the daemon at 'unix://$SOCKET': Permission denied (EACCES); try: use sudo, or become a member of the socket's group"
  # And when the group is gone again, so is the way.
  stop_daemon TERM
  start_daemon
  assert_equal "$(stat -c '%a %U:%G' "$RUN") $(stat -c '%a %U:%G' "$SOCKET")" "700 root:root 660 root:root"
  run -1 as_member games "${CUTAWAY[@]}" ps
}

@test "a group that is not there is named, and nothing listens; other rights of RUN stay" {
  stop_daemon TERM
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" --group no-such-group 3>&-
  assert_output "cutawayd: give the socket to group 'no-such-group': no such group; try: groupadd no-such-group"
  assert [ ! -e "$SOCKET" ]
  chmod 711 "$RUN"
  start_daemon
  daemon_of_group games
  assert_equal "$(stat -c '%a %U:%G' "$RUN")" "711 root:root"
}

# ---- TLS ----

# make_certificates: ca.pem; server-*.pem for localhost; cert.pem and key.pem for a client; other-*.pem of nobody.
make_certificates() {
  cd "$HOME_OF_TEST" || return
  openssl req -x509 -newkey rsa:2048 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=ca 2>/dev/null
  _sign server serverAuth "DNS:localhost,IP:127.0.0.1"
  _sign client clientAuth "DNS:client"
  mv client-cert.pem cert.pem
  mv client-key.pem key.pem
  openssl req -x509 -newkey rsa:2048 -nodes -keyout other-key.pem -out other-cert.pem -days 2 -subj /CN=other 2>/dev/null
}

_sign() {
  openssl req -newkey rsa:2048 -nodes -keyout "$1-key.pem" -out "$1.csr" -subj "/CN=$1" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out "$1-cert.pem" \
    -extfile <(printf 'extendedKeyUsage=%s\nsubjectAltName=%s\n' "$2" "$3") 2>/dev/null
}

# start_tls_daemon: the daemon of this test again, also on tcp with TLS; "${tls[@]}" is our client there.
start_tls_daemon() {
  make_certificates
  stop_daemon TERM
  port=$((20000 + RANDOM % 20000))
  "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" -H "unix://$SOCKET" -H "tcp://127.0.0.1:$port" --tlsverify \
    --tlscacert ca.pem --tlscert server-cert.pem --tlskey server-key.pem >>"$HOME_OF_TEST/log" 2>&1 3>&- &
  DAEMON=$!
  retry 10 _daemon_answers
  tls=("$BUILD/cutaway" --stage 02 -H "tcp://127.0.0.1:$port" --tlscacert ca.pem)
  ours=(--tlscert cert.pem --tlskey key.pem)
  docker=(docker -H "tcp://localhost:$port" --tlsverify --tlscacert ca.pem --tlscert cert.pem --tlskey key.pem)
}

@test "over tcp streams go both ways and end where they end, for our client and for docker" {
  start_tls_daemon
  run -0 "${tls[@]}" "${ours[@]}" run --rm busybox echo hello 3>&-
  assert_output hello
  # The end of input reaches the program: `cat` ends.
  run -0 bash -c 'echo hi | timeout -s KILL 30 "$@"' _ "${tls[@]}" "${ours[@]}" run --rm -i busybox cat 3>&-
  assert_output hi
  run -0 bash -c 'echo hi | timeout -s KILL 30 "$@"' _ "${docker[@]}" run --rm -i busybox cat 3>&-
  assert_output hi
  "${tls[@]}" "${ours[@]}" run -d --name web busybox sleep 1000 3>&-
  run -0 bash -c 'head -c 3000000 /dev/zero | timeout -s KILL 30 "$@" | wc -c' _ "${tls[@]}" "${ours[@]}" exec -i web cat 3>&-
  assert_output 3000000
  # Input that nobody takes does not keep back what is printed.
  run -0 bash -c 'head -c 3000000 /dev/zero | timeout -s KILL 30 "$@"' _ "${docker[@]}" exec -i web sh -c 'exec <&-; echo out' 3>&-
  assert_output out
  run -0 env CUTAWAY_CERT_PATH="$HOME_OF_TEST" CUTAWAY_HOST="tcp://localhost:$port" "$BUILD/cutaway" --stage 02 ps -q 3>&-
  assert_equal "${#lines[@]}" 1
  run -0 "${docker[@]}" exec web echo docker
  assert_output docker
  run -0 bash -c '"$@" | tar -t | wc -l' _ "${docker[@]}" export web 3>&-
  assert [ "$output" -gt 100 ]
  cutaway rm -f web
  # Who is attached when the daemon is told to end: the daemon ends, and so does the stream.
  "${tls[@]}" "${ours[@]}" run -d --name talk busybox sh -c 'while :; do echo x; sleep 0.05; done' 3>&-
  "${tls[@]}" "${ours[@]}" attach --no-stdin talk >"$HOME_OF_TEST/attached" 2>&1 3>&- &
  attached=$!
  retry 10 test -s "$HOME_OF_TEST/attached"
  stop_daemon TERM
  wait "$attached" || true # it may say that the connection is lost
  start_daemon
}

@test "over tcp only who has a certificate of the authority, meant for clients, is answered" {
  start_tls_daemon
  run -0 "${tls[@]}" "${ours[@]}" ps -q 3>&-
  run -1 "${tls[@]}" --tlscert other-cert.pem --tlskey other-key.pem ps 3>&-
  assert_output "cutaway: check the client: its certificate is not of our authority"
  run -1 "${tls[@]}" --tlscert server-cert.pem --tlskey server-key.pem ps 3>&-
  assert_output "cutaway: check the client: its certificate is not meant for clients"
  run -1 "${tls[@]}" ps 3>&-
  assert_output "cutaway: check the client: it has shown no certificate; try: give the client --tlscert and --tlskey"
  run -1 "$BUILD/cutaway" --stage 02 -H "tcp://127.0.0.1:$port" --tlscacert other-cert.pem "${ours[@]}" ps 3>&-
  assert_output --partial "trust the daemon at 'tcp://127.0.0.1:$port'"
  run curl -s --max-time 5 "http://127.0.0.1:$port/_ping"
  assert_output ""
  assert [ "$status" -ne 0 ]
  # Who connects and says nothing, or goes in between, costs a thread until then and nothing afterwards.
  before=$(awk '/^Threads:/ { print $2 }' "/proc/$DAEMON/status")
  for _ in 1 2 3 4 5; do
    run -0 timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/$0; printf "GET / HTTP/1.1\r\n\r\n" >&3 || true' "$port"
  done
  retry 15 bash -c '[ "$(awk "/^Threads:/ { print \$2 }" "/proc/$0/status")" -le "$1" ]' "$DAEMON" "$before"
}

@test "a certificate that cannot be used is named, and nothing listens" {
  make_certificates
  stop_daemon TERM
  listen=("$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" -H tcp://127.0.0.1:19999 --tlsverify --tlscacert ca.pem)
  run -1 "${listen[@]}" --tlscert server-cert.pem --tlskey other-key.pem 3>&-
  assert_output "cutawayd: use the certificate 'server-cert.pem' with the key 'other-key.pem': The certificate and the given key do not match."
  run -1 "${listen[@]}" --tlscert nothing.pem --tlskey server-key.pem 3>&-
  assert_output "cutawayd: read the certificate file 'nothing.pem': file: open 'nothing.pem': No such file or directory (ENOENT)"
  run -1 "${listen[@]}" --tlscert server-cert.pem 3>&-
  assert_output "cutawayd: --tlsverify needs --tlscacert, --tlscert and --tlskey"
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" -H tcp://0.0.0.0:19999 3>&-
  assert_output "cutawayd: listen on tcp://0.0.0.0:19999 without TLS: whoever connects would be root; try: add --tlsverify --tlscacert --tlscert --tlskey"
  run -1 "$BUILD/stages/02-split-client/cutawayd" --root "$ROOT" --run "$RUN" -H tcp://127.0.0.1:19999 3>&-
  assert_output "cutawayd: listen on tcp://127.0.0.1:19999 without TLS; try: add --insecure-loopback if every user of this machine may be root"
  start_daemon
}

# ---- load ----

@test "two hundred clients at once: everybody is served, and all is freed afterwards" {
  cutaway run -d --name talker busybox sh -c 'while :; do echo tick; sleep 0.2; done'
  for i in $(seq 20); do cutaway create --name "c$i" busybox true >/dev/null; done
  before=$(awk '/^Threads:/ { print $2 }' "/proc/$DAEMON/status")
  fds_before=$(find "/proc/$DAEMON/fd" | wc -l)
  followers=()
  for i in $(seq 60); do
    curl -sN --max-time 60 --unix-socket "$SOCKET" "http://d/containers/talker/logs?stdout=1&follow=1" >"$HOME_OF_TEST/l$i" 3>&- &
    followers+=($!)
    curl -sN --max-time 60 --unix-socket "$SOCKET" "http://d/events" >"$HOME_OF_TEST/e$i" 3>&- &
    followers+=($!)
  done
  for i in $(seq 20); do
    curl -s --max-time 60 --unix-socket "$SOCKET" -X POST "http://d/containers/c$i/wait?condition=next-exit" >"$HOME_OF_TEST/w$i" 3>&- &
    followers+=($!)
  done
  sleep 1
  workers=()
  for i in $(seq 20); do
    "${CUTAWAY[@]}" start "c$i" >/dev/null 2>"$HOME_OF_TEST/s$i" 3>&- &
    workers+=($!)
    "${CUTAWAY[@]}" exec talker echo "x$i" >"$HOME_OF_TEST/x$i" 2>&1 3>&- &
    workers+=($!)
    "${CUTAWAY[@]}" ps -a >"$HOME_OF_TEST/p$i" 2>&1 3>&- &
    workers+=($!)
  done
  for pid in "${workers[@]}"; do wait "$pid"; done
  for i in $(seq 20); do
    assert_equal "$(cat "$HOME_OF_TEST/x$i")" "x$i"
    retry 20 grep -q '"StatusCode":0' "$HOME_OF_TEST/w$i"
  done
  for i in $(seq 60); do
    retry 20 grep -q tick "$HOME_OF_TEST/l$i"
    retry 20 bash -c '[ "$(grep -c "\"die\"" "$0")" -ge 20 ]' "$HOME_OF_TEST/e$i"
  done
  kill "${followers[@]}" 2>/dev/null || true
  wait "${followers[@]}" || true
  retry 20 bash -c '[ "$(awk "/^Threads:/ { print \$2 }" "/proc/$0/status")" -le "$1" ]' "$DAEMON" "$((before + 2))"
  retry 20 bash -c '[ "$(find "/proc/$0/fd" | wc -l)" -le "$1" ]' "$DAEMON" "$((fds_before + 4))"
}

# What a killed daemon leaves must be whole: every record can be read, and what is said of a container is so.
assert_state_is_whole() {
  local record
  while read -r record; do
    jq -e . "$record" >/dev/null || [ ! -e "$record" ] || fail "half written: $record" # it may be gone by now
  done < <(find "$ROOT" "$RUN" -name '*.json' -not -path '*/diff/*' -not -path '*/rootfs/*')
  run -0 cutaway ps -a --format '{{.Names}} {{.State}}'
  refute_output --regexp ' (dead|removing)'
  while read -r name state; do
    [ -n "$name" ] || continue
    if [ "$state" = running ]; then [ -d "/proc/$(pid_of "$name")" ] || fail "$name is said to run"; fi
  done <<<"$output"
}

@test "a daemon that is killed at any moment of create, start and rm leaves whole records" {
  cutaway run --rm busybox true
  for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
    # The load goes on as fast as it can; whatever fails meanwhile is the kill's doing.
    (for i in $(seq 50); do
      "${CUTAWAY[@]}" create --name "r$i" busybox sleep 1000 && "${CUTAWAY[@]}" start "r$i" && "${CUTAWAY[@]}" rm -f "r$i" || true
      [ ! -e "$HOME_OF_TEST/killed" ] || break
    done) >/dev/null 2>&1 3>&- &
    load=$!
    sleep "0.$((RANDOM % 90 + 10))"
    stop_daemon KILL || true
    # The load ends by itself: a client that was killed with its shell could still reach the next daemon.
    touch "$HOME_OF_TEST/killed"
    wait "$load" || true
    rm "$HOME_OF_TEST/killed"
    start_daemon
    assert_state_is_whole
    ids=$(cutaway ps -aq)
    # shellcheck disable=SC2086 # one id a word
    [ -z "$ids" ] || run -0 cutaway rm -f $ids
  done
  run -0 cutaway ps -aq
  assert_output ""
  echo "rounds: $round"
}
