#!/bin/sh
# The web page in headless Chromium against `imgsearch serve` on the demo library: run.sh IMGSEARCH [SCREENSHOTS]
# Needs node, Chromium and the npm packages playwright-core and axe-core below $IMS_NODE_MODULES; says which one is
# missing otherwise.
# SPDX-License-Identifier: Apache-2.0
set -eu
binary=$1
here=$(cd "$(dirname "$0")" && pwd)
modules=${IMS_NODE_MODULES:-${XDG_CACHE_HOME:-$HOME/.cache}/imgsearch/browser/node_modules}
chromium=${IMS_CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}

skip()
{
    echo "1..0 # SKIP $*"
    exit 0
}
command -v node >/dev/null || skip "there is no node to drive a browser"
[ -n "$chromium" ] || skip "there is no Chromium"
for package in playwright-core axe-core; do
    [ -d "$modules/$package" ] || skip "the npm package $package is not in $modules"
done

work=$(mktemp -d)
server=
leave()
{
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"
"$binary" --data "$work/data" index --quiet "$here/../../demo" >"$work/index.log" 2>&1 || true # one picture is broken
IMS_CHECK_REPLIES=1 "$binary" --data "$work/data" serve --port 0 >"$work/out" 2>"$work/log" &
server=$!
for _ in $(seq 300); do
    grep -q serves "$work/out" && break
    kill -0 "$server" 2>/dev/null || { sed 's/^/# /' "$work/log"; echo "Bail out! the server does not start"; exit 1; }
    sleep 0.1
done
url=$(sed -n 's/^imgsearch serves //p' "$work/out")
NODE_PATH=$modules IMS_CHROMIUM=$chromium node "$here/pages.mjs" "$url" "$here/../../demo/2024/car-show/IMG_2000.webp" ${2:+"$2"}
