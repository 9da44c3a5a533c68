# shellcheck shell=bash
# podman_peer.bash - a podman of the test's own, whose conmon calls our runtime.
#
# Used by: runc.bats here, and the swap matrix. podman_with RUNTIME makes one below $HOME_OF_TEST with the embedded
# image; `peer_podman` is its command line; end_podman removes what it has made.
# Its locks are files: those in /dev/shm would be one set for all on this machine.

podman_with() {
  PODMAN_HOME=$HOME_OF_TEST/podman PODMAN_RUNTIME=$1
  mkdir "$PODMAN_HOME"
  echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$PODMAN_HOME/policy.json"
  cat >"$PODMAN_HOME/containers.conf" <<'END'
[containers]
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
END
  peer_podman load --signature-policy "$PODMAN_HOME/policy.json" -q -i "$BUILD/tools/busybox.tar"
}

peer_podman() {
  env CONTAINERS_CONF="$PODMAN_HOME/containers.conf" podman --root "$PODMAN_HOME/root" --runroot "$PODMAN_HOME/run" \
    --tmpdir "$PODMAN_HOME/tmp" --storage-driver vfs --runtime "$PODMAN_RUNTIME" "$@" 3>&-
}

end_podman() {
  local ids
  mapfile -t ids < <(peer_podman ps -aq)
  if ((${#ids[@]} > 0)); then peer_podman rm -f -t 0 "${ids[@]}" >/dev/null; fi
  awk -v home="$PODMAN_HOME/" 'index($5, home) == 1 { print $5 }' /proc/self/mountinfo | tac | xargs -r umount
}
