#!/usr/bin/env bats
# schema.bats - every property that the schema of config.json has is honoured, with a test, or refused by name.
#
# schema.jq reads the schema. everything.json is a document in which each property that we honour is right.
# honoured.tsv has the test for each property. The sections for other systems (windows, solaris, vm, zos)
# are refused, too: the specification allows them only where they are meant, and whoever sends one expects
# more than that it is passed over, as runc does.

load lib

SCHEMA=/usr/share/gocode/src/github.com/opencontainers/runtime-spec/schema
EVERYTHING=$LIBCONTAINER_DIR/everything.json
TABLE=$LIBCONTAINER_DIR/honoured.tsv

setup() {
  libcontainer_setup
  [ -e "$SCHEMA/config-schema.json" ] || skip "no schema: apt-get install golang-github-opencontainers-specs-dev"
  rm -r "$BUNDLE/rootfs" # what is not refused comes no further than this
}

# from_schema FILTER: in it, properties and leaves are the schema's, $everything and $cgroup are what a document needs.
from_schema() {
  jq -L "$LIBCONTAINER_DIR" -nr --arg cgroup "/$ID" --slurpfile document "$EVERYTHING" \
    'include "schema"; ($document[0] | .linux.cgroupsPath = $cgroup) as $everything | '"$1" "$SCHEMA"/*.json
}

refused() { awk -F '\t' '$2 == "refused" { print $1 }' "$TABLE"; }

# create_each FILE: a line is a property, a tab, a document. Prints property, tab, error.
create_each() {
  local property document
  while IFS=$'\t' read -r property document; do
    printf '%s\n' "$document" >"$BUNDLE/config.json"
    printf '%s\t%s\n' "$property" "$(bundle create --bundle "$BUNDLE" "$ID" 2>&1 </dev/null)"
  done <"$1"
}

# unnamed FILE: the lines of create_each whose error names neither the property nor a refused one above it.
unnamed() {
  awk -F '\t' '
    NR == FNR { refused[$1]; next }
    index($2, ": " $1 ": ") { next }
    {
      for (name in refused) {
        next_char = substr($1, length(name) + 1, 1)
        if (index($1, name) == 1 && next_char ~ /^[.[]?$/ && index($2, ": use " name ": ")) next
      }
      print
    }' <(refused) "$1"
}

@test "a document in which everything is right is refused for no property of it" {
  # One needs version 2 of control groups. The rest fails at the root, which is not there.
  from_schema '$everything | del(.linux.resources.unified) | tojson' >"$BUNDLE/config.json"
  run -1 bundle create --bundle "$BUNDLE" "$ID"
  refute_output --regexp "': (config|seccomp|sysctl|scheduling|labels): "
}

@test "a value of a wrong type is named by its full path" {
  from_schema 'properties | .type as $type | .path | in_document($everything) as $path | wrong_values($type) as $value |
    [($path | text), ($everything | setpath($path; $value) | tojson)] | join("\t")' >"$HOME_OF_TEST/cases"
  create_each "$HOME_OF_TEST/cases" >"$HOME_OF_TEST/errors"
  run unnamed "$HOME_OF_TEST/errors"
  assert_output ""
  assert [ "$(wc -l <"$HOME_OF_TEST/errors")" -gt 800 ] # as the schema of 1.0.2 has them
}

@test "what is not honoured is refused by name, though it be right" {
  REFUSED=$(refused) from_schema '[properties] as $all | [$ENV.REFUSED | splits("\n")][] | . as $name |
    ($all[] | select(.path | text == $name)) |
    .path as $path | {string: "x", array: ["x"], object: {}}[.type] as $value |
    [$name, ($everything | setpath($path; $value) | tojson)] | join("\t")' >"$HOME_OF_TEST/cases"
  create_each "$HOME_OF_TEST/cases" >"$HOME_OF_TEST/errors"
  run awk -F '\t' '!index($2, ": use " $1 ": ")' "$HOME_OF_TEST/errors"
  assert_output ""
  assert_equal "$(cut -f 1 "$HOME_OF_TEST/errors" | sort)" "$(refused | sort)"
}

@test "each property of the schema has a test that it is honoured, or is refused" {
  run awk -F '\t' '
    /^#/ { next }
    NR == FNR { if ($2 == "refused") refused[$1]; else honoured[$1]; next }
    $1 in honoured { next }
    {
      for (name in refused) if (index($1, name) == 1 && substr($1, length(name) + 1, 1) ~ /^[.[]?$/) next
      print
    }' "$TABLE" <(from_schema leaves)
  assert_output ""
}

@test "each test that the table names is there" {
  local property file name text
  while IFS=$'\t' read -r property file name; do
    [[ $property != '#'* && $file != refused ]] || continue
    text="@test \"$name\" {"
    [[ $file == *.bats ]] || text="static void $name(void **state)" # one that nobody calls does not compile
    grep -qF "$text" "$CHECKOUT/tests/$file" || echo "$property: $file has no test '$name'"
  done <"$TABLE" >"$HOME_OF_TEST/missing"
  assert_equal "$(cat "$HOME_OF_TEST/missing")" ""
}
