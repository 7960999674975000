#!/bin/sh
# The tree keeps its layers, and tools/check_layers sees each kind of violation.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

keeps_layers()
{
    "$root/tools/check_layers" "$root"
}

# A small tree with one file that includes what it may not.
plant()
{
    rm -rf "$work/tree"
    mkdir -p "$work/tree/include/ims" "$work/tree/$(dirname "$1")"
    printf '#include <stddef.h>\n#include "ims/status.h"\n' >"$work/tree/include/ims/ok.h"
    printf '#include %s\n' "$2" >"$work/tree/$1"
}

sees()
{
    plant "$1" "$2" && complains "$3" "$root/tools/check_layers" "$work/tree"
}

accepts_what_is_below()
{
    plant src/store/assets.c '"db/db.h"' && "$root/tools/check_layers" "$work/tree"
}

sees_upward()
{
    sees src/base/mem.c '"db/db.h"' 'db is not below it'
}

sees_sibling()
{
    sees src/vectors/vectors.c '"store/store.h"' 'store is not below it' &&
        sees src/people/cluster.c '"models/pack.h"' 'models is not below it'
}

sees_public()
{
    sees include/ims/search.h '"base/buf.h"' 'a public header includes'
}

sees_backend()
{
    sees src/store/assets.c '"db/sqlite/db_sqlite.h"' 'for src/db alone' &&
        sees src/engine/search.c '"vectors/vectors_backend.h"' 'for src/vectors alone'
}

sees_vendor()
{
    sees src/engine/ingest.c '<vips/vips.h>' 'for src/media alone' &&
        sees src/store/assets.c '<sqlite3.h>' 'for src/db alone' &&
        sees src/models/pack.c '<jansson.h>' 'for src/base alone'
}

sees_unknown_header()
{
    sees src/base/hash.c '<bzlib.h>' 'is in no table'
}

sees_linux_only()
{
    sees src/engine/watch.c '<sys/inotify.h>' 'exists on Linux only' || return 1
    plant src/engine/watch_linux.c '<sys/inotify.h>' && "$root/tools/check_layers" "$work/tree"
}

sees_apple_only()
{
    sees src/cli/self.c '<mach-o/dyld.h>' 'exists on macOS only' || return 1
    plant src/cli/self.c '<stdio.h>' &&
        printf '#ifdef __APPLE__\n#include <mach-o/dyld.h>\n#endif\n' >>"$work/tree/src/cli/self.c" &&
        "$root/tools/check_layers" "$work/tree" || return 1
    printf '#include <sys/sysctl.h>\n' >>"$work/tree/src/cli/self.c"
    complains 'exists on macOS only' "$root/tools/check_layers" "$work/tree"
}

sees_unknown_folder()
{
    sees src/misc/util.c '"base/mem.h"' 'is in no layer'
}

sees_nothing_to_check()
{
    mkdir -p "$work/empty/src" "$work/empty/include" &&
        complains 'no source files found' "$root/tools/check_layers" "$work/empty"
}

plan 12
try "the tree keeps its layers" keeps_layers
try "a folder may include what is below it" accepts_what_is_below
try "including what is above is seen" sees_upward
try "including a sibling is seen" sees_sibling
try "a public header that needs a private one is seen" sees_public
try "reaching behind a seam is seen" sees_backend
try "a vendor's header outside its folder is seen" sees_vendor
try "a header that no table knows is seen" sees_unknown_header
try "a Linux header outside a _linux file is seen" sees_linux_only
try "a macOS header is seen unless it is guarded" sees_apple_only
try "a folder without a layer is seen" sees_unknown_folder
try "a tree without sources is an error" sees_nothing_to_check
finish
