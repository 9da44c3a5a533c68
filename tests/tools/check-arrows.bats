#!/usr/bin/env bats
# check-arrows.bats - the check of the arrows between rooms finds what it is there for.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  TREE=$BATS_TEST_TMPDIR/tree
  mkdir -p "$TREE"/{lib,stages/01-monolith/{cli,engine,images,monitor},stages/02-split-client/rest}
  touch "$TREE"/lib/error.h
  touch "$TREE"/stages/01-monolith/engine/engine{.h,_internal.h,_images.h}
  touch "$TREE"/stages/01-monolith/images/images{.h,_internal.h}
  touch "$TREE"/stages/02-split-client/rest/rest.h
}

# includes FILE HEADER…: writes FILE, which includes the headers.
includes() {
  local file=$TREE/$1
  shift
  printf '#include "%s"\n' "$@" >"$file"
}

check() { "$BATS_TEST_DIRNAME/../../tools/check-arrows" "$TREE"; }

@test "what the table allows is silent" {
  includes stages/01-monolith/cli/cli.c error.h engine.h engine_images.h
  includes stages/01-monolith/engine/local.c error.h engine.h engine_internal.h images.h
  includes stages/01-monolith/images/images.c images.h images_internal.h error.h
  run -0 check
  refute_output
}

@test "a room behind the engine may not include the engine" {
  includes stages/01-monolith/images/images.c images.h engine_images.h
  run -1 check
  assert_output 'stages/01-monolith/images/images.c:2: room 01/images includes "engine_images.h" of room 01/engine, and no arrow allows it'
}

@test "the command line may not go past the engine" {
  includes stages/01-monolith/cli/cli.c engine.h images.h
  run -1 check
  assert_output --partial 'room 01/cli includes "images.h" of room 01/images'
}

@test "another room's internals are not to be included" {
  includes stages/01-monolith/engine/local.c images_internal.h
  run -1 check
  assert_output --partial '"images_internal.h" is internal to room 01/images'
}

@test "a stage may not include a later stage" {
  includes stages/01-monolith/engine/local.c rest.h
  run -1 check
  assert_output --partial 'room 01/engine includes "rest.h" of a later stage (02/rest)'
}

@test "lib uses nothing of ours" {
  includes lib/error.c error.h images.h
  run -1 check
  assert_output --partial 'room lib includes "images.h" of room 01/images'
}

@test "headers are followed too, and a header in no room is found" {
  includes stages/01-monolith/images/images.h engine.h nowhere.h
  run -1 check
  assert_line --index 0 --partial 'images.h:1: room 01/images includes "engine.h"'
  assert_line --index 1 --partial 'images.h:2: "nowhere.h" is in no room'
}

@test "two rooms may not give a header the same name" {
  touch "$TREE"/stages/01-monolith/monitor/images.h
  run -1 check
  assert_output --partial 'images.h: the name is taken by a header of room 01/images'
}
