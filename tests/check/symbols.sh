#!/bin/sh
# The libraries show only ims_ names, and tools/check_symbols sees each kind of violation.
#
#   symbols.sh COMPILER LIBRARY.a...
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

compiler=$1
shift
libraries=$(printf '%s\n' "$@")

keeps_names()
{
    (
        IFS='
'
        # shellcheck disable=SC2086 # one path a line
        "$root/tools/check_symbols" $libraries
    )
}

# A library with the given C text, hidden visibility as in the build.
build_library()
{
    printf '%s\n' "$1" >"$work/planted.c" &&
        "$compiler" -fvisibility=hidden -c "$work/planted.c" -o "$work/planted.o" &&
        rm -f "$work/libims_planted.a" &&
        ar rc "$work/libims_planted.a" "$work/planted.o"
}

accepts_ours()
{
    build_library 'static int x; int ims__a(void) { return x; }
        __attribute__((visibility("default"))) int ims_b(void) { return ims__a(); }' &&
        "$root/tools/check_symbols" "$work/libims_planted.a"
}

sees_foreign_name()
{
    build_library 'int helper(void) { return 1; }' &&
        complains 'helper: a global name begins with ims_' "$root/tools/check_symbols" "$work/libims_planted.a"
}

sees_foreign_data()
{
    build_library 'int counter = 3;' &&
        complains 'counter: a global name begins with ims_' "$root/tools/check_symbols" "$work/libims_planted.a"
}

sees_exported_internal()
{
    build_library '__attribute__((visibility("default"))) int ims__a(void) { return 1; }' &&
        complains 'internal (ims__) but exported' "$root/tools/check_symbols" "$work/libims_planted.a"
}

plan 5
try "the libraries show only names of ours" keeps_names
try "names of ours are accepted" accepts_ours
try "a global function with a foreign name is seen" sees_foreign_name
try "global data with a foreign name is seen" sees_foreign_data
try "an exported internal name is seen" sees_exported_internal
finish
