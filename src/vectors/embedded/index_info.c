/* What there is to say about an index.
 * SPDX-License-Identifier: Apache-2.0 */
#include "vectors/embedded/persist.h"

#include "base/mem.h"

static void add_view(const struct ims_view *v, struct ims_vectors_info *out)
{
    const struct ims_segment *s = v->segment;
    uint64_t means = s->parts ? (uint64_t)(ims__n_parts(v->n_coded) + s->n_cells) * (s->byte_stride + sizeof(struct ims_part)) : 0;
    uint64_t codes = (uint64_t)v->n_coded * (s->n_bytes + 2 * sizeof(float)) + means;
    uint64_t bytes = (uint64_t)v->n_coded * (s->byte_stride + sizeof(float));
    uint64_t rows = (uint64_t)v->n_rows * s->row_stride;
    uint64_t ids = (uint64_t)v->n_rows * (sizeof(int64_t) + (v->is_sealed ? sizeof(uint16_t) : 0));

    out->n_dead += v->dead ? v->dead->n : 0;
    out->n_coded += v->n_coded;
    out->n_sealed += v->is_sealed;
    out->n_mapped += s->code_map.data != NULL;
    out->n_ordered += v->level > 0;
    out->n_read_whole += v->level > 0 && v->is_read_whole;
    out->n_stale += ims__view_is_stale(v);
    out->code_bytes += codes;
    out->byte_bytes += bytes;
    out->row_bytes += rows;
    out->id_bytes += ids;
    if (!s->code_map.data)
        out->memory_bytes += codes + bytes + ids + (s->row_map.data ? 0 : rows);
    if (v->dead)
        out->memory_bytes += sizeof(*v->dead);
}

static size_t count_epochs(const struct ims_snapshot *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_views; i++) {
        bool is_new = s->views[i].epoch != NULL;

        for (size_t before = 0; is_new && before < i; before++)
            is_new = s->views[before].epoch != s->views[i].epoch;
        n += is_new;
    }
    return n;
}

static void add_files(struct ims_embedded *e, struct ims_vectors_info *out)
{
    static const char *const kinds[] = { "rows", "codes" };
    struct ims_file_info file;
    char *path = ims__path_join(e->dir, "manifest");

    if (path && ims__stat(path, true, &file, NULL) == IMS_OK)
        out->disk_bytes += file.size_bytes;
    ims__free(path);
    for (size_t i = 0; i < 2 * e->n_saved; i++) {
        path = ims__segment_path(e->dir, kinds[i % 2], e->saved[i / 2].number);
        if (path && ims__stat(path, true, &file, NULL) == IMS_OK)
            out->disk_bytes += file.size_bytes;
        ims__free(path);
    }
}

void ims__embedded_info(struct ims_embedded *e, struct ims_vectors_info *out)
{
    const struct ims_snapshot *s = atomic_load(&e->snapshots.current);

    out->n_threads = e->passes.n_threads;
    out->miss = e->rules.miss;
    out->n_rows = s->n_live;
    out->n_segments = s->n_views;
    out->n_epochs = count_epochs(s);
    for (size_t i = 0; i < s->n_views; i++)
        add_view(&s->views[i], out);
    out->generation = s->generation;
    out->saved_generation = e->saved_generation;
    out->seq = e->seq;
    out->is_writer = e->is_writer;
    memcpy(out->note, e->note, sizeof(out->note));
    if (e->dir)
        add_files(e, out);
}
