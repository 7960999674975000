/* Ingest, second part: read a file, hash it, and unless its content is known decode it once into
 * everything that is made from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "engine/ingest.h"

#include <string.h>

static const char *read_failure_word(ims_status st)
{
    switch (st) {
    case IMS_E_NOT_FOUND:
        return "vanished";
    case IMS_E_PERMISSION:
        return "no_permission";
    case IMS_E_LIMIT:
        return "too_large";
    case IMS_E_UNSUPPORTED:
        return "not_a_file";
    case IMS_E_NOMEM:
        return "out_of_memory";
    default:
        return "unreadable";
    }
}

static const char *decode_failure_word(ims_status st)
{
    switch (st) {
    case IMS_E_TRUNCATED:
        return "truncated";
    case IMS_E_UNSUPPORTED:
        return "not_a_picture";
    case IMS_E_LIMIT:
        return "too_large";
    case IMS_E_TIMEOUT:
        return "too_slow";
    case IMS_E_NOMEM:
        return "out_of_memory";
    default:
        return "damaged";
    }
}

/* Reads and hashes. The facts of the file are those of the very bytes that were read. */
static ims_status load(struct ims_ingest *g, struct ims_job *j, struct ims_buf *bytes)
{
    uint64_t start = ims__mono_ns(), cpu = ims__thread_cpu_ns();
    struct ims_file_info info;
    ims_err err;
    ims_status st = ims__read_file(j->path, IMS_MAX_IMAGE_BYTES, bytes, &info, &err);

    if (!st) {
        j->size_bytes = (int64_t)info.size_bytes;
        j->mtime_us = info.mtime_us;
        st = ims__sha256(bytes->data, bytes->len, j->sha256, &err);
        j->has_sha256 = st == IMS_OK;
    }
    if (st)
        ims__job_fail(j, st, read_failure_word(st), &err);
    ims__ingest_count(g, IMS_FIGURE_READ_N, 1, ims__mono_ns() - start);
    g->io.wall_ns += ims__mono_ns() - start;
    g->io.cpu_ns += ims__thread_cpu_ns() - cpu;
    return st;
}

/* A thumbnail that cannot be stored is no reason to lose the picture, except that a full disk will not
 * let anything else through either. */
static ims_status store_thumbnail(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                                  ims_err *err)
{
    char *path = ims__thumbnail_path(g->e->options.data_dir, j->sha256);
    struct ims_file_info known;
    uint8_t *jpeg = NULL;
    size_t n = 0;
    ims_status st = IMS_OK;

    if (!path)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "storing a thumbnail");
    if (ims__stat(path, true, &known, NULL) == IMS_OK && known.size_bytes > 0)
        goto out;
    st = ims_media_thumbnail(g->e->media, image, (int)g->e->options.thumbnail_px, IMS_THUMBNAIL_QUALITY,
                             &jpeg, &n, err);
    if (!st)
        st = ims__write_derived(path, jpeg, n, err);
out:
    ims__free(jpeg);
    ims__free(path);
    return st;
}

static ims_status make_pixels(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                              ims_err *err)
{
    const struct ims_clip_preprocess *p = &g->info->preprocess;

    j->pixels = ims__alloc((size_t)p->width * (size_t)p->height, 3);
    if (!j->pixels)
        return ims_fail(err, IMS_E_NOMEM, "ingest", 0, "memory for model pixels");
    return ims__model_pixels(g->e->media, g->info, image, j->pixels, err);
}

static bool needs_vector(const struct ims_job *j)
{
    return j->is_clip_due && !j->has_vector;
}

static bool needs_faces(const struct ims_job *j)
{
    return j->is_faces_due && !j->faces.is_known;
}

/* Everything that is made from the pixels. Returns what ends the run. */
static ims_status use(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image, ims_err *err)
{
    uint64_t cpu = ims__thread_cpu_ns();
    ims_status st = ims_media_dhash(image, &j->phash, err);

    j->has_phash = st == IMS_OK;
    if (!st && needs_vector(j))
        st = make_pixels(g, j, image, err);
    if (st) {
        ims__job_fail(j, st, decode_failure_word(st), err);
        st = IMS_OK;
    } else if (!g->options->no_thumbnails) {
        st = store_thumbnail(g, j, image, err);
        if (st && st != IMS_E_NO_SPACE && st != IMS_E_PERMISSION) {
            ims__ingest_note(g, j->path, "no_thumbnail", err->text);
            st = IMS_OK;
        }
    }
    ims__ingest_count(g, IMS_FIGURE_DECODE_N, 0, ims__thread_cpu_ns() - cpu);
    g->decode.cpu_ns += ims__thread_cpu_ns() - cpu;
    if (!st && !j->failure && needs_faces(j))
        st = ims__ingest_find_faces(g, j, image, err);
    return st;
}

/* One decode, then everything from its pixels. */
static ims_status decode(struct ims_ingest *g, struct ims_job *j, const struct ims_buf *bytes, ims_err *err)
{
    struct ims_image *image = NULL;
    uint64_t cpu = ims__thread_cpu_ns();
    ims_status st = ims_media_decode(g->e->media, (const uint8_t *)bytes->data, bytes->len, &j->info,
                                     &image, err);

    ims__ingest_count(g, IMS_FIGURE_DECODE_N, 1, ims__thread_cpu_ns() - cpu);
    g->decode.cpu_ns += ims__thread_cpu_ns() - cpu;
    if (st) {
        ims__job_fail(j, st, decode_failure_word(st), err);
        return IMS_OK;
    }
    j->is_decoded = true;
    st = use(g, j, image, err);
    ims_image_unref(image);
    return st;
}

static ims_status look_up_model(struct ims_store *store, const struct ims_job *j, int64_t model_id,
                                struct ims_store_known *out, ims_err *err)
{
    const uint8_t(*sha256)[IMS_SHA256_BYTES] = (const uint8_t(*)[IMS_SHA256_BYTES])&j->sha256;

    return ims_store_find_contents(store, sha256, 1, model_id, out, err);
}

static void note_changed(const struct ims_ingest *g, struct ims_job *j)
{
    ims_err err;

    j->is_clip_due = g->has_clip;
    if (!g->has_clip)
        ims__job_fail(j,
                      ims_fail(&err, IMS_E_CONSTRAINT, "ingest", 0,
                               "the file is another than the one in the library; index its folder"),
                      "changed", &err);
}

/* What is known of these bytes need not be computed. */
static ims_status look_up(struct ims_ingest *g, struct ims_store *store, struct ims_job *j, ims_err *err)
{
    struct ims_store_known known = { 0 };
    ims_status st = IMS_OK;

    if (j->is_faces_due)
        st = look_up_model(store, j, g->e->face_model_id, &known, err);
    if (st)
        return st;
    j->faces.is_known = known.has_vector && !g->redo_faces;
    /* the file changed behind the walk's back: then all that is known of it is out of date */
    if (!j->is_clip_due && known.content_id != j->content_id)
        note_changed(g, j);
    if (j->is_clip_due)
        st = look_up_model(store, j, g->e->model_id, &known, err);
    j->has_vector = j->is_clip_due && !st && known.has_vector;
    j->is_duplicate = !needs_vector(j) && !needs_faces(j);
    return st;
}

/* Where the item goes next; NULL when the run has to end. */
static struct ims_chan *process(struct ims_ingest *g, struct ims_store *store, struct ims_job *j)
{
    struct ims_buf bytes;
    ims_err err;
    ims_status st = IMS_OK;

    ims__buf_init(&bytes, 0);
    j->started_ns = ims__mono_ns();
    if (load(g, j, &bytes) == IMS_OK)
        st = look_up(g, store, j, &err);
    if (!st && !j->failure && !j->is_duplicate)
        st = decode(g, j, &bytes, &err);
    ims__buf_release(&bytes);
    if (st) {
        ims__ingest_fatal(g, st, &err);
        return NULL;
    }
    return !j->failure && (j->pixels || j->faces.n) ? g->to_embed : g->to_write;
}

void ims__ingest_read(void *arg)
{
    struct ims_ingest *g = arg;
    struct ims_store *store = NULL;
    void *item;
    ims_err err;
    ims_status st = ims_store_open(&store, g->e->database, NULL, &err);

    if (st)
        ims__ingest_fatal(g, st, &err);
    while (ims__chan_pop(g->to_read, &item)) {
        struct ims_job *j = item;
        struct ims_chan *next = ims__ingest_is_ending(g) ? NULL : process(g, store, j);

        if (next == g->to_embed)
            ims__ingest_take_room(g, j);
        else
            g->coming--;
        if (!next || !ims__chan_push(next, j))
            ims__job_free(j);
    }
    ims_store_close(store);
    if (--g->readers_left == 0)
        ims__chan_close(g->to_embed);
}
