#!/bin/sh
# tools/count_tap.awk counts what ran, and nothing that went wrong gets past it.
# SPDX-License-Identifier: Apache-2.0
. "$(dirname "$0")/tap.sh"

# counts EXPECTED: the counts for the ctest output on standard input are "passed failed skipped"
counts()
{
    : >"$work/counts"
    awk -v counts="$work/counts" -f "$root/tools/count_tap.awk" >"$work/report"
    got=$(cat "$work/counts")
    if [ "$got" != "$1" ]; then
        echo "counted $got, expected $1"
        cat "$work/report"
        return 1
    fi
}

counts_passes_and_skips()
{
    counts '3 0 1' <<'END' && grep -q 'skipped 1: no avx512 here' "$work/report"
test 1
      Start  1: base_mem

1: Test command: /x/test_base_mem
1: 1..2
1: ok 1 - memory is zeroed
1: ok 2 - sizes do not overflow
 1/2 Test  #1: base_mem ....................   Passed    0.01 sec
      Start 2: kernels
2: 1..2
2: ok 1 - generic
2: ok 2 - avx512 equals generic # SKIP no avx512 here
 2/2 Test #2: kernels ......................   Passed    0.01 sec
END
}

counts_interleaved_programs()
{
    counts '2 1 0' <<'END' && grep -q 'x.c:3: not true: a' "$work/report"
      Start 1: one
      Start 2: two
1: 1..2
2: 1..1
1: ok 1 - first
2: # x.c:3: not true: a
2: ok    settings   understood
2: not ok, says the program under test
2: 1..9 is a range
2: not ok 1 - second
1: ok 2 - third
 1/2 Test #2: two ...***Failed    0.01 sec
 2/2 Test #1: one ...   Passed    0.01 sec
END
}

counts_crash_in_the_middle()
{
    counts '1 2 0' <<'END' && grep -q '2 of 3 tests not run' "$work/report"
      Start 1: one
1: 1..3
1: ok 1 - first
1/1 Test #1: one ...***Exception: SegFault  0.01 sec
END
}

counts_crash_before_the_plan()
{
    counts '0 1 0' <<'END'
      Start 1: one
1/1 Test #1: one ...***Exception: SegFault  0.01 sec
END
}

counts_bad_end_after_the_last_test()
{
    counts '1 1 0' <<'END'
      Start 1: one
1: 1..1
1: ok 1 - first
1: ==77==ERROR: LeakSanitizer: detected memory leaks
1/1 Test #1: one ...***Failed    0.01 sec
END
}

counts_silent_success_as_failure()
{
    counts '0 1 0' <<'END' && grep -q 'printed no plan' "$work/report"
      Start 1: one
1/1 Test #1: one ...   Passed    0.01 sec
END
}

counts_what_could_not_run()
{
    counts '0 2 0' <<'END'
      Start 1: one
Could not find executable /x/test_one
1/2 Test #1: one ...***Not Run   0.00 sec
      Start 2: two
2: 1..1
END
}

counts_nothing_as_failure()
{
    counts '0 1 0' </dev/null && counts '0 1 0' <<'END'
No tests were found!!!
END
}

counts_whole_program_skipped()
{
    counts '0 0 2' <<'END' && grep -q 'skipped 1: no qemu' "$work/report"
      Start 1: neon
1: 1..0 # SKIP no qemu
1/2 Test #1: neon ...   Passed    0.00 sec
      Start 2: webgpu
2: 1..0 # SKIP no Vulkan
2/2 Test #2: webgpu ...***Skipped   0.00 sec
END
}

counts_skip_without_reason()
{
    counts '0 1 0' <<'END'
      Start 1: webgpu
1/1 Test #1: webgpu ...***Skipped   0.00 sec
END
}

counts_several_plans()
{
    counts '3 0 0' <<'END' && counts '2 1 0' <<'END2'
      Start 1: kernels_arm64
1: 1..2
1: ok 1 - a
1: ok 2 - b
1: 1..1
1: ok 1 - c
1/1 Test #1: kernels_arm64 ...   Passed    0.00 sec
END
      Start 1: kernels_arm64
1: 1..2
1: ok 1 - a
1: ok 2 - b
1: 1..1
1/1 Test #1: kernels_arm64 ...   Passed    0.00 sec
END2
}

plan 11
try "passed and skipped tests are counted, with the reason of a skip" counts_passes_and_skips
try "output of programs that ran side by side is told apart" counts_interleaved_programs
try "tests that a crash prevented count as failed" counts_crash_in_the_middle
try "a program that dies before its plan counts as failed" counts_crash_before_the_plan
try "a leak found at the end counts as failed" counts_bad_end_after_the_last_test
try "a program that says nothing counts as failed" counts_silent_success_as_failure
try "programs that are missing or never end count as failed" counts_what_could_not_run
try "a run without any test counts as failed" counts_nothing_as_failure
try "a program skipped as a whole counts as skipped" counts_whole_program_skipped
try "a program skipped without saying so counts as failed" counts_skip_without_reason
try "a program that runs others may print several plans" counts_several_plans
finish
