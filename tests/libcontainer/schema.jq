# schema.jq - the properties of config.json, as the schema of the runtime specification has them.
#
# Used by:  schema.bats:   jq -L tests/libcontainer -n 'include "schema"; …' SCHEMA/*.json
#
# A property is {path, type}; path is a list as jq's getpath has it, with 0 for the elements of an array
# and "*" for the members of a map: ["linux", "devices", 0, "uid"].

# The schema's files by their names.
def files: reduce inputs as $file ({}; .[input_filename | split("/")[-1]] = $file);

# What a node is behind its references, and in which file that stands: they are relative to it.
def follow($files; $file):
  if has("$ref") then
    (.["$ref"] | split("#")) as [$name, $pointer] | (if $name == "" then $file else $name end) as $where |
    $files[$where] | getpath($pointer | split("/")[1:]) | follow($files; $where)
  else {node: ., file: $file} end;

def properties($files; $file; $path):
  follow($files; $file) | .file as $file | .node |
  (if .type and $path != [] then {path: $path, type: .type} else empty end),
  ((.allOf, .anyOf | select(.)[]) | properties($files; $file; $path)),
  (.properties // {} | to_entries[] | .key as $key | .value | properties($files; $file; $path + [$key])),
  (.items | select(.) | properties($files; $file; $path + [0])),
  (.additionalProperties, (.patternProperties // {})[] | objects | properties($files; $file; $path + ["*"]));

# Each once. There are two descriptions of what is put together by allOf.
def properties: files as $files | [{"$ref": "config-schema.json#"} | properties($files; ""; [])] | unique_by(.path)[];

# "linux.devices[0].uid": how the library's errors name it, with the member's name for "*".
def text: reduce .[] as $part (""; . + if $part | type == "number" then "[\($part)]" else "." + $part end) | ltrimstr(".");

# In a document of which every map has one member: "*" becomes its name.
def in_document($document):
  reduce .[] as $part ([]; . + [if $part == "*" then . as $so_far | $document | getpath($so_far) | keys[0] else $part end]);

def wrong_values($type): {
  string: [7, {}], integer: ["7", 1.5, true], boolean: ["true", 1], array: [{}, "x", 7], object: [[], "x", 7]}[$type][];

# Properties that have a value of their own, and their names in honoured.tsv: "linux.devices[].uid".
def leaves: [properties] |
  map(select(.type != "object" and .type != "array") | .path | if .[-1] == 0 then .[:-1] else . end) | unique[] |
  map(if type == "number" then "[]" else ".\(.)" end) | add | ltrimstr(".");
