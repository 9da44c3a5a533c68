#!/usr/bin/env bats
# launcher.bats - one command for every stage.

load lib

@test "the stage that is asked for answers" {
  run -0 cutaway version --format '{{.Client.Version}}'
  assert_line --index 0 --regexp '^[0-9]+\.[0-9]+\.[0-9]+$'
}

@test "a stage that is not built is refused by name" {
  mkdir "$HOME_OF_TEST/bin"
  cp "$BUILD/cutaway" "$HOME_OF_TEST/bin/cutaway"
  run -125 "$HOME_OF_TEST/bin/cutaway" --stage 04 ps
  assert_output --partial "cutaway: stage '04-modular' is not built; try: "
}

@test "a stage that does not exist is refused" {
  run -125 "$BUILD/cutaway" --stage 9 ps
  assert_line --index 0 --partial "cutaway: no such stage: '9'; try: "
}

@test "--stage without a value is refused" {
  run -125 "$BUILD/cutaway" --stage
  assert_output "cutaway: flag needs an argument: --stage"
}

@test "everything behind --stage reaches the stage untouched" {
  mkdir -p "$HOME_OF_TEST/bin/stages/01-monolith"
  cp "$BUILD/cutaway" "$HOME_OF_TEST/bin/cutaway"
  cat >"$HOME_OF_TEST/bin/stages/01-monolith/cutaway-01-monolith" <<'END'
#!/bin/sh
printf '<%s>' "$@"
END
  chmod +x "$HOME_OF_TEST/bin/stages/01-monolith/cutaway-01-monolith"
  run -0 "$HOME_OF_TEST/bin/cutaway" --stage=1 run --stage 7 'a b' '' --
  assert_output "<run><--stage><7><a b><><-->"
}
