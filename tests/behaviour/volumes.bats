#!/usr/bin/env bats
# volumes.bats - named, anonymous, bind and tmpfs mounts.

load lib

@test "a named volume outlives its container" {
  cutaway run --rm -v data:/data busybox sh -c 'echo kept >/data/file'
  run -0 cutaway run --rm -v data:/data busybox cat /data/file
  assert_output "kept"
  run -0 cutaway volume ls -q
  assert_output "data"
}

@test "an empty volume gets what the image has at its place" {
  run -0 cutaway run --rm -v home:/etc busybox cat /etc/passwd
  assert_line --partial "root:"
}

@test "an anonymous volume goes with rm -v and with --rm" {
  cutaway run --rm -v /data busybox true
  run -0 cutaway volume ls -q
  assert_output ""
  cutaway run --name user -v /data busybox true
  run -0 cutaway volume ls -q
  assert_output --regexp '^[0-9a-f]{64}$'
  cutaway rm -v user
  run -0 cutaway volume ls -q
  assert_output ""
}

@test "a bind mount shows the host's directory, :ro only for reading" {
  mkdir "$HOME_OF_TEST/src"
  echo host >"$HOME_OF_TEST/src/file"
  run -0 cutaway run --rm -v "$HOME_OF_TEST/src:/src" busybox sh -c 'cat /src/file; echo new >/src/new'
  assert_output "host"
  assert_equal "$(cat "$HOME_OF_TEST/src/new")" new
  run -1 cutaway run --rm -v "$HOME_OF_TEST/src:/src:ro" busybox touch /src/file
  assert_output --partial "Read-only file system"
}

@test "--mount refuses a source that is missing, -v makes it" {
  run -125 cutaway run --rm --mount "type=bind,src=$HOME_OF_TEST/missing,dst=/m" busybox true
  assert_output --partial "$HOME_OF_TEST/missing"
  run -0 cutaway run --rm -v "$HOME_OF_TEST/made:/m" busybox true
  assert [ -d "$HOME_OF_TEST/made" ]
}

@test "--tmpfs and --mount type=tmpfs are empty, writable and sized" {
  run -0 cutaway run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m busybox df -k /t
  assert_line --index 1 --regexp '[[:space:]]1024[[:space:]]'
}

@test "a volume in use is not removed" {
  cutaway create --name user -v data:/data busybox true
  run -1 cutaway volume rm data
  assert_output --partial "volume is in use"
  cutaway rm user
  run -0 cutaway volume rm data
  assert_output "data"
}

@test "two mounts at one place are refused and leave no volume" {
  run -125 cutaway run --rm -v aa:/x -v bb:/x busybox true
  assert_output --partial "duplicate mount point: /x"
  run -0 cutaway volume ls -q
  assert_output ""
}

@test "volume create, inspect and prune" {
  cutaway volume create --label keep=no loose
  run -0 cutaway volume inspect -f '{{.Name}} {{.Driver}}' loose
  assert_output "loose local"
  run -0 cutaway volume prune -a -f
  assert_output --partial "loose"
}

@test "a mount target that is a link in the image stays inside the container" {
  cutaway run --name link busybox ln -s / /out
  cutaway commit link linked >/dev/null
  mkdir "$HOME_OF_TEST/src"
  run -0 cutaway run --rm -v "$HOME_OF_TEST/src:/out/mounted-here" linked ls -d /mounted-here
  assert [ ! -e /mounted-here ]
}
