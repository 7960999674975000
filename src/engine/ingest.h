/* The ingest pipeline: what its stages share.
 *
 *     scan thread   walks the folders and registers every picture in the store        (the queue is SQL)
 *     feed thread   reads what is queued, page by page                 -> chan to_read
 *     n readers     read, hash; unless the content is known: decode once, perceptual hash, thumbnail,
 *                   model pixels, faces found and cut out              -> chan to_embed (or to_write)
 *     embed thread  batches of pictures, batches of faces of all of them -> chan to_write
 *     write thread  one transaction per batch
 *
 * The caller's thread reports progress. Every queue is bounded, so memory is bounded by configuration.
 * An item that is not committed stays queued in the store, whatever happens to this process.
 *
 * Shutdown runs down the line: a stage that finished closes the queue behind it. After `stop` (cancelled)
 * or a fatal error the readers drop what has not been begun; after a fatal error every stage does.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_INGEST_H
#define IMS_ENGINE_INGEST_H

#include "base/hash.h"
#include "base/limits.h"
#include "base/thread.h"
#include "compute/pool.h"
#include "engine/engine_internal.h"
#include "engine/walk.h"
#include "models/face/face.h"
#include "store/faces.h"

#define IMS_INGEST_MAX_READERS 64

/* Crops of faces that wait for the embed thread, in bytes. One picture may exceed it, when no other waits. */
#define IMS_INGEST_MAX_CROP_BYTES (96 * IMS_MIB)

/* The faces of one picture on its way. What has n elements is NULL while n is 0. */
struct ims_job_faces {
    bool is_known;            /* the content was looked at before */
    struct ims_face *faces;   /* n, best score first */
    size_t n;
    uint8_t *crops[IMS_FACE_N_PARTS]; /* n each, of the parts that the models have; [IMS_FACE_DETECT] is unused */
    struct ims_face_affine *affines;  /* n, of the crops for landmarks */
    size_t crop_bytes;                /* that count for IMS_INGEST_MAX_CROP_BYTES */
    float *vectors;                   /* n * IMS_FACE_DIM */
    struct ims_face_gender_age *ages; /* n, or NULL: not told */
    struct ims_face_shape *shapes;    /* n, or NULL: not told */
    char device[16];                  /* where the detector ran, as read back */
    char provider[48];
    double detect_ms, align_ms, recognise_ms;
    ims_status failure; /* of this part alone; the picture itself is fine */
    const char *reason; /* static */
    char detail[256];
    char *metadata; /* evidence, JSON */
};

/* One picture on its way. Owned by the stage that holds it. */
struct ims_job {
    int64_t asset_id;
    int64_t content_id; /* as stored before this run; 0 = never read */
    int64_t root_id;
    bool is_clip_due, is_faces_due;
    char *path;
    int64_t size_bytes;
    int64_t mtime_us;
    bool has_sha256;
    uint8_t sha256[IMS_SHA256_BYTES];
    bool is_duplicate; /* nothing had to be computed: what is due was known of the content */
    bool has_vector;   /* the content had its vector already */
    bool is_decoded;
    struct ims_media_info info;
    bool has_phash;
    uint64_t phash;
    uint8_t *pixels; /* for the model */
    float *vector;
    struct ims_job_faces faces;
    uint64_t started_ns;
    double embedding_ms;
    unsigned batch; /* pictures that were given to the model together */
    char device[16]; /* where it was computed, as read back */
    char provider[48];
    double total_ms;
    ims_status failure;
    const char *reason; /* static */
    char detail[512];
    char *metadata; /* evidence, JSON */
};

/* Of the machine, for evidence: asked once, not per picture. */
struct ims_ingest_machine {
    char platform[16];
    char machine[16];
    bool has_cuda, has_mps;
    char os[128];
    char processor[128];
    char gpu_names[IMS_MAX_DEVICES][128]; /* by number, as is "cuda:N" */
    char driver_version[32];
    char cuda_version[16];
};

struct ims_stage_time {
    _Atomic uint64_t cpu_ns;
    _Atomic uint64_t wall_ns;
};

/* Wall time, summed over threads. */
struct ims_ingest_face_times {
    _Atomic uint64_t detect_ns; /* in the detector, waiting for the device included */
    _Atomic uint64_t align_ns;  /* cutting out */
    _Atomic uint64_t recognise_ns;
    _Atomic uint64_t wait_ns; /* readers waiting for room for crops */
};

struct ims_ingest {
    struct ims_engine *e;
    const struct ims_index_options *options;
    const struct ims_clip_info *info; /* NULL unless has_clip */
    unsigned cores;
    unsigned n_readers;
    char **dirs; /* real paths */
    size_t n_dirs;
    char **folders; /* looked into, not below */
    size_t n_folders;
    struct ims_walk_filter filter;
    struct ims_arena ignored; /* of the filter */
    double min_face_score;
    unsigned min_face_px;
    uint64_t until_ns; /* the walk stops then; 0 = when it is done */
    int64_t category_id;
    bool has_clip, has_faces;
    bool is_without_walk; /* only what the library has */
    bool redo_faces;      /* also of contents that were looked at before */
    char faces_note[512]; /* why has_faces is false, though faces are wanted; "" = they are not */
    struct ims_store_task tasks[2]; /* of these two, in this order */
    size_t n_tasks;
    struct ims_ingest_machine machine;

    struct ims_chan *to_read;
    struct ims_chan *to_embed;
    struct ims_chan *to_write;
    struct ims_thread scan_thread, feed_thread, embed_thread, write_thread;
    struct ims_thread readers[IMS_INGEST_MAX_READERS];
    _Atomic unsigned readers_left;
    _Atomic bool is_scanned;
    _Atomic bool is_finished; /* the writer has ended */
    _Atomic bool stop;        /* cancelled by the caller */
    _Atomic bool has_failed;

    struct ims_lock lock; /* guards fatal, notes and the wake-up */
    struct ims_cond changed;
    bool has_lock, has_cond;
    ims_status fatal;
    ims_err fatal_err;

    _Atomic uint64_t found, total, fresh, unchanged, known_failures; /* of the walk; fresh: not known before */
    _Atomic uint64_t fed;     /* handed out */
    _Atomic uint64_t coming;  /* of them between the feed and the embed thread */
    _Atomic uint64_t settled; /* of them committed; done or, seldom, queued again */
    _Atomic uint64_t done, errors, duplicates, moved;
    _Atomic uint64_t n_batches;
    _Atomic uint64_t n_faces, n_unusable_faces;
    size_t crop_bytes;          /* of jobs on their way to the embed thread; guarded by lock */
    _Atomic unsigned n_waiting; /* readers that wait for room for crops */
    struct ims_ingest_face_times face_times;
    struct ims_index_summary scan; /* the scan thread's own counters; read after it ended */
    struct ims_stage_time io, decode, embed, write, walk;
};

/* A stage did n items in that time: for the metrics of the process. */
void ims__ingest_count(struct ims_ingest *g, ims_figure items, uint64_t n, uint64_t ns);

void ims__job_free(struct ims_job *j);
/* The item itself is bad; the run goes on. reason: a static word. */
void ims__job_fail(struct ims_job *j, ims_status st, const char *reason, const ims_err *why);
/* The run cannot go on. The first one counts. */
void ims__ingest_fatal(struct ims_ingest *g, ims_status st, const ims_err *err);
bool ims__ingest_is_ending(struct ims_ingest *g); /* stopped or failed */
void ims__ingest_note(struct ims_ingest *g, const char *path, const char *reason, const char *text);

/* Thread bodies; arg is struct ims_ingest. */
void ims__ingest_scan(void *arg);
void ims__ingest_feed(void *arg);
void ims__ingest_read(void *arg);
void ims__ingest_embed(void *arg);
void ims__ingest_write(void *arg);

void ims__ingest_probe_machine(struct ims_compute *compute, struct ims_ingest_machine *out);
/* Evidence of one finished item, in the groups that docs/notes/evidence.md lists. NULL without memory. */
char *ims__ingest_evidence(const struct ims_ingest *g, const struct ims_job *j);
char *ims__ingest_face_evidence(const struct ims_ingest *g, const struct ims_job *j, const char *runtime);

/* ingest_faces.c: finds the faces of a decoded picture and cuts them out. A failure that is the picture's
 * is in j->faces; one that ends the run is returned. */
ims_status ims__ingest_find_faces(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                                  ims_err *err) IMS_MUST_CHECK;
/* Waits until the job's crops may join those on their way. */
void ims__ingest_take_room(struct ims_ingest *g, const struct ims_job *j);
/* face_thumbs.c: a small JPEG of each. Returns only what ends the run: no room, no permission. */
ims_status ims__ingest_store_face_thumbs(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                                         ims_err *err) IMS_MUST_CHECK;
/* ingest_recognise.c: the crops of n jobs to vectors, in batches; the crops are gone afterwards, and their room
 * is free. Failures as above. */
ims_status ims__ingest_recognise(struct ims_ingest *g, struct ims_job *const *jobs, size_t n,
                                 ims_err *err) IMS_MUST_CHECK;
void ims__job_fail_faces(struct ims_job *j, ims_status st, const char *reason, const ims_err *why);

/* ingest_summary.c */
void ims__ingest_sum_up(struct ims_ingest *g, uint64_t start_ns, uint64_t start_cpu_ns,
                        struct ims_index_summary *out);

#endif
