#!/bin/sh
# Every defect of the service before is impossible for a reason or has its test.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

has_all_rows()
{
    "$root/tools/check_defects"
}

# A table with a row without anything, one whose file has no such test, and a test without a row.
sees_gaps()
{
    mkdir -p "$work/tree/tools" "$work/tree/docs/notes" "$work/tree/tests"
    cp "$root/tools/check_defects" "$work/tree/tools/"
    printf '| D-A1 | |\n| D-A2 | `t.c` |\n| D-A3 | impossible: so |\n| D-A4 | `t.c` |\n' >"$work/tree/docs/notes/upstream-defects.md"
    printf 'TEST(a, "D-A4, D-A5: it is so")\nTEST(b,\n     "D-A22: not that one")\n' >"$work/tree/tests/t.c"
    complains 'D-A1 has neither' "$work/tree/tools/check_defects" &&
        complains 't.c has no test of D-A2' "$work/tree/tools/check_defects" &&
        complains 'no row for D-A5' "$work/tree/tools/check_defects" &&
        complains '4 rows, 4 gaps' "$work/tree/tools/check_defects"
}

plan 2
try "every defect has its reason or its test" has_all_rows
try "check_defects sees a row without either, a file without the test, a test without a row" sees_gaps
finish
