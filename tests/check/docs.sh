#!/bin/sh
# The documents say what the code has, and tools/check_docs sees what they leave out.
#
#   docs.sh [IMGSEARCH]
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

binary=${1:-}

documents_are_complete()
{
    "$root/tools/check_docs" ${binary:+--binary "$binary"} "$root"
}

# Headers, settings and documents; without links, which lead to what is not copied.
copy_tree()
{
    rm -rf "$work/tree"
    mkdir -p "$work/tree/src" "$work/tree/docs" &&
        cp -R "$root/include" "$work/tree/" &&
        cp -R "$root/src/base" "$work/tree/src/" || return 1
    for page in "$root"/docs/*.md; do
        sed 's/]([^)]*)/]/g' "$page" >"$work/tree/docs/${page##*/}" || return 1
    done
}

copy_is_complete()
{
    copy_tree && "$root/tools/check_docs" "$work/tree"
}

# edit FILE SCRIPT: sed without -i, which differs between systems
edit()
{
    sed "$2" "$work/tree/$1" >"$work/edited" && ! cmp -s "$work/edited" "$work/tree/$1" &&
        cp "$work/edited" "$work/tree/$1"
}

sees_new_status()
{
    copy_tree && edit include/ims/status.h 's/"input or output failed"/"the disk is sad"/' &&
        complains 'the table "statuses" is not what the code says' "$root/tools/check_docs" "$work/tree"
}

sees_new_setting()
{
    copy_tree && edit src/base/config_table.h 's/"IMS_THREADS"/"IMS_FIBRES"/' &&
        complains 'the table "settings" is not what the code says' "$root/tools/check_docs" "$work/tree"
}

sees_unlisted_variable()
{
    copy_tree && echo 'const char *x(void) { return getenv("IMS_SECRET_SWITCH"); }' >"$work/tree/src/base/x.c" &&
        complains '`IMS_SECRET_SWITCH` is read by the code' "$root/tools/check_docs" "$work/tree"
}

sees_uncommented_function()
{
    copy_tree && printf '\nint ims_mystery(void);\n' >>"$work/tree/include/ims/status.h" &&
        complains 'ims_mystery has no comment' "$root/tools/check_docs" "$work/tree"
}

sees_dead_link()
{
    copy_tree && echo 'See [there](nowhere.md).' >>"$work/tree/docs/architecture.md" &&
        complains 'the link to nowhere.md leads nowhere' "$root/tools/check_docs" "$work/tree"
}

sees_missing_document()
{
    copy_tree && rm "$work/tree/docs/errors.md" &&
        complains 'docs/errors.md: missing' "$root/tools/check_docs" "$work/tree"
}

writes_tables()
{
    copy_tree && edit src/base/config_table.h 's/"IMS_THREADS"/"IMS_FIBRES"/' &&
        "$root/tools/check_docs" --write "$work/tree" && grep -q IMS_FIBRES "$work/tree/docs/config.md" &&
        "$root/tools/check_docs" "$work/tree"
}

sees_unlisted_command()
{
    copy_tree && printf '#!/bin/sh\necho "| conquer | takes the world |"\n' >"$work/fake" && chmod +x "$work/fake" &&
        complains 'docs/cli.md' "$root/tools/check_docs" --binary "$work/fake" "$work/tree"
}

plan 10
try "the documents say what the code has" documents_are_complete
try "a copy of the tree passes as it is" copy_is_complete
try "a status with another text is seen" sees_new_status
try "a setting with another name is seen" sees_new_setting
try "an unlisted environment variable is seen" sees_unlisted_variable
try "a public function without a comment is seen" sees_uncommented_function
try "a link that leads nowhere is seen" sees_dead_link
try "a missing document is seen" sees_missing_document
try "a command that docs/cli.md lacks is seen" sees_unlisted_command
try "--write makes the tables anew" writes_tables
finish
