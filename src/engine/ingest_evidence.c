/* Evidence: how a vector came to be, as JSON beside it, in the groups and keys of docs/notes/evidence.md.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/json.h"
#include "engine/ingest.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_EVIDENCE_BYTES 16384

static double rounded(double v, double digits)
{
    return round(v * digits) / digits;
}

static ims_json *image_group(const struct ims_job *j)
{
    ims_json *o = ims__json_new_object();
    char sha256[2 * IMS_SHA256_BYTES + 1];

    (void)ims__json_set(o, "width", ims__json_new_int(j->info.width));
    (void)ims__json_set(o, "height", ims__json_new_int(j->info.height));
    (void)ims__json_set(o, "file_size", ims__json_new_int(j->size_bytes));
    (void)ims__json_set(o, "mime_type", ims__json_new_str(ims_media_format_mime(j->info.format)));
    ims__hex(j->sha256, sizeof(j->sha256), sha256);
    (void)ims__json_set(o, "sha256", ims__json_new_str(sha256));
    return o;
}

static ims_json *embedding_group(const struct ims_ingest *g, const struct ims_job *j)
{
    ims_json *o = ims__json_new_object();
    double square = (double)ims__kernels()->dot_f32(j->vector, j->vector, g->info->dim);
    char name[80];

    (void)ims__json_set(o, "dimension", ims__json_new_int((int64_t)g->info->dim));
    (void)ims__json_set(o, "norm", ims__json_new_num(rounded(sqrt(square), 1e6)));
    (void)ims__json_set(o, "generation_time_ms", ims__json_new_num(rounded(j->embedding_ms, 1e3)));
    (void)ims__json_set(o, "precision", ims__json_new_str(ims_precision_name(g->info->precision)));
    (void)ims__json_set(o, "batch", ims__json_new_int(j->batch));
    (void)ims__json_set(o, "preprocessing",
                        ims__json_new_str(ims__clip_preprocess_name(&g->info->preprocess, name, sizeof(name))));
    return o;
}

void ims__ingest_probe_machine(struct ims_compute *compute, struct ims_ingest_machine *out)
{
    struct ims_device_facts facts;
    struct ims_cuda_facts cuda;

    ims_device_probe(&facts);
    if (ims_compute_cuda(compute, &cuda, NULL) != IMS_OK)
        memset(&cuda, 0, sizeof(cuda));
    *out = (struct ims_ingest_machine){ .has_cuda = cuda.n_devices > 0, .has_mps = facts.is_apple_silicon };
    snprintf(out->platform, sizeof(out->platform), "%s", facts.platform);
    snprintf(out->machine, sizeof(out->machine), "%s", facts.machine);
    snprintf(out->os, sizeof(out->os), "%s", facts.os);
    snprintf(out->processor, sizeof(out->processor), "%s", facts.cpu_model);
    for (size_t i = 0; i < cuda.n_devices; i++)
        memcpy(out->gpu_names[i], cuda.devices[i].name, sizeof(out->gpu_names[i]));
    if (out->has_cuda) {
        snprintf(out->driver_version, sizeof(out->driver_version), "%s", cuda.driver_version);
        snprintf(out->cuda_version, sizeof(out->cuda_version), "%u.%u", cuda.cuda_major, cuda.cuda_minor);
    }
}

/* Where something was computed, and by what. */
struct origin {
    const char *device, *provider, *runtime, *digest;
};

/* Of the device that was used, or of the first. */
static size_t gpu_number(const char *device)
{
    unsigned n = 0;

    return sscanf(device, "cuda:%u", &n) == 1 && n < IMS_MAX_DEVICES ? n : 0;
}

static ims_json *environment_group(const struct ims_ingest *g, const struct origin *from)
{
    const struct ims_ingest_machine *m = &g->machine;
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "python_version", ims__json_new_str("none: imgsearch " IMS_VERSION));
    (void)ims__json_set(o, "pytorch_version", ims__json_new_str(from->runtime));
    (void)ims__json_set(o, "device", ims__json_new_str(from->device));
    (void)ims__json_set(o, "provider", ims__json_new_str(from->provider));
    (void)ims__json_set(o, "cuda_available", ims__json_new_bool(m->has_cuda));
    (void)ims__json_set(o, "mps_available", ims__json_new_bool(m->has_mps));
    (void)ims__json_set(o, "platform", ims__json_new_str(m->platform));
    (void)ims__json_set(o, "machine", ims__json_new_str(m->machine));
    (void)ims__json_set(o, "os", ims__json_new_str(m->os));
    (void)ims__json_set(o, "processor", ims__json_new_str(m->processor));
    if (m->has_cuda) {
        (void)ims__json_set(o, "gpu_name", ims__json_new_str(m->gpu_names[gpu_number(from->device)]));
        (void)ims__json_set(o, "driver_version", ims__json_new_str(m->driver_version));
        (void)ims__json_set(o, "cuda_version", ims__json_new_str(m->cuda_version));
    }
    (void)ims__json_set(o, "model_digest", ims__json_new_str(from->digest));
    return o;
}

static ims_json *timing_group(const struct ims_job *j)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "embedding_time_ms", ims__json_new_num(rounded(j->embedding_ms, 1e3)));
    (void)ims__json_set(o, "total_time_ms", ims__json_new_num(rounded(j->total_ms, 1e3)));
    (void)ims__json_set(o, "overhead_ms", ims__json_new_num(rounded(j->total_ms - j->embedding_ms, 1e3)));
    return o;
}

/* Takes o. NULL without memory. */
static char *as_text(ims_json *o)
{
    struct ims_buf text;
    char *out = NULL;

    ims__buf_init(&text, MAX_EVIDENCE_BYTES);
    if (ims__json_write(o, 0, &text, NULL) == IMS_OK)
        out = ims__buf_take(&text, NULL);
    ims__buf_release(&text);
    ims__json_free(o);
    return out;
}

char *ims__ingest_evidence(const struct ims_ingest *g, const struct ims_job *j)
{
    const struct origin from = { j->device, j->provider, g->e->used.runtime, g->info->digest };
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "image", image_group(j));
    (void)ims__json_set(o, "embedding", embedding_group(g, j));
    (void)ims__json_set(o, "environment", environment_group(g, &from));
    (void)ims__json_set(o, "timing", timing_group(j));
    return as_text(o);
}

static ims_json *faces_group(const struct ims_ingest *g, const struct ims_job *j)
{
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "count", ims__json_new_int((int64_t)j->faces.n));
    (void)ims__json_set(o, "dimension", ims__json_new_int(IMS_FACE_DIM));
    (void)ims__json_set(o, "min_score", ims__json_new_num(g->min_face_score));
    (void)ims__json_set(o, "min_size", ims__json_new_int(g->min_face_px));
    return o;
}

static ims_json *face_timing_group(const struct ims_job *j)
{
    const struct ims_job_faces *f = &j->faces;
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "detection_time_ms", ims__json_new_num(rounded(f->detect_ms, 1e3)));
    (void)ims__json_set(o, "alignment_time_ms", ims__json_new_num(rounded(f->align_ms, 1e3)));
    (void)ims__json_set(o, "embedding_time_ms", ims__json_new_num(rounded(f->recognise_ms, 1e3)));
    return o;
}

char *ims__ingest_face_evidence(const struct ims_ingest *g, const struct ims_job *j, const char *runtime)
{
    const struct origin from = { j->faces.device, j->faces.provider, runtime, g->e->face_pack->digest };
    ims_json *o = ims__json_new_object();

    (void)ims__json_set(o, "image", image_group(j));
    (void)ims__json_set(o, "faces", faces_group(g, j));
    (void)ims__json_set(o, "environment", environment_group(g, &from));
    (void)ims__json_set(o, "timing", face_timing_group(j));
    return as_text(o);
}
