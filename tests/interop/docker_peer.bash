# shellcheck shell=bash
# docker_peer.bash - a real dockerd of the test's own, which gets parts of ours.
#
# Used by: runc.bats, init.bats:   load docker_peer
# start_dockerd [OPTION…] makes one below $PEER_HOME, with the embedded image; `docker` is its client. peer_teardown
# removes its containers, ends it and fails when something is left.

start_dockerd() {
  PEER_HOME=$(mktemp -d "${TMPDIR:-/tmp}/ct.XXXXXX")
  export DOCKER_HOST=unix://$PEER_HOME/docker.sock DOCKER_CONFIG=$PEER_HOME/config
  dockerd -H "$DOCKER_HOST" --data-root "$PEER_HOME/data" --exec-root "$PEER_HOME/exec" -p "$PEER_HOME/pid" \
    --bridge=none --iptables=false "$@" >"$PEER_HOME/log" 2>&1 3>&- &
  DOCKERD=$!
  local deadline=$((SECONDS + 60))
  until docker version >/dev/null 2>&1; do
    if ! kill -0 "$DOCKERD" || ((SECONDS >= deadline)); then fail "dockerd does not answer: $(tail -n 5 "$PEER_HOME/log")"; fi
    sleep 0.1
  done
  docker load -q -i "$BUILD/tools/busybox.tar" >/dev/null
}

# Processes with the peer's folder on their command line. grep reads it from a pipe, so as not to find itself.
_of_peer() { grep -lF -f <(echo "$PEER_HOME/") /proc/[0-9]*/cmdline 2>/dev/null; }

peer_teardown() {
  local ids left process
  [ -n "${DOCKERD:-}" ] || return 0
  mapfile -t ids < <(docker ps -aq)
  if ((${#ids[@]} > 0)); then docker rm -f "${ids[@]}" >/dev/null; fi
  kill "$DOCKERD" && wait "$DOCKERD"
  awk -v home="$PEER_HOME/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount -l
  local deadline=$((SECONDS + 10))
  while left=$(_of_peer) && [ -n "$left" ] && ((SECONDS < deadline)); do sleep 0.1; done
  # A shim of Docker's own sometimes misses that its containerd ends while it says goodbye.
  for process in $left; do
    if grep -q '^containerd-shim' "${process%/cmdline}/comm" 2>/dev/null; then kill -KILL "$(basename "${process%/cmdline}")"; fi
  done
  left=$(_of_peer)
  rm -rf --one-file-system "$PEER_HOME"
  if [ -n "$left" ]; then
    echo "left behind: $left"
    return 1
  fi
}

teardown() { peer_teardown; }
