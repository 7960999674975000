/* Loading the index from its folder and saving it there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/persist.h"

#include "base/log.h"
#include "base/mem.h"
#include "vectors/embedded/fill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#define PAGE_BYTES 4096 /* none is smaller */

static ims_status no_memory(ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, "vectors", 0, "memory for the vector index");
}

static struct ims_snapshot *present(struct ims_embedded *e)
{
    return atomic_load(&e->snapshots.current);
}

/* ---- what the folder holds ---- */

static struct ims_saved *find_saved(struct ims_embedded *e, uint64_t number)
{
    for (size_t i = 0; i < e->n_saved; i++) {
        if (e->saved[i].number == number)
            return &e->saved[i];
    }
    return NULL;
}

static ims_status note_saved(struct ims_embedded *e, struct ims_saved what, ims_err *err)
{
    struct ims_saved *s = find_saved(e, what.number);

    if (!s) {
        if (!ims__grow((void **)&e->saved, &e->saved_cap, e->n_saved, sizeof(*e->saved), UINT32_MAX))
            return no_memory(err);
        s = &e->saved[e->n_saved++];
    }
    *s = what;
    return IMS_OK;
}

/* ---- loading ---- */

static struct ims_epoch *epoch_of(const struct ims_index_manifest *m, uint64_t number)
{
    for (size_t i = 0; m->dim >= IMS_MIN_CODED_DIM && i < m->n_epochs; i++) {
        if (m->epochs[i]->number == number)
            return m->epochs[i];
    }
    return NULL;
}

/* From its rows, which are checked on the way: one that is not full, or whose codes do not agree with their checksums. */
static ims_status load_rows(struct ims_embedded *e, const struct ims_saved_segment *saved, struct ims_epoch *epoch,
                            struct ims_view *v, ims_err *err)
{
    struct ims_segment *s = NULL, *file = NULL;
    ims_status st = ims__segment_open_rows(e->dir, e->dim, saved, &s, &file, err);
    struct ims_fill fill = { .segment = s, .until = saved->n_rows, .file = file };

    if (st)
        return st;
    s->epoch = epoch;
    if (epoch)
        epoch->refs++;
    st = ims__embedded_fill(e, &fill, err);
    if (!st && saved->is_sealed && !ims__segment_seal(s, saved->n_rows))
        st = no_memory(err);
    ims__segment_unref(file);
    if (st) {
        ims__segment_unref(s);
        return st;
    }
    v->segment = s;
    v->spreads = fill.spreads;
    v->n_coded = epoch ? saved->n_rows - saved->n_rows % IMS_CODE_BLOCK : 0;
    if (epoch && saved->is_sealed)
        ims__embedded_sum_up(e, s, v->n_coded);
    return IMS_OK;
}

static ims_status load_codes(struct ims_embedded *e, const struct ims_saved_segment *saved, struct ims_epoch *epoch,
                             struct ims_view *v, ims_err *err)
{
    ims_status st = ims__segment_map(e->dir, e->dim, saved, false, &v->segment, err);

    if (st)
        return st;
    v->segment->epoch = epoch;
    if (epoch) {
        epoch->refs++;
        v->n_coded = saved->n_rows - saved->n_rows % IMS_CODE_BLOCK;
    }
    v->spreads = saved->spreads;
    v->level = saved->level;
    v->is_read_whole = saved->is_read_whole;
    return IMS_OK;
}

static ims_status load_segment(struct ims_embedded *e, const struct ims_index_manifest *m, size_t i,
                               struct ims_view *out, ims_err *err)
{
    const struct ims_saved_segment *saved = &m->segments[i];
    struct ims_epoch *epoch = epoch_of(m, saved->epoch_number);
    struct ims_view v = { .epoch = epoch, .n_rows = saved->n_rows, .is_sealed = saved->is_sealed };
    bool has_codes = false;
    ims_err why;
    ims_status st = IMS_E_NOT_FOUND;

    if (saved->is_sealed) {
        st = load_codes(e, saved, epoch, &v, &why);
        has_codes = !st;
        if (st && st != IMS_E_NOMEM)
            snprintf(e->note, sizeof(e->note), "%s; made again from rows", why.text);
    }
    if (st && st != IMS_E_NOMEM)
        st = load_rows(e, saved, epoch, &v, err);
    if (st)
        return st == IMS_E_NOMEM ? no_memory(err) : st;
    if (m->dead[i]) {
        v.dead = m->dead[i];
        v.dead->refs++;
    }
    *out = v;
    return note_saved(e, (struct ims_saved){ .number = saved->number, .n_rows = saved->n_rows, .has_codes = has_codes,
                                             .is_durable = true }, err);
}

static ims_status check_manifest(struct ims_embedded *e, const struct ims_index_manifest *m, ims_err *err)
{
    if (m->dim != e->dim)
        return ims_fail(err, IMS_E_CORRUPT, "vectors", 0, "the vector index has %u dimensions, not %u", m->dim,
                        e->dim);
    if (strcmp(m->key, e->key) != 0)
        return ims_fail(err, IMS_E_CORRUPT, "vectors", 0, "the vector index is of another library or model");
    return IMS_OK;
}

static ims_status load_all(struct ims_embedded *e, const struct ims_index_manifest *m, ims_err *err)
{
    struct ims_snapshot *next = ims__snapshot_new(m->n_segments);
    ims_status st = next ? IMS_OK : no_memory(err);
    size_t n = 0;

    for (; !st && n < m->n_segments; n++)
        st = load_segment(e, m, n, &next->views[n], err);
    if (st) {
        if (next) {
            next->n_views = n ? n - 1 : 0;
            if (n && next->views[n - 1].segment) /* loaded, but not noted */
                next->n_views = n;
        }
        ims__snapshot_free(next);
        e->n_saved = 0;
        return st;
    }
    if (m->n_epochs) {
        e->epoch = m->epochs[m->n_epochs - 1];
        e->epoch->refs++;
    }
    e->next_number = m->next_number;
    e->saved_generation = m->generation;
    e->seq = m->seq;
    ims__snapshots_publish(&e->snapshots, next);
    return ims__restore_active_rows(e, err);
}

static void take_lock(struct ims_embedded *e)
{
    char *path = ims__path_join(e->dir, "lock");

    /* Per open file, not per process: two handles of one process must not both write. */
    if (path)
        e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    ims__free(path);
    if (e->lock_fd >= 0)
        e->is_writer = flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0;
}

/* A writer may replace what a reader is just opening: once more then. */
ims_status ims__embedded_load(struct ims_embedded *e, ims_err *err)
{
    struct ims_index_manifest m = { 0 };
    ims_err why;
    ims_status st;

    if (ims__mkdir_p(e->dir, NULL) == IMS_OK)
        take_lock(e);
    for (int i = 0; i < 2; i++) {
        st = ims__index_manifest_read(e->dir, &m, &why);
        if (!st)
            st = check_manifest(e, &m, &why);
        if (!st)
            st = load_all(e, &m, &why);
        ims__index_manifest_release(&m);
        if (!st || st == IMS_E_NOT_FOUND || st == IMS_E_NOMEM)
            break;
    }
    if (st == IMS_E_NOMEM)
        return no_memory(err);
    if (st && st != IMS_E_NOT_FOUND)
        snprintf(e->note, sizeof(e->note), "%s; made again from the library", why.text);
    if (st == IMS_E_NOT_FOUND && e->n_saved)
        e->n_saved = 0;
    return IMS_OK;
}

/* ---- saving ---- */

static ims_status save_segment(struct ims_embedded *e, const struct ims_view *v, bool is_durable, ims_err *err)
{
    const struct ims_segment *s = v->segment;
    const struct ims_saved *before = find_saved(e, s->number);
    struct ims_saved now = before ? *before : (struct ims_saved){ .number = s->number, .is_durable = true };
    uint32_t from = now.n_rows;
    ims_status st = IMS_OK;

    if (from < v->n_rows) {
        st = ims__rows_append(e->dir, s, from, v->n_rows, is_durable, err);
        now.n_rows = v->n_rows;
        now.is_durable = now.is_durable && is_durable;
    }
    if (!st && v->is_sealed && !now.has_codes) {
        st = ims__codes_write(e->dir, s, v->n_rows, is_durable, err);
        now.has_codes = true;
        now.is_durable = now.is_durable && is_durable;
    }
    if (!st && is_durable && !now.is_durable) { /* written by a rebuild, which did not wait for the disk */
        st = ims__segment_sync(e->dir, s->number, err);
        now.is_durable = true;
    }
    return st ? st : note_saved(e, now, err);
}

static struct ims_saved_segment entry_of(const struct ims_view *v)
{
    return (struct ims_saved_segment){ .number = v->segment->number,
                                       .epoch_number = v->epoch ? v->epoch->number : 0,
                                       .n_rows = v->n_rows,
                                       .n_dead = v->dead ? v->dead->n : 0,
                                       .is_sealed = v->is_sealed,
                                       .level = v->level,
                                       .is_read_whole = v->is_read_whole,
                                       .spreads = v->spreads };
}

static void add_epoch(struct ims_index_manifest *m, struct ims_epoch *epoch)
{
    size_t at = m->n_epochs;

    if (!epoch)
        return;
    for (size_t i = 0; i < m->n_epochs; i++) {
        if (m->epochs[i] == epoch)
            return;
    }
    for (; at > 0 && m->epochs[at - 1]->number > epoch->number; at--)
        m->epochs[at] = m->epochs[at - 1];
    m->epochs[at] = epoch;
    epoch->refs++;
    m->n_epochs++;
}

static ims_status write_manifest(struct ims_embedded *e, const struct ims_snapshot *s, int64_t seq, ims_err *err)
{
    struct ims_index_manifest m = { .dim = e->dim,
                              .generation = e->saved_generation + 1,
                              .seq = seq,
                              .next_number = e->next_number };
    ims_status st = IMS_OK;

    memcpy(m.key, e->key, sizeof(m.key));
    m.segments = ims__zalloc(s->n_views, sizeof(*m.segments));
    m.dead = ims__zalloc(s->n_views, sizeof(*m.dead));
    m.epochs = ims__zalloc(s->n_views + 1, sizeof(*m.epochs));
    if (!m.segments || !m.dead || !m.epochs)
        st = no_memory(err);
    for (size_t i = 0; !st && i < s->n_views; i++) {
        m.segments[i] = entry_of(&s->views[i]);
        m.dead[i] = s->views[i].dead;
        if (m.dead[i])
            m.dead[i]->refs++;
        m.n_segments++;
        add_epoch(&m, s->views[i].segment->epoch);
    }
    if (!st)
        add_epoch(&m, e->epoch);
    if (!st)
        st = ims__index_manifest_write(e->dir, &m, err);
    if (!st) {
        e->saved_generation++;
        e->seq = seq;
    }
    ims__index_manifest_release(&m);
    return st;
}

/* A full segment that was just written leaves memory: its files take its place. A failure costs nothing but memory:
 * the segment stays where it is. NULL: it did, or is there already. */
static struct ims_segment *map_view(struct ims_embedded *e, const struct ims_view *v)
{
    struct ims_saved_segment saved = entry_of(v);
    struct ims_segment *mapped = NULL;

    if (!v->is_sealed || v->segment->code_map.data ||
        ims__segment_map(e->dir, e->dim, &saved, false, &mapped, NULL) != IMS_OK)
        return NULL;
    mapped->epoch = v->segment->epoch;
    if (mapped->epoch)
        mapped->epoch->refs++;
    return mapped;
}

static ims_status map_saved(struct ims_embedded *e, ims_err *err)
{
    struct ims_snapshot *now = present(e), *next = ims__snapshot_new(now->n_views);
    bool is_changed = false;

    if (!next)
        return no_memory(err);
    for (size_t i = 0; i < now->n_views; i++) {
        struct ims_view *v = &next->views[i];
        struct ims_segment *mapped = map_view(e, &now->views[i]);

        *v = now->views[i];
        if (v->dead)
            v->dead->refs++;
        if (mapped)
            v->segment = mapped;
        else
            v->segment->refs++;
        is_changed = is_changed || mapped;
    }
    if (is_changed)
        ims__snapshots_publish(&e->snapshots, next);
    else
        ims__snapshot_free(next);
    return IMS_OK;
}

ims_status ims__embedded_spill_view(struct ims_embedded *e, struct ims_view *v, ims_err *err)
{
    struct ims_segment *mapped;
    ims_status st;

    if (!e->is_writer)
        return IMS_OK;
    st = save_segment(e, v, false, err);
    mapped = st ? NULL : map_view(e, v);
    if (mapped) {
        ims__segment_unref(v->segment);
        v->segment = mapped;
    }
    return st;
}

static void sweep(struct ims_embedded *e)
{
    const struct ims_snapshot *s = present(e);
    uint64_t *numbers = ims__alloc(s->n_views, sizeof(*numbers));
    size_t n = 0;

    for (size_t i = 0; numbers && i < s->n_views; i++)
        numbers[i] = s->views[i].segment->number;
    if (numbers)
        ims__index_dir_sweep(e->dir, numbers, s->n_views, e->stage_from, e->stage_until);
    for (size_t i = 0; numbers && i < e->n_saved; i++) {
        for (size_t k = 0; k < s->n_views; k++) {
            if (numbers[k] == e->saved[i].number) {
                e->saved[n++] = e->saved[i];
                break;
            }
        }
    }
    if (numbers)
        e->n_saved = n;
    ims__free(numbers);
}

ims_status ims__embedded_save(struct ims_embedded *e, int64_t seq, ims_err *err)
{
    const struct ims_snapshot *s;
    ims_status st = ims__embedded_tidy(e, err);
    ims_err why;

    if (st)
        return st;
    if (ims__embedded_order(e, &why)) { /* rows stay as they lie, which costs time alone */
        ims__log_err(IMS_LOG_WARN, &why, "putting the vector index in order; searches read all of it until a later save does");
        if (e->is_writer) /* a full disk needs the room */
            sweep(e);
    }
    if (!e->is_writer)
        return IMS_OK;
    s = present(e);
    for (size_t i = 0; !st && i < s->n_views; i++)
        st = save_segment(e, &s->views[i], true, err);
    if (!st)
        st = write_manifest(e, s, seq, err);
    if (!st)
        st = map_saved(e, err);
    if (!st)
        sweep(e);
    return st;
}

/* The memory of a full segment is kept for the next one: fresh pages take longer than all that is done with them. */
static void keep_spare(struct ims_embedded *e, struct ims_segment *s)
{
    if (e->spare || s->n_slots != IMS_SEGMENT_SLOTS)
        return;
    s->refs++;
    e->spare = s;
}

ims_status ims__embedded_spill(struct ims_embedded *e, ims_err *err)
{
    const struct ims_snapshot *s = present(e);
    ims_status st = IMS_OK;

    if (!e->is_writer)
        return IMS_OK;
    for (size_t i = 0; !st && i < s->n_views; i++) {
        if (!s->views[i].is_sealed || s->views[i].segment->code_map.data)
            continue;
        st = save_segment(e, &s->views[i], false, err);
        keep_spare(e, s->views[i].segment);
    }
    return st ? st : map_saved(e, err);
}

ims_status ims__embedded_verify(struct ims_embedded *e, ims_err *err)
{
    unsigned slot;
    const struct ims_snapshot *s = ims__snapshot_take(&e->snapshots, &slot);
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < s->n_views; i++)
        st = ims__segment_verify(s->views[i].segment, s->views[i].n_rows, err);
    ims__snapshot_leave(&e->snapshots, slot);
    return st;
}

void ims__embedded_warm(struct ims_embedded *e)
{
    unsigned slot;
    const struct ims_snapshot *s = ims__snapshot_take(&e->snapshots, &slot);
    volatile int8_t sink = 0;

    for (size_t i = 0; i < s->n_views; i++) {
        const struct ims_segment *g = s->views[i].segment;
        size_t n = g->code_map.data ? (size_t)s->views[i].n_coded * g->byte_stride : 0;

        for (size_t at = 0; at < n; at += PAGE_BYTES)
            sink = g->bytes[at];
    }
    (void)sink;
    ims__snapshot_leave(&e->snapshots, slot);
}

ims_status ims__embedded_clear(struct ims_embedded *e, ims_err *err)
{
    struct ims_snapshot *empty = ims__snapshot_new(0);
    char *path = e->dir ? ims__path_join(e->dir, "manifest") : NULL;

    if (!empty || (e->dir && !path)) {
        ims__free(empty);
        ims__free(path);
        return no_memory(err);
    }
    if (path && e->is_writer)
        (void)unlink(path);
    ims__free(path);
    ims__snapshots_publish(&e->snapshots, empty);
    ims__id_map_clear(&e->active_rows);
    ims__epoch_unref(e->epoch);
    e->epoch = NULL;
    e->seq = 0;
    e->n_saved = 0;
    return IMS_OK;
}

void ims__embedded_leave_dir(struct ims_embedded *e)
{
    if (e->dir && e->lock_fd >= 0)
        close(e->lock_fd);
    ims__free(e->dir);
    ims__free(e->saved);
}
