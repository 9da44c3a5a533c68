#!/usr/bin/env bats
# page.bats - the page of a recording, in a real browser.
#
# The page stands in a frame of the width under test. probe.js uses it there and tells what it found to
# the frame's owner, whose text the browser prints.

BATS_LIB_PATH=${BATS_LIB_PATH:-/usr/lib/bats}
bats_load_library bats-support
bats_load_library bats-assert
bats_require_minimum_version 1.8.0

setup() {
  HERE=$BATS_TEST_DIRNAME
  BUILD=${BUILD:-$HERE/../../build}
  TRACE=$BUILD/trace/cutaway-trace
  cd "$BATS_TEST_TMPDIR" || return 1
}

# look WIDTH [OPTION...]: what probe.js finds in page.html, one finding a line.
look() {
  local width=$1
  shift
  {
    sed '/<\/body>/Q' page.html
    echo "<script>"
    cat "$HERE/probe.js"
    echo "</script></body></html>"
  } >probed.html
  cat >owner.html <<END
<iframe src="probed.html" width="$width" height="900"></iframe><pre id="found"></pre>
<script>onmessage = (event) => { document.getElementById("found").textContent = event.data; };</script>
END
  timeout 120 chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --user-data-dir="$BATS_TEST_TMPDIR/profile" --window-size=1400,1000 \
    --virtual-time-budget=5000 "$@" --dump-dom "file://$PWD/owner.html" 2>browser.log 3>&- >dom
  python3 -c '
import html, re, sys
print(html.unescape(re.search(r"<pre id=\"found\">(.*)</pre>", sys.stdin.read(), re.S)[1]))' <dom
}

@test "a page shows roles as rows and processes as colours, and a hop can be opened" {
  "$TRACE" show --format=html "$HERE/hostile.trace" >page.html
  run -0 look 1280
  assert_line "rows: client, engine, containerd, shim not recorded, runtime not recorded, container not recorded"
  assert_line "colours of: cutaway [10] client p0, cutawayd [20] engine p1, cutaway-contain [30] containerd p2"
  assert_line "different colours: 3"
  assert_line "bars above their row's end: true"
  assert_line 'hovered: engine: request: Tasks/Start id=<img src=x onerror="document.documentElement.dataset.evil=1"> (4.00 ms)'
  assert_line 'opened: engine: request | Tasks/Start id=<img src=x onerror="document.documentElement.dataset.evil=1">'
  assert_line "answered by: containerd: reply: Tasks/Start id=web"
  assert_line --partial 'followed: containerd: reply | ✗ no "quotes" & <i>tags</i>'
  assert_line --partial "kernel: 5.10 ms connect /run/<b>s</b>"
}

@test "a page is used by keys alone" {
  "$TRACE" show --format=html "$HERE/hostile.trace" >page.html
  run -0 look 1280
  assert_line "closed: true"
  assert_line --partial "focus is back on: request: Tasks/Start id=<img"
  assert_line "up: request: POST /containers/web/start"
  assert_line "right: reply: POST /containers/web/start"
  assert_line "zoomed: 2"
  assert_line "sequence shown: true"
}

@test "the sequence tells the same hops in the order of time" {
  "$TRACE" show --format=html "$HERE/hostile.trace" >page.html
  run -0 look 1280
  assert_line "columns: client, engine, containerd"
  assert_line --regexp '^hops: client to engine, message: POST /containers/web/start \| engine to containerd, message: Tasks/Start id=web \| containerd to engine, reply: ✗ no .* \| engine to client, reply: done, after 5.50 ms$'
  assert_line "opened: POST /containers/web/start"
}

@test "nothing of a recording becomes code, and nothing is loaded" {
  "$TRACE" show --format=html "$HERE/hostile.trace" >page.html
  run -0 look 1280
  assert_line "title: cutaway start </script><script>document.documentElement.dataset.evil=1</script>"
  assert_line "evil: 0"
  assert_line "loaded: 0"
  refute_line --partial "error: "
  run -1 grep -oE '(https?:)?//[a-z0-9.-]+\.[a-z]+' <(grep -v 'www.w3.org/2000/svg' page.html)
}

@test "a page fits windows of 1280 and 400, light and dark" {
  local width scheme
  "$TRACE" show --format=html "$HERE/hostile.trace" >page.html
  for width in 1280 400; do
    for scheme in "1 false rgb(255, 255, 255)" "0 true rgb(15, 19, 24)"; do
      run -0 look $width --blink-settings=preferredColorScheme="${scheme%% *}"
      assert_line "width: $width"
      assert_line "wider than the window: false"
      assert_line "panel inside the window: true"
      assert_line "dark: ${scheme#* }"
    done
  done
}
