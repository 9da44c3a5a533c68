#!/usr/bin/env bats
# check-lessons.bats - the check of the lessons finds what it is there for.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  CHECKOUT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  LESSON=$BATS_TEST_TMPDIR/lesson.md
}

check() { "$CHECKOUT/tools/check-lessons" "$@" "$LESSON"; }

# console: the lesson is one block of commands, from standard input.
console() {
  {
    echo '```console'
    cat
    echo '```'
  } >"$LESSON"
}

@test "commands that print what the lesson says are well" {
  console <<'END'
$ echo one two
one [...]
$ for i in 1 2
> do echo $i; done
1
2
END
  run -0 check
  assert_line --partial "(2 commands)"
}

@test "another output is found, with its line" {
  console <<'END'
$ true
$ echo one
two
END
  run -1 check
  assert_line --regexp ':3: \$ echo one$'
}

@test "a link that leads nowhere is found, and a function that is not in its file" {
  ln -s "$CHECKOUT/lib" "$BATS_TEST_TMPDIR/lib"
  echo '[ct_error_render()](lib/error.c), [README](lib/error.h)' >"$LESSON"
  run -0 check
  echo '[ct_dance()](lib/error.c), [music](lib/music.c)' >"$LESSON"
  run -1 check
  assert_line --partial 'no ct_dance() in lib/error.c'
  assert_line --partial 'there is no lib/music.c'
}

@test "quoted code that is old is found, and brought up to date" {
  printf '%s\n' '<!-- code: lib/error.c ct_error_render -->' '```c' 'int ct_error_render(void) {}' '```' >"$LESSON"
  run -1 check
  assert_line --partial 'the quoted ct_error_render is not what lib/error.c has'
  run -1 check --fix-code
  run -0 check
}

@test "what a lesson leaves running is ended" {
  console <<END
\$ sleep 1000 & echo \$! >"$BATS_TEST_TMPDIR/pid"
END
  run -0 check
  [ ! -e "/proc/$(<"$BATS_TEST_TMPDIR/pid")" ]
}

@test "the shell of a lesson has its programs in the path, and leaves no folder" {
  echo >"$LESSON"
  run check --shell <<<'command -v cutaway-trace; pwd; sleep 1000 & exit 3'
  assert_equal "$status" 3
  assert_line --partial /trace/cutaway-trace
  folder=$(grep -o '/[^ ]*/lesson\.[^/ ]*' <<<"$output" | head -n 1)
  [ -n "$folder" ] && [ ! -e "$folder" ]
}
