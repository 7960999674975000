# TAP for shell tests: a test is a sentence and a function that returns 0.
#
#     plan 2
#     try "the tree keeps the layers" keeps_layers
#
# Sourced by the tests of this folder. The output of a function is shown when it fails.
# SPDX-License-Identifier: Apache-2.0
set -u

n_tried=0
n_failed=0
root=${IMS_SOURCE_DIR:-$(cd "$(dirname "$0")/../.." && pwd)}
work=$(mktemp -d "${TMPDIR:-/tmp}/ims-check.XXXXXX") || exit 99
trap 'rm -rf "$work"' EXIT

plan()
{
    echo "1..$1"
}

try()
{
    n_tried=$((n_tried + 1))
    if "$2" >"$work/output" 2>&1; then
        echo "ok $n_tried - $1"
    else
        sed 's/^/# /' "$work/output"
        echo "not ok $n_tried - $1"
        n_failed=$((n_failed + 1))
    fi
}

finish()
{
    [ "$n_failed" = 0 ]
    exit
}

# True when the command fails and its output has the text.
complains()
{
    text=$1
    shift
    if "$@" >"$work/complaint" 2>&1; then
        echo "succeeded: $*"
        return 1
    fi
    if ! grep -qF -- "$text" "$work/complaint"; then
        echo "expected: $text"
        cat "$work/complaint"
        return 1
    fi
}
