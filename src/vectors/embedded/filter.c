/* From ids to slots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/filter.h"

#include "base/mem.h"

#define FEW 64 /* fewer ids than a segment has rows / FEW: each is looked up */
#define MAX_SPREAD 64 /* ids that are no more spread than that, times the index's rows, become a set of bits */
#define LISTED 8 /* no more slots than a segment has / LISTED are listed one by one too */

/* The allowed ids, and where their range is small, a bit for each number in it. */
struct allowed {
    const int64_t *ids;
    size_t n;
    uint64_t *bits; /* NULL: none */
    uint64_t n_bits;
};

static size_t lower_bound(const int64_t *ids, size_t low, size_t high, int64_t id)
{
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (ids[mid] < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static void allow(struct ims_filter_part *p, uint32_t slot)
{
    p->bits[slot / 32] |= 1u << slot % 32;
    p->n_set++;
}

/* Whatever the order of rows is. */
static void test_rows(const struct ims_view *v, const struct allowed *a, struct ims_filter_part *p)
{
    uint64_t first = (uint64_t)a->ids[0];

    for (uint32_t slot = p->n_rows; slot < v->n_rows; slot++) {
        uint64_t i = (uint64_t)v->segment->ids[slot] - first;

        if (i < a->n_bits && (a->bits[i / 64] >> i % 64 & 1))
            allow(p, slot);
    }
}

/* In the order of ids the cursor moves by single steps. */
static void walk_rows(const struct ims_view *v, const int64_t *ids, size_t n, struct ims_filter_part *p)
{
    size_t cursor = 0;

    for (uint32_t slot = p->n_rows; slot < v->n_rows; slot++) {
        int64_t id = v->segment->ids[slot];

        if (cursor > 0 && ids[cursor - 1] >= id)
            cursor = lower_bound(ids, 0, cursor, id);
        for (unsigned steps = 0; cursor < n && ids[cursor] < id; steps++) {
            if (steps < 8)
                cursor++;
            else
                cursor = lower_bound(ids, cursor, n, id);
        }
        if (cursor < n && ids[cursor] == id)
            allow(p, slot);
    }
}

static void look_up_ids(const struct ims_view *v, const int64_t *ids, size_t n, struct ims_filter_part *p)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t slot = ims__segment_find(v->segment, v->n_rows, ids[i]);

        if (slot != IMS_NO_SLOT)
            allow(p, slot);
    }
}

/* A scan then need not look for them among the bits. Without memory for it, it does. */
static void list_few(struct ims_filter_part *p)
{
    uint32_t n = 0;

    if (p->n_set && p->n_set <= IMS_SEGMENT_SLOTS / LISTED)
        p->slots = ims__alloc(p->n_set, sizeof(*p->slots));
    if (!p->slots)
        return;
    for (uint32_t i = 0; i < IMS_SEGMENT_WORDS; i++) {
        if (i % IMS_UNIT_WORDS == 0)
            p->starts[i / IMS_UNIT_WORDS] = (uint16_t)n;
        for (uint32_t word = p->bits[i]; word; word &= word - 1)
            p->slots[n++] = (uint16_t)(i * 32 + (uint32_t)__builtin_ctz(word));
    }
    p->starts[IMS_SEGMENT_SLOTS / IMS_UNIT_SLOTS] = (uint16_t)n;
}

static void fill_part(const struct ims_view *v, const struct allowed *a, struct ims_filter_part *p)
{
    const int64_t *ids = a->ids;
    size_t n = a->n;

    if (v->is_sealed && p->n_rows == 0 && v->n_rows) {
        const struct ims_segment *s = v->segment;
        size_t from = lower_bound(ids, 0, n, s->ids[s->order[0]]);
        size_t until = lower_bound(ids, from, n, s->ids[s->order[v->n_rows - 1]] + 1);

        ids += from;
        n = until - from;
        if (n < v->n_rows / FEW) {
            look_up_ids(v, ids, n, p);
            p->n_rows = v->n_rows;
            return;
        }
    }
    if (a->bits)
        test_rows(v, a, p);
    else
        walk_rows(v, ids, n, p);
    p->n_rows = v->n_rows;
}

static void free_part(struct ims_filter_part *p)
{
    ims__free(p->slots);
    ims__free(p);
}

static struct ims_filter_part *find_former(const struct ims_filter_bits *former, const struct ims_view *v)
{
    for (size_t i = 0; former && i < former->n_views; i++) {
        struct ims_filter_part *p = former->parts[i];

        if (p && p->segment_number == v->segment->number)
            return p;
    }
    return NULL;
}

static bool resolve_view(const struct ims_view *v, const struct allowed *a, const struct ims_filter_bits *former,
                         struct ims_filter_part **out)
{
    struct ims_filter_part *p = find_former(former, v);

    if (p && p->n_rows == v->n_rows) {
        p->refs++;
        *out = p;
        return true;
    }
    p = p ? ims__memdup(p, sizeof(*p)) : ims__zalloc(1, sizeof(*p));
    if (!p)
        return false;
    p->refs = 1;
    p->segment_number = v->segment->number;
    p->slots = NULL; /* the former part's own */
    fill_part(v, a, p);
    list_few(p);
    if (p->n_set)
        *out = p;
    else
        free_part(p);
    return true;
}

/* Without memory for them rows are compared with ids. */
static void set_bits(struct allowed *a, size_t n_rows)
{
    uint64_t n = a->n ? (uint64_t)a->ids[a->n - 1] - (uint64_t)a->ids[0] + 1 : 0;

    if (!n || n / MAX_SPREAD > n_rows || a->n < IMS_SEGMENT_SLOTS / FEW)
        return;
    a->bits = ims__zalloc((size_t)(n / 64 + 1), sizeof(*a->bits));
    a->n_bits = n;
    for (size_t i = 0; a->bits && i < a->n; i++) {
        uint64_t bit = (uint64_t)a->ids[i] - (uint64_t)a->ids[0];

        a->bits[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

struct ims_filter_bits *ims__filter_resolve(const struct ims_snapshot *s, const int64_t *ids, size_t n,
                                            const struct ims_filter_bits *former)
{
    struct ims_filter_bits *f = ims__zalloc(1, sizeof(*f) + s->n_views * sizeof(f->parts[0]));
    struct allowed a = { .ids = ids, .n = n };

    if (!f)
        return NULL;
    set_bits(&a, s->n_live);
    f->refs = 1;
    f->generation = s->generation;
    f->n_views = s->n_views;
    for (size_t i = 0; i < s->n_views; i++) {
        if (!resolve_view(&s->views[i], &a, former, &f->parts[i])) {
            ims__filter_bits_unref(f);
            f = NULL;
            break;
        }
    }
    ims__free(a.bits);
    return f;
}

void ims__filter_bits_unref(struct ims_filter_bits *f)
{
    if (!f || --f->refs)
        return;
    for (size_t i = 0; i < f->n_views; i++) {
        if (f->parts[i] && --f->parts[i]->refs == 0)
            free_part(f->parts[i]);
    }
    ims__free(f);
}
