#!/usr/bin/env bats
# entrypoint.bats - twelve reasons why an entry point does not start, and twelve different answers.

load lib

setup() {
  # Another's runtime has words of its own, and fewer.
  if [ "$STAGE" = 04 ] && [ ! -x "$BUILD/stages/04-modular/runc/cutaway-runc" ]; then skip "there is no cutaway-runc"; fi
  behaviour_setup
}

# refused CODE CAUSE run-arguments…: `run` fails with CODE and one line that names the cause, and
# nothing of the container is left running.
refused() {
  local code=$1 cause=$2
  shift 2
  run "-$code" cutaway run --name broken "$@"
  assert_output --partial "$cause"
  assert_equal "${#lines[@]}" 1
  assert_status_of broken created
}

# An image of busybox with one more file: made by commit. $1: shell commands.
prepare() {
  cutaway run --name prep busybox sh -c "$1"
  cutaway commit prep broken-image >/dev/null
  cutaway rm prep >/dev/null
}

@test "no such file" {
  refused 127 "o such file or directory" busybox /bin/nosuch # Docker's clients want it small
}

@test "no such program in PATH" {
  refused 127 "no directory of PATH has such a program" busybox nosuchprogram
}

@test "not executable" {
  refused 126 "not executable" busybox /etc/passwd
}

@test "a directory" {
  refused 126 "is a directory" busybox /tmp
}

@test "an interpreter that is missing" {
  prepare 'printf "#!/bin/nosuch\n" >/run.sh; chmod +x /run.sh'
  refused 127 "interpreter '/bin/nosuch'" broken-image /run.sh
}

@test "a carriage return behind #!" {
  prepare 'printf "#!/bin/sh\r\necho hi\r\n" >/run.sh; chmod +x /run.sh'
  refused 127 "carriage return" broken-image /run.sh
}

@test "a program for another architecture" {
  # An ELF header for AArch64 (e_machine 183).
  prepare 'printf "\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000\001\000\000\000" >/app; head -c 200 /dev/zero >>/app; chmod +x /app'
  refused 126 "aarch64" broken-image /app
}

@test "an ELF loader that is missing" {
  # A dynamically linked program of Debian's, in an image without any loader.
  tar -C /usr/bin -cf - env | { cutaway create --name loader busybox true >/dev/null; cutaway cp - loader:/tmp/; }
  cutaway commit loader broken-image >/dev/null
  cutaway rm loader >/dev/null
  refused 127 "loader" broken-image /tmp/env
}

@test "a noexec mount" {
  refused 126 "noexec" --mount type=tmpfs,dst=/mnt -v "$(prepared_noexec)":/prog busybox /prog/run
}

# A directory on a file system that is mounted noexec, with a program in it.
prepared_noexec() {
  mkdir "$HOME_OF_TEST/noexec"
  mount -t tmpfs -o noexec tmpfs "$HOME_OF_TEST/noexec"
  cp "$(command -v busybox)" "$HOME_OF_TEST/noexec/run"
  echo "$HOME_OF_TEST/noexec"
}

teardown() {
  if mountpoint -q "${HOME_OF_TEST:-/nonexistent}/noexec"; then umount "$HOME_OF_TEST/noexec" || umount -l "$HOME_OF_TEST/noexec"; fi
  behaviour_teardown
}

@test "no such user" {
  refused 126 "unable to find user nobody-here" -u nobody-here busybox true
}

@test "no such working directory" {
  refused 126 "working directory '/etc/passwd'" -w /etc/passwd busybox true
}

@test "no permission on the way" {
  prepare 'mkdir -m 700 /closed; cp /bin/busybox /closed/true'
  refused 126 "may not be entered by this user" -u 1000 broken-image /closed/true
}

@test "an argument list that is too long" {
  # One argument of more than 128 KiB: the kernel's limit for each (MAX_ARG_STRLEN).
  head -c 200000 /dev/zero | tr '\0' x >"$HOME_OF_TEST/env"
  { printf 'LONG='; cat "$HOME_OF_TEST/env"; echo; } >"$HOME_OF_TEST/env-file"
  refused 126 "too long" --env-file "$HOME_OF_TEST/env-file" busybox true
}
