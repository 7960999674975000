/* The search for a batch size, on devices whose cost is known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/pool_batch.h"
#include "harness/test.h"

/* Nanoseconds of a batch: a price for being asked, one for each row, and another for each row that
 * is more than the device can do at once. */
struct device {
    double call, row, crowd;
    size_t room;
    size_t memory; /* 0 = enough */
};

static const struct device best_at_4 = { 100e3, 10e3, 60e3, 4, 0 };
static const struct device best_at_16 = { 100e3, 5e3, 40e3, 16, 0 };
static const struct device small_memory = { 100e3, 5e3, 0, 1000, 8 };
static const struct device no_gain = { 0, 10e3, 0, 1000, 0 };
/* Rates rise, fall a little at 4, and rise on to 16. */
static const struct device with_a_step = { 60e3, 30e3, 0, 1000, 0 };

static double cost(const struct device *d, size_t n)
{
    double ns = d->call + d->row * (double)n;

    if (n > d->room)
        ns += d->crowd * (double)(n - d->room);
    if (d == &with_a_step && n == 4)
        ns *= 1.35;
    return ns;
}

/* Disturbance makes a batch slower: each by up to 20 %, and now and then one, or two in turn, four
 * times. state: of a generator; 0 = none. */
struct noise {
    uint32_t state;
    unsigned n_slow;
};

static double disturb(struct noise *n)
{
    if (!n->state)
        return 1;
    n->state = n->state * 1664525u + 1013904223u;
    n->n_slow = n->n_slow < 2 && n->state >> 30 == 0 ? n->n_slow + 1 : 0;
    return (1 + 0.2 * (double)(n->state >> 8 & 0xffff) / 65536) * (n->n_slow ? 4 : 1);
}

/* Batches until the search has ended, or max of them; how many rows were computed. */
static size_t run(struct ims_batch_plan *p, const struct device *d, uint32_t seed, unsigned max)
{
    struct noise noise = { .state = seed };
    size_t n_rows = 0;

    for (unsigned i = 0; i < max && !p->is_settled; i++) {
        if (d->memory && p->rows > d->memory) {
            CHECK_SOFT(ims__batch_halve(p, p->rows));
            continue;
        }
        n_rows += p->rows;
        (void)ims__batch_note(p, p->rows, (uint64_t)(cost(d, p->rows) * disturb(&noise)));
    }
    CHECK_SOFT(p->is_settled);
    return n_rows;
}

static size_t search(const struct device *d, size_t limit, uint32_t seed)
{
    struct ims_batch_plan p;
    size_t n_rows;

    ims__batch_begin(&p, limit);
    CHECK_SOFT(p.rows == 1);
    n_rows = run(&p, d, seed, 1000);
    CHECK_SOFT(n_rows <= 8 * limit);
    CHECK_SOFT(p.rows == p.best);
    CHECK_SOFT(p.rows <= p.limit);
    return p.rows;
}

TEST(sizes, "each device gets the size that is best on it")
{
    CHECK_INT(search(&best_at_4, 64, 0), 4);
    CHECK_INT(search(&best_at_16, 64, 0), 16);
    CHECK_INT(search(&small_memory, 64, 0), 8);
    CHECK_INT(search(&no_gain, 64, 0), 1);
    CHECK_INT(search(&with_a_step, 16, 0), 16);
}

TEST(limits, "nothing goes beyond the limit, and a limit that is no power of two is tried itself")
{
    CHECK_INT(search(&best_at_16, 8, 0), 8);
    CHECK_INT(search(&best_at_16, 12, 0), 12);
    CHECK_INT(search(&best_at_4, 3, 0), 3);
    CHECK_INT(search(&best_at_16, 1, 0), 1);
}

TEST(disturbed, "batches that others slow down do not mislead it")
{
    for (uint32_t seed = 1; seed <= 500; seed++) {
        CHECK_INT(search(&best_at_4, 64, seed), 4);
        CHECK_INT(search(&best_at_16, 64, seed), 16);
        CHECK_INT(search(&small_memory, 64, seed), 8);
    }
}

TEST(others, "batches of another size say nothing")
{
    struct ims_batch_plan p;

    ims__batch_begin(&p, 16);
    for (unsigned i = 0; i < 100; i++)
        CHECK(!ims__batch_note(&p, 5, 1000));
    CHECK_INT(p.rows, 1);
    CHECK_INT(p.n_tried, 0);
    CHECK(!ims__batch_note(&p, 1, 0)); /* a clock that stood still */
    CHECK_INT(p.n_tried, 0);
}

/* Batches at the settled size. */
static void go_on(struct ims_batch_plan *p, const struct device *d, double times, unsigned n)
{
    for (unsigned i = 0; i < n && p->is_settled; i++)
        CHECK(!ims__batch_note(p, p->rows, (uint64_t)(cost(d, p->rows) * times)));
}

TEST(slower, "a device that becomes another is measured again, one that stumbles is not")
{
    struct ims_batch_plan p;

    ims__batch_begin(&p, 64);
    (void)run(&p, &best_at_16, 0, 1000);
    for (unsigned i = 0; i < 50; i++) { /* three slow batches, then a usual one */
        go_on(&p, &best_at_16, 3, 3);
        go_on(&p, &best_at_16, 1.1, 1);
    }
    CHECK(p.is_settled);
    go_on(&p, &best_at_4, 1, 1000); /* much slower with 16 at a time */
    CHECK(!p.is_settled);
    (void)run(&p, &best_at_4, 0, 1000);
    CHECK_INT(p.rows, 4);
    go_on(&p, &best_at_4, 1, 1000);
    CHECK(p.is_settled);
    go_on(&p, &best_at_16, 0.2, 1000); /* and well again */
    CHECK(!p.is_settled);
    (void)run(&p, &best_at_16, 0, 1000);
    CHECK_INT(p.rows, 16);
}

TEST(memory, "less memory than before halves what was found, for good")
{
    struct ims_batch_plan p;

    ims__batch_begin(&p, 64);
    (void)run(&p, &best_at_16, 0, 1000);
    CHECK(ims__batch_halve(&p, 16));
    CHECK_INT(p.rows, 8);
    CHECK(p.is_settled);
    CHECK(!ims__batch_halve(&p, 16)); /* another thread's batch, from before */
    CHECK_INT(p.rows, 8);
    CHECK(ims__batch_halve(&p, 8));
    CHECK(!ims__batch_halve(&p, 16));
    CHECK_INT(p.limit, 4);
    CHECK(ims__batch_halve(&p, 4));
    CHECK(ims__batch_halve(&p, 2));
    CHECK_INT(p.rows, 1);
    CHECK(!ims__batch_halve(&p, 1));
    CHECK_INT(p.rows, 1);
}

TEST(part, "a part of a batch that does not fit takes nothing away that is known to")
{
    struct ims_batch_plan p;

    ims__batch_begin(&p, 64);
    while (p.rows < 16)
        (void)ims__batch_note(&p, p.rows, (uint64_t)cost(&small_memory, p.rows));
    CHECK_INT(p.best, 8);
    CHECK(ims__batch_halve(&p, 10)); /* the end of a run */
    CHECK(p.is_settled);
    CHECK_INT(p.rows, 8);
    CHECK(p.best_rate > 0);
    CHECK(ims__batch_halve(&p, 6)); /* memory is short by now */
    CHECK_INT(p.rows, 3);
}

TEST(kept, "what was found before is taken as it is, and checked by going on")
{
    struct ims_batch_plan p;

    ims__batch_begin(&p, 64);
    ims__batch_resume(&p, 16, 16e9 / cost(&best_at_16, 16));
    CHECK(p.is_settled);
    CHECK_INT(p.rows, 16);
    go_on(&p, &best_at_16, 1, 1000);
    CHECK(p.is_settled);
    go_on(&p, &best_at_16, 4, 1000); /* it is another machine today */
    CHECK(!p.is_settled);
    ims__batch_begin(&p, 8);
    ims__batch_resume(&p, 16, 1);
    CHECK_INT(p.rows, 8);
    CHECK(p.is_settled);
    go_on(&p, &best_at_16, 1, 1000);
    CHECK(p.is_settled);
    ims__batch_begin(&p, 8);
    ims__batch_resume(&p, 0, 0);
    CHECK(!p.is_settled);
}

TEST(fixed, "a device that may not be tried gets the limit")
{
    struct ims_batch_plan p;

    ims__batch_fix(&p, 16);
    CHECK_INT(p.rows, 16);
    go_on(&p, &best_at_4, 1, 100);
    go_on(&p, &best_at_4, 9, 100);
    CHECK_INT(p.rows, 16);
    ims__batch_resume(&p, 4, 1);
    CHECK_INT(p.rows, 16);
    CHECK(!ims__batch_halve(&p, 16));
    CHECK_INT(p.rows, 8);
    ims__batch_limit(&p, 1);
    CHECK_INT(p.rows, 1);
}

TEST_MAIN
