/* The state machine of a device's health, by tables: what happens and what becomes of the device.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_health.h"
#include "harness/test.h"

#include <stdio.h>
#include <string.h>

static const struct ims_health_rules rules = {
    .max_faults = 3,
    .n_probation = 2,
    .n_forget = 4,
    .first_bench_ms = 100,
    .longest_bench_ms = 350,
};

/* g = good batch, F = fault, v = forgiven, t = a tick, + = 50 ms go by. The state after it. */
struct row {
    const char *story;
    ims_health_state state;
    unsigned n_faults;
    uint64_t bench_ms;
};

static const struct row rows[] = {
    { "", IMS_HEALTH_READY, 0, 0 },
    { "ggggg", IMS_HEALTH_READY, 0, 0 },
    { "F", IMS_HEALTH_READY, 1, 0 },
    { "FgF", IMS_HEALTH_READY, 2, 0 },
    { "FF", IMS_HEALTH_READY, 2, 0 },
    { "FFF", IMS_HEALTH_BENCHED, 3, 100 },
    { "FgFgF", IMS_HEALTH_BENCHED, 3, 100 },
    /* old faults are forgotten, and only after n_forget good batches in a row */
    { "FFggggF", IMS_HEALTH_READY, 1, 0 },
    { "FFgggF", IMS_HEALTH_BENCHED, 3, 100 },
    /* time on the bench */
    { "FFF+t", IMS_HEALTH_BENCHED, 3, 100 },
    { "FFF++t", IMS_HEALTH_PROBATION, 3, 100 },
    { "FFF++", IMS_HEALTH_BENCHED, 3, 100 }, /* it is the tick that looks at the clock */
    /* probation */
    { "FFF++tg", IMS_HEALTH_PROBATION, 3, 100 },
    { "FFF++tgg", IMS_HEALTH_READY, 0, 100 },
    { "FFF++tF", IMS_HEALTH_BENCHED, 4, 200 },
    { "FFF++tgF", IMS_HEALTH_BENCHED, 4, 200 },
    { "FFF++tF++t", IMS_HEALTH_BENCHED, 4, 200 },
    { "FFF++tF++++t", IMS_HEALTH_PROBATION, 4, 200 },
    { "FFF++tF++++tF", IMS_HEALTH_BENCHED, 5, 350 }, /* the longest */
    { "FFF++tF++++tF+++++++t", IMS_HEALTH_PROBATION, 5, 350 },
    { "FFF++tF++++tF+++++++tF", IMS_HEALTH_BENCHED, 6, 350 },
    /* ready again, the next bench is still the longer one, until all is forgotten */
    { "FFF++tggFFF", IMS_HEALTH_BENCHED, 3, 200 },
    { "FFF++tgggggg", IMS_HEALTH_READY, 0, 0 },
    { "FFF++tggggggFFF", IMS_HEALTH_BENCHED, 3, 100 },
    /* used from the bench because nothing else was left */
    { "FFFgg", IMS_HEALTH_READY, 0, 100 },
    { "FFFF", IMS_HEALTH_BENCHED, 4, 200 },
    /* forgiven faults never happened */
    { "Fv", IMS_HEALTH_READY, 0, 0 },
    { "FFvF", IMS_HEALTH_READY, 2, 0 },
    { "FFFv", IMS_HEALTH_READY, 2, 0 },
    { "FFFvvv", IMS_HEALTH_READY, 0, 0 },
    { "v", IMS_HEALTH_READY, 0, 0 },
};

static struct ims_health play(const char *story)
{
    struct ims_health h = { .state = IMS_HEALTH_READY };
    uint64_t now = 1000;

    for (; *story; story++) {
        if (*story == '+') {
            now += 50;
            continue;
        }
        h = ims__health_step(h, &rules,
                             *story == 'g'   ? IMS_HEALTH_GOOD
                             : *story == 'F' ? IMS_HEALTH_FAULT
                             : *story == 'v' ? IMS_HEALTH_FORGIVE
                                             : IMS_HEALTH_TICK,
                             now);
    }
    return h;
}

TEST(stories, "a device is benched, tried again and taken back as the table says")
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct ims_health h = play(rows[i].story);

        test_note("%s", rows[i].story);
        CHECK_STR(ims__health_name(h.state), ims__health_name(rows[i].state));
        CHECK_INT(h.n_faults, rows[i].n_faults);
        CHECK_INT(h.bench_ms, rows[i].bench_ms);
    }
}

TEST(every_story, "after any story of eight events a device can become ready by good batches alone")
{
    static const char events[] = "gFvt+";

    for (unsigned code = 0; code < 390625; code++) { /* 5 to the power of 8 */
        char story[16];
        unsigned rest = code;

        for (unsigned i = 0; i < 8; i++, rest /= 5)
            story[i] = events[rest % 5];
        memcpy(story + 8, "ggggg", 6);
        if (play(story).state != IMS_HEALTH_READY)
            test_fail(__FILE__, __LINE__, "%s does not end well", story);
        if (play(story).bench_ms > rules.longest_bench_ms)
            test_fail(__FILE__, __LINE__, "%s sits too long", story);
    }
}

TEST_MAIN
