#!/bin/sh
# The web page in headless Chromium against `imgsearch serve` on the demo library.
#
#   run.sh IMGSEARCH                          the tests
#   run.sh IMGSEARCH --screenshots FOLDER     writes the pictures of the README
#
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
servers=
leave()
{
    # shellcheck disable=SC2086 # numbers
    [ -z "$servers" ] || kill $servers 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap leave EXIT
export XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work"

# serve NAME ARGUMENTS...: the library $data; its address in $url
serve()
{
    name=$1
    shift
    "$binary" --data "$work/$data" serve --port 0 "$@" >"$work/$name.out" 2>"$work/$name.log" &
    server=$!
    servers="$servers $server"
    for _ in $(seq 1200); do
        ! grep -qs serves "$work/$name.out" || break
        kill -0 "$server" 2>/dev/null || {
            sed 's/^/# /' "$work/$name.log"
            echo "Bail out! the server does not start"
            exit 1
        }
        sleep 0.1
    done
    url=$(sed -n 's/^imgsearch serves //p' "$work/$name.out")
}

photos=$work/photos
if [ "${2:-}" = --screenshots ]; then
    photos=${TMPDIR:-/tmp}/photos # is seen in them
    [ ! -e "$photos" ] || { echo "$photos is in the way" >&2; exit 1; }
fi
cp -R "$here/../../demo" "$photos"
"$binary" --data "$work/data" index --quiet "$photos" >"$work/index.log" 2>&1 || true # one picture is broken
"$binary" --data "$work/data" faces cluster >"$work/cluster.log" 2>&1
export IMS_CHECK_REPLIES=1
data=empty
serve empty --no-worker
EMPTY_URL=$url
data=data
LOCKED_TOKEN=a-token-of-this-test-only
IMS_TOKEN=$LOCKED_TOKEN serve locked --no-worker
LOCKED_URL=$url
serve open
export LOCKED_TOKEN LOCKED_URL EMPTY_URL DEMO="$photos" PICTURE="$photos/2024/car-show/IMG_2000.webp" \
    NODE_PATH="$modules" IMS_CHROMIUM="$chromium"
if [ "${2:-}" = --screenshots ]; then
    node "$here/pages.mjs" "$url" "$3"
    rm -rf "$photos"
else
    node "$here/pages.mjs" "$url"
fi
