#!/bin/sh
# Compiles the kernels and their tests for arm64, statically, and runs them under qemu-user.
#
#   run_neon.sh SOURCE_DIR WORK_DIR TEST_FILE...
#
# Exit 77 (ctest: skipped) names the tool that is missing.
# SPDX-License-Identifier: Apache-2.0
set -eu

source_dir=$1
work_dir=$2
shift 2
cc=${IMS_ARM64_CC:-aarch64-linux-gnu-gcc}
qemu=${IMS_ARM64_RUN:-qemu-aarch64-static}

for tool in "$cc" "$qemu"; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "SKIP: $tool is not installed, so NEON is not tested here"
        exit 77
    fi
done

mkdir -p "$work_dir"
cd "$source_dir"
kernels="src/kernels/kernels.c src/kernels/generic.c src/kernels/generic_codes.c src/kernels/generic_resample.c
    src/kernels/generic_tiles.c
    src/kernels/resample.c src/kernels/resample_axis.c src/kernels/arm/*.c"
base="src/base/status.c src/base/mem.c src/base/mem_large_linux.c"
for test_file in "$@"; do
    program=$work_dir/$(basename "$test_file" .c)
    # shellcheck disable=SC2086 # the lists are meant to be split
    "$cc" -std=c17 -O2 -static -ffp-contract=off -fno-math-errno -Wall -Wextra -Wno-format-truncation -Werror \
        -D_POSIX_C_SOURCE=200809L -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -DIMS_KERNELS_ARM \
        -Iinclude -Isrc -Itests -Itests/kernels \
        $kernels $base tests/harness/test.c tests/kernels/fence.c "$test_file" \
        -lm -lpthread -o "$program"
    echo "# $(basename "$program") for arm64"
    "$qemu" "$program"
done
