# Reads `ctest -V` output of TAP programs: prints one line per program, the output of those that failed,
# the reasons of skips; appends "passed failed skipped" to the file named by `counts`.
# A program counts a failure for each `not ok`, each test its plan promised and it did not run, and when
# it ended badly (signal, time limit, exit code, no plan) without a `not ok` that says why.
# SPDX-License-Identifier: Apache-2.0

function settle(id, ended_well, verdict, missing)
{
    if (seen[id]++)
        return
    n_programs++
    missing = (id in plan ? plan[id] : 0) - n_ok[id] - n_bad[id] - n_skip[id]
    if (!(id in plan)) {
        n_bad[id]++
        verdict = verdict " (printed no plan)"
    } else if (missing > 0) {
        n_bad[id] += missing
        verdict = verdict " (" missing " of " plan[id] " tests not run)"
    } else if (missing < 0) {
        n_bad[id]++
        verdict = verdict " (ran more tests than planned)"
    } else if (!ended_well && !n_bad[id]) {
        n_bad[id]++
    }
    passed += n_ok[id]
    failed += n_bad[id]
    skipped += n_skip[id]
    printf "%-4s %-32s %4d ok", n_bad[id] ? "FAIL" : "ok", name[id], n_ok[id]
    if (n_bad[id])
        printf ", %d failed: %s", n_bad[id], verdict
    printf "%s\n", n_skip[id] ? ", " n_skip[id] " skipped" : ""
    if (n_bad[id])
        printf "%s", output[id]
    print_skips(id)
}

function print_skips(id,    key, part)
{
    for (key in n_reason) {
        split(key, part, SUBSEP)
        if (part[1] == id)
            printf "     skipped %d: %s\n", n_reason[key], part[2]
    }
}

function skip(id, text)
{
    n_skip[id]++
    sub(/^.*# *[Ss][Kk][Ii][Pp][^ ]* */, "", text)
    n_reason[id, text == "" ? "(no reason given)" : text]++
}

# "test 12" / "    Start 12: name" open a program
/^ *Start +[0-9]+: / {
    id = $2
    sub(/:$/, "", id)
    name[id] = $3
    next
}

# "12: text" is its output
/^[0-9]+: / {
    id = $1
    sub(/:$/, "", id)
    text = $0
    sub(/^[0-9]+: ?/, "", text)
    if (text !~ /^ok [0-9]/)
        output[id] = output[id] "    " text "\n"
    if (text ~ /^1\.\.[0-9]+( *#.*)?$/) { # a program that runs others prints several plans
        split(text, parts, /\.\.| /)
        plan[id] += parts[2]
        if (parts[2] + 0 == 0 && text ~ /# *[Ss][Kk][Ii][Pp]/) {
            plan[id]++
            skip(id, text)
        }
    } else if (text ~ /^not ok [0-9]/) {
        n_bad[id]++
    } else if (text ~ /^ok [0-9].*# *[Ss][Kk][Ii][Pp]/) {
        skip(id, text)
    } else if (text ~ /^ok [0-9]/) {
        n_ok[id]++
    }
    next
}

# " 3/40 Test #12: name .......   Passed    0.01 sec"
/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
    match($0, /#[0-9]+/)
    id = substr($0, RSTART + 1, RLENGTH - 1)
    if (!(id in name)) {
        text = substr($0, RSTART + RLENGTH + 2)
        split(text, parts, " ")
        name[id] = parts[1]
    }
    verdict = $0
    sub(/^.*[.][.]+/, "", verdict)
    gsub(/^[* ]+| +$/, "", verdict)
    settle(id, $0 ~ / Passed |\*\*\*Skipped /, verdict)
    next
}

/^No tests were found/ {
    print "no tests were found"
    failed++
}

END {
    for (id in name)
        if (!seen[id])
            settle(id, 0, "did not end")
    if (n_programs == 0 && !failed)
        failed++
    print passed + 0, failed + 0, skipped + 0 >> counts
}
