/* What there is to say about the vector index, and its comparison with the full scan.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"

#include <stdio.h>

#define AUDIT_QUERIES 16
#define AUDIT_HITS 10

void ims__index_fill_info(const struct ims_vectors_info *v, struct ims_index_info *out)
{
    out->dim = v->dim;
    out->vectors = (int64_t)v->n_rows;
    out->dead = (int64_t)v->n_dead;
    out->coded = (int64_t)v->n_coded;
    out->segments = v->n_segments;
    out->full_segments = v->n_sealed;
    out->mapped_segments = v->n_mapped;
    out->ordered_segments = v->n_ordered;
    out->read_whole_segments = v->n_read_whole;
    out->epochs = v->n_epochs;
    out->code_bytes = v->code_bytes;
    out->byte_bytes = v->byte_bytes;
    out->row_bytes = v->row_bytes + v->id_bytes;
    out->memory_bytes = v->memory_bytes;
    out->disk_bytes = v->disk_bytes;
    out->generation = v->saved_generation;
    out->seq = v->seq;
    out->is_writer = v->is_writer;
    out->threads = v->n_threads;
    out->miss = v->miss;
    out->audit_searches = v->audit.n_searches;
    out->audit_audited = v->audit.n_audited;
    out->audit_hits = v->audit.n_hits;
    out->audit_found = v->audit.n_found;
    out->audit_us = v->audit.last_us;
}

/* Vectors of the library as queries, each answered as a search would be and by the full scan. */
static ims_status audit(struct ims_engine *e, ims_err *err)
{
    struct ims_vectors_hit hits[AUDIT_HITS];
    uint32_t dim = ims_clip_info(e->clip)->dim;
    float *vector = ims__alloc(dim, sizeof(float));
    size_t n = ims_vectors_count(e->vectors), n_hits;
    ims_status st = vector ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "auditing the vector index");

    for (size_t i = 0; !st && n && i < AUDIT_QUERIES; i++) {
        struct ims_vectors_query q = { .vector = vector, .k = AUDIT_HITS, .is_audited = true };

        for (uint32_t d = 0; d < dim; d++) /* any direction will do */
            vector[d] = (float)((i * 2654435761u + d * 40503u) % 1009) - 504.0f;
        st = ims_vectors_search(e->vectors, &q, hits, &n_hits, NULL, err);
        if (!st && n_hits) {
            st = ims_vectors_get(e->vectors, hits[i % n_hits].id, vector, err);
            if (!st)
                st = ims_vectors_search(e->vectors, &q, hits, &n_hits, NULL, err);
        }
    }
    ims__free(vector);
    return st;
}

/* The index was emptied. */
static void forget(struct ims_engine *owner)
{
    ims__lock(&owner->sharing);
    owner->vectors_seq = 0;
    owner->is_index_counted = false;
    ims__unlock(&owner->sharing);
}

ims_status ims_engine_index_info(struct ims_engine *e, bool is_thorough, struct ims_index_info *out, ims_err *err)
{
    struct ims_vectors_info v;
    struct ims_index_state state;
    ims_status st = ims__engine_need_model_id(e, false, err);

    *out = (struct ims_index_info){ .is_sound = true };
    if (st)
        return st;
    out->model = ims_clip_info(e->clip)->name;
    if (!e->model_id)
        return IMS_OK;
    st = ims__engine_catch_up(e, err);
    ims_engine_index_state(e, &state);
    out->is_rebuilding = state.is_rebuilding;
    if (st || !e->vectors)
        return st;
    if (is_thorough) {
        st = ims_vectors_verify(e->vectors, err);
        if (st == IMS_E_CORRUPT) { /* named; the next search makes it anew */
            out->is_sound = false;
            snprintf(out->note, sizeof(out->note), "%s", err->text);
            st = ims_vectors_clear(e->vectors, err);
            forget(e->host ? e->host : e);
            if (!st)
                st = ims__engine_catch_up(e, err);
        }
        if (!st)
            st = audit(e, err);
    }
    ims__engine_save_index(e);
    ims_vectors_info(e->vectors, &v);
    if (out->is_sound)
        snprintf(out->note, sizeof(out->note), "%s", v.note);
    ims__index_fill_info(&v, out);
    return st;
}
