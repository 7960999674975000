/* Ingest, at the end: what the run did and where its time went.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "engine/ingest.h"

#include <stdio.h>
#include <string.h>

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void add_faults(struct ims_index_summary *s, const struct ims_pool_info *info)
{
    for (size_t i = 0; i < info->n_slots; i++) {
        const struct ims_pool_slot_info *slot = &info->slots[i];

        s->device_faults += slot->n_faults;
        if (slot->n_faults)
            snprintf(s->device_fault, sizeof(s->device_fault), "%s (%s now): %s", slot->name,
                     ims__health_name(slot->health.state), slot->reason);
    }
}

/* *out_is_isolated: the first device computes in a process whose time is not in ours. */
static void sum_up_devices(const struct ims_ingest *g, struct ims_index_summary *s, bool *out_is_isolated)
{
    struct ims_pool_info *info = ims__zalloc(1, sizeof(*info));

    *out_is_isolated = false;
    if (!info)
        return;
    for (int part = 0; g->has_faces && part < IMS_FACE_N_PARTS; part++) {
        if (ims_pool_describe(ims_face_pool(g->e->faces, (ims_face_part)part), info)) {
            *out_is_isolated = info->slots[0].is_isolated;
            add_faults(s, info);
        }
    }
    if (g->has_clip && ims_pool_describe(ims_clip_pool(g->e->clip, IMS_CLIP_IMAGE), info)) {
        *out_is_isolated = info->slots[0].is_isolated;
        add_faults(s, info);
    }
    ims__free(info);
}

static void sum_up_faces(const struct ims_ingest *g, struct ims_index_summary *s)
{
    const struct ims_ingest_face_times *t = &g->face_times;

    s->total_faces = g->n_faces;
    s->unusable_faces = g->n_unusable_faces;
    s->detect_s = seconds(t->detect_ns);
    s->align_s = seconds(t->align_ns);
    s->recognise_s = seconds(t->recognise_ns);
    s->wait_crops_s = seconds(t->wait_ns);
    memcpy(s->faces_note, g->faces_note, sizeof(s->faces_note));
    if (g->has_faces)
        snprintf(s->face_model, sizeof(s->face_model), "%s", ims_face_models_pack(g->e->faces)->name);
}

void ims__ingest_count(struct ims_ingest *g, ims_figure items, uint64_t n, uint64_t ns)
{
    ims__figure_add(g->e, items, n);
    ims__figure_add(g->e, (ims_figure)(items + 1), ns); /* the table has them in pairs */
}

void ims__ingest_sum_up(struct ims_ingest *g, uint64_t start_ns, uint64_t start_cpu_ns,
                        struct ims_index_summary *s)
{
    double cpu_s = seconds(ims__process_cpu_ns() - start_cpu_ns);
    bool is_cpu, is_isolated;

    *s = g->scan;
    s->found = g->found;
    s->unchanged = g->unchanged;
    s->known_failures = g->known_failures;
    s->duplicates = g->duplicates;
    s->errors = g->errors;
    s->processed = g->done - g->errors;
    s->moved += g->moved;
    s->is_cancelled = g->stop;
    s->elapsed_s = seconds(ims__mono_ns() - start_ns);
    s->throughput = s->elapsed_s > 0 ? (double)s->processed / s->elapsed_s : 0;
    s->io_s = seconds(g->io.wall_ns);
    s->decode_s = seconds(g->decode.cpu_ns);
    s->write_s = seconds(g->write.cpu_ns);
    s->cores = g->cores;
    s->batches = g->n_batches;
    s->efficiency = s->elapsed_s > 0 ? cpu_s / (s->elapsed_s * g->cores) : 0;
    s->wait_decode_s = seconds(ims__chan_push_blocked_ns(g->to_embed));
    s->wait_compute_s = seconds(ims__chan_pop_blocked_ns(g->to_embed));
    ims__figure_add(g->e, IMS_FIGURE_WAIT_DECODE_NS, ims__chan_push_blocked_ns(g->to_embed));
    ims__figure_add(g->e, IMS_FIGURE_WAIT_COMPUTE_NS, ims__chan_pop_blocked_ns(g->to_embed));
    ims__figure_add(g->e, IMS_FIGURE_WAIT_CROPS_NS, g->face_times.wait_ns);
    s->peak_rss_bytes = ims__peak_rss_bytes();
    memcpy(s->device, g->e->used.device, sizeof(s->device));
    memcpy(s->provider, g->e->used.provider, sizeof(s->provider));
    sum_up_faces(g, s);
    sum_up_devices(g, s, &is_isolated);
    /* The runtime's own threads are not ours to time: on the CPU, what nobody else used is theirs. */
    is_cpu = strncmp(s->device, "cpu", 3) == 0 && !is_isolated;
    s->compute_s = is_cpu ? cpu_s - s->decode_s - s->write_s - seconds(g->io.cpu_ns + g->walk.cpu_ns)
                          : seconds(g->embed.wall_ns + g->face_times.detect_ns);
    if (s->compute_s < 0)
        s->compute_s = 0;
}
