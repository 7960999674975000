/* Bringing rows into a segment and coding them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/fill.h"

#include "vectors/embedded/cells.h"
#include "vectors/embedded/index_dir.h"

#define WORTH_A_THREAD 1024 /* rows: half of them take longer than a thread to start */
#define CELLS_WORTH_A_THREAD 16

/* What one of two threads does. */
struct share {
    struct ims_fill fill; /* its slots of it; its cells */
    const struct ims_rotation *rotation;
    float *room;
    enum { FILL, SUM_UP, CELLS } work;
    bool is_sound;
};

static float larger(float a, float b)
{
    return a > b ? a : b;
}

static void take_row(struct share *s, uint32_t slot)
{
    const struct ims_fill *f = &s->fill;

    if (f->rows && slot >= f->first_new)
        ims__segment_put_row(f->segment, slot, f->rows[slot - f->first_new]);
    else if (f->file)
        s->is_sound = s->is_sound && ims__segment_take(f->segment, slot, f->file);
}

/* A block at a time, so that a row comes from memory once. */
static void fill_share(struct share *s)
{
    struct ims_fill *f = &s->fill;

    s->is_sound = true;
    for (uint32_t at = f->from, end; at < f->until && s->is_sound; at = end) {
        end = at + IMS_CODE_BLOCK < f->until ? at + IMS_CODE_BLOCK : f->until;
        for (uint32_t slot = at; slot < end; slot++)
            take_row(s, slot);
        if (f->segment->epoch)
            ims__segment_encode(f->segment, s->rotation, at, end, s->room, &f->spreads);
    }
}

static void do_share(void *arg)
{
    struct share *s = arg;

    struct ims_fill *f = &s->fill;

    if (s->work == SUM_UP)
        ims__segment_sum_up(f->segment, f->from, f->until, s->room);
    else if (s->work == CELLS)
        ims__cells_encode(f->segment, f->from, f->until, s->room, &f->spreads.spread);
    else
        fill_share(s);
}

/* Cuts the work at slot `half` between this thread and another, where that pays. */
static void share_out(struct ims_embedded *e, struct share *all, uint32_t half)
{
    struct share other = *all;
    struct ims_thread thread = { 0 };

    other.fill.from = half;
    other.room = e->room + 2 * (size_t)e->dim;
    if (all->fill.until - all->fill.from < (all->work == CELLS ? CELLS_WORTH_A_THREAD : WORTH_A_THREAD) ||
        ims__thread_start(&thread, "ims-encode", do_share, &other, NULL)) {
        do_share(all);
        return;
    }
    all->fill.until = half;
    do_share(all);
    ims__thread_join(&thread);
    all->fill.spreads.spread = larger(all->fill.spreads.spread, other.fill.spreads.spread);
    all->fill.spreads.byte_scale = larger(all->fill.spreads.byte_scale, other.fill.spreads.byte_scale);
    all->fill.spreads.length = larger(all->fill.spreads.length, other.fill.spreads.length);
    all->is_sound = all->is_sound && other.is_sound;
}

static uint32_t half_of(uint32_t from, uint32_t until, uint32_t unit)
{
    return from + (until - from) / 2 / unit * unit;
}

ims_status ims__embedded_fill(struct ims_embedded *e, struct ims_fill *fill, ims_err *err)
{
    struct share all = { .fill = *fill, .rotation = &e->rotation, .room = e->room };

    share_out(e, &all, half_of(fill->from, fill->until, IMS_CODE_BLOCK));
    fill->spreads = all.fill.spreads;
    return all.is_sound ? IMS_OK : ims__rows_corrupt(fill->file->number, err);
}

void ims__embedded_encode(struct ims_embedded *e, struct ims_segment *s, uint32_t from, uint32_t until,
                          struct ims_spreads *spreads)
{
    struct share all = { .fill = { .segment = s, .from = from, .until = until, .spreads = *spreads },
                         .rotation = &e->rotation,
                         .room = e->room };

    share_out(e, &all, half_of(from, until, IMS_CODE_BLOCK));
    *spreads = all.fill.spreads;
}

void ims__embedded_sum_up(struct ims_embedded *e, struct ims_segment *s, uint32_t n_coded)
{
    struct share all = { .fill = { .segment = s, .until = n_coded }, .room = e->room, .work = SUM_UP };

    share_out(e, &all, half_of(0, n_coded, IMS_UNIT_SLOTS));
}

void ims__embedded_encode_cells(struct ims_embedded *e, struct ims_segment *s, struct ims_spreads *spreads)
{
    struct share all = { .fill = { .segment = s, .until = s->n_cells, .spreads = *spreads }, .room = e->room, .work = CELLS };

    all.fill.spreads.spread = 0;
    share_out(e, &all, half_of(0, s->n_cells, 1));
    *spreads = all.fill.spreads;
}
