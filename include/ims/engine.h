/* The use cases of imgsearch: index folders, find pictures, tell the state of the library.
 *
 *     struct ims_engine *e;
 *     ims_engine_open(&e, &options, &err)      the data directory and its database; no model is loaded
 *     ims_engine_index(e, ...)                 folders -> library
 *     ims_engine_search(e, ...)                words, a picture or a stored asset -> ranked pictures
 *     ims_engine_close(e)
 *
 * A handle belongs to one thread at a time. Models, the inference runtime and libvips are loaded when a
 * call first needs them. Paths are bytes; texts are UTF-8. Times are microseconds since 1970, UTC.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_H
#define IMS_ENGINE_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_engine;

struct ims_engine_options {
    const char *data_dir;     /* created when missing, unless is_read_only */
    const char *database_url; /* NULL or "": SQLite in data_dir */
    bool is_read_only;        /* only for looking: the library must exist, else IMS_E_NOT_FOUND */

    bool is_bare; /* no library at all: only models, vectors of words and pictures, devices */

    /* Installed name or folder, and "@PRECISION" if one is meant; NULL or "" = see ims_engine_model */
    const char *model;
    const char *precision; /* fp32, fp16, int8, auto; NULL or "" = fp32, or what the library chose */
    const char *clip_model_name; /* open_clip architecture and weights, e.g. ViT-B-32 and */
    const char *clip_pretrained; /* laion2b_s34b_b79k; NULL or "" = not set */
    uint32_t expected_dim;       /* 0 = any */
    const char *const *model_roots; /* folders that hold model packs, looked into in this order */
    size_t n_model_roots;

    const char *device_flag; /* --device and the settings of the same names; NULL or "" = not set */
    const char *device;
    const char *pytorch_device;
    const char *force_cpu;
    const char *onnx_providers;
    const char *runtime_path;
    const char *compute_child; /* auto, always, never: which devices get a process; NULL = auto */
    unsigned compute_deadline_s; /* after which a batch in such a process counts as hung; 0 = 120 */
    unsigned gpu_mem_limit_mib; /* of a GPU's memory, for a session's arena; 0 = no limit */
    bool prove_again; /* take no notice of earlier proofs of devices */
    bool is_one_shot; /* a few inferences at most: models start fast rather than run fast */
    unsigned n_threads; /* 0 = as many as this process may use */

    const char *face_model; /* installed face models by name, or their folder; NULL or "" = see ims_engine_index */
    double min_face_score;  /* of the detector, 0..1; 0 = 0.5 */
    unsigned min_face_px;   /* width and height of a face in the picture; 0 = 20 */

    double index_miss; /* probability that a search by codes misses one of the true best; 0 = 0.001 */
    bool is_exact;     /* every search reads every vector in full */
    /* Shown while the vector index is made anew or takes up much at once: vectors done, of how many. Called by the
     * thread that does it; where other handles are open beside this one, that is one of its own. */
    void (*on_rebuild)(void *arg, size_t done, size_t total);
    void *on_rebuild_arg;

    unsigned batch_size;   /* pictures per inference; 0 = 16 */
    unsigned thumbnail_px; /* 0 = 256 */
    uint64_t max_image_px; /* 0 = the default limit */
};

/* Opens or makes the library; options are copied. Device settings that are wrong in themselves are an
 * error here, before anything is written. */
IMS_API ims_status ims_engine_open(struct ims_engine **out, const struct ims_engine_options *options,
                                   ims_err *err) IMS_MUST_CHECK;
/* Another handle on the same library, for another thread: with a database connection of its own, and with the model,
 * the devices and the index of host, each brought up once for all. host must outlive it. Thread-safe. */
IMS_API ims_status ims_engine_open_beside(struct ims_engine **out, struct ims_engine *host, ims_err *err)
    IMS_MUST_CHECK;
/* Everything that came out of the engine as a loan is gone afterwards. Accepts NULL. */
IMS_API void ims_engine_close(struct ims_engine *e);

/* ---- the model ---- */

struct ims_model_facts {
    /* Of the space that its vectors are in: "NAME@PRECISION" when that is not fp32. Strings live as long as
     * the engine. */
    const char *name;
    const char *digest;
    const char *precision; /* "fp32", "fp16", "int8" */
    const char *dir;
    bool is_demo; /* knows only drawn scenes: tell the user */
    uint32_t dim;
    uint32_t image_px;
    uint32_t context_length;
};
/* The model that serves: the one named in the options; else the library's own choice (ims_engine_use_model);
 * else the default (ViT-B-32, laion2b_s34b_b79k)
 * when it is installed; else the only installed one that is not the demo; else the demo model. Several
 * installed without a choice are IMS_E_CONFIG naming them. Reads the pack, loads no weights.
 *
 * Precision: the one named with the model in the options; else the options'; else the one named in the
 * library's choice; else fp32. auto is the one of which the library has most vectors; else the fastest that
 * ims_engine_agreement measured on this device and found good; else fp32. Weights of another precision than
 * fp32 are made when they are not there yet. */
IMS_API ims_status ims_engine_model(struct ims_engine *e, struct ims_model_facts *out, ims_err *err)
    IMS_MUST_CHECK;

/* What changed, or would, when another model serves. */
struct ims_model_use {
    char name[160];
    char before[160]; /* "" = none served */
    int64_t vectors, before_vectors; /* pictures that each has a vector of */
};
/* From now on the installed model of that name ("NAME", "NAME@int8") serves this library, for whoever names none in the options;
 * a folder may be named too. name NULL: the library makes no choice any more. A model with vectors of fewer
 * pictures than the one that serves is IMS_E_CONSTRAINT unless forced. Takes effect at once for those who open
 * the library later; e keeps its model. */
IMS_API ims_status ims_engine_use_model(struct ims_engine *e, const char *name, bool is_forced,
                                        struct ims_model_use *out, ims_err *err) IMS_MUST_CHECK;

/* One model that the library has something of, installed or not. Loans for the call. */
typedef void (*ims_stored_model_fn)(void *arg, const char *name, const char *digest, int64_t n_vectors);
/* Shows every one of them, by age. */
IMS_API ims_status ims_engine_stored_models(struct ims_engine *e, ims_stored_model_fn fn, void *arg, ims_err *err)
    IMS_MUST_CHECK;
/* Forgets all that models of that name made: vectors, work states, evidence. IMS_E_CONSTRAINT for the one that
 * serves, IMS_E_BUSY while another process indexes. *out_n: vectors. */
IMS_API ims_status ims_engine_drop_vectors(struct ims_engine *e, const char *name, int64_t *out_n, ims_err *err)
    IMS_MUST_CHECK;

/* How far another precision agrees with fp32 on given pictures. A precision is good when its rankings are
 * nearly those of fp32: both means over the pictures are at least the floors here. */
#define IMS_AGREEMENT_MIN_TOP1 0.9
#define IMS_AGREEMENT_MIN_TOP10 0.9
#define IMS_AGREEMENT_MIN_PICTURES 12
#define IMS_AGREEMENT_MAX_PICTURES 5000

struct ims_agreement_row {
    char precision[8];
    double images_per_s, speed; /* speed: against fp32, in this run */
    double min_cosine, mean_cosine; /* of a picture's vector with its vector by fp32 */
    /* Each picture as the query for the others: how often the best one is the same, and which share of the
     * best ten. The same for words, a fixed list of simple ones. */
    double picture_top1, picture_top10, word_top1, word_top10;
    bool is_good;
};
struct ims_agreement {
    char model[300], digest[65], device[16], runtime[64];
    size_t n_pictures, n_unreadable, n_words;
    size_t n_rows; /* fp32 first */
    struct ims_agreement_row rows[3];
    char fastest[8]; /* of the good ones: what auto means from now on, with this model on this device */
};
struct ims_agreement_options {
    const char *const *dirs; /* folders of pictures */
    size_t n_dirs;
    size_t max_pictures; /* evenly chosen from what is there; 0 = 200 */
    /* Called now and then; false ends with IMS_E_CANCELLED. May be NULL. */
    bool (*on_progress)(void *arg, const char *what, size_t done, size_t total);
    void *arg;
};
/* Measures every precision of the model that serves, and keeps the result for auto. Nothing is written to the
 * library. */
IMS_API ims_status ims_engine_agreement(struct ims_engine *e, const struct ims_agreement_options *options,
                                        struct ims_agreement *out, ims_err *err) IMS_MUST_CHECK;

#define IMS_BENCH_MAX_BATCHES 8

struct ims_bench_rate {
    unsigned batch;
    double per_s;
};
/* Finding faces at one size of picture, the detector's main one, and recognising their crops. Preparing
 * pictures and cutting out crops are not part of it. Face models run in fp32, whatever the precision. */
struct ims_bench_faces {
    char model[300], device[16]; /* empty: not measured */
    char note[512];              /* why not */
    unsigned side_px;            /* of the square that the detector looks at */
    double load_ms;              /* both sessions */
    size_t n_detections, n_recognitions;
    struct ims_bench_rate detections[2];                       /* pictures: one, and as many as a run takes */
    struct ims_bench_rate recognitions[IMS_BENCH_MAX_BATCHES]; /* faces, by the batches that were asked for */
};

/* What the model that serves does on the chosen device. Pictures and texts are made up. */
struct ims_bench {
    char model[300], digest[65], precision[8], device[16], provider[48], runtime[64];
    unsigned n_threads; /* of the CPU */
    double open_ms;     /* configuration, graphs, tokenizer; weights of another precision, if they were not there */
    double text_load_ms, image_load_ms;   /* the session, from there; the first one loads the runtime too */
    double text_first_ms, image_first_ms; /* the first answer, session included */
    double texts_per_s; /* one short query at a time */
    size_t batch;       /* pictures at a time that indexing found fastest on this device; 0 = not known yet */
    size_t n_batches;
    struct ims_bench_rate batches[IMS_BENCH_MAX_BATCHES]; /* pictures */
    uint64_t peak_rss_bytes;    /* of this process: meaningful when it did nothing else */
    uint64_t peak_child_bytes;  /* of the process of an accelerator, when it has ended; 0 = none */
    uint64_t device_used_bytes; /* of the card by all programs, as NVML counts; 0 = not known */
    double min_cosine; /* of eight pictures and eight texts, with their vectors by the CPU and fp32 */
    struct ims_bench_faces faces; /* measured last: no part of the memory above */
};
struct ims_bench_options {
    const unsigned *batches; /* pictures, or faces, at a time, at most IMS_BENCH_MAX_BATCHES of them */
    size_t n_batches;
    void (*on_step)(void *arg, const char *device, unsigned batch); /* may be NULL */
    void *arg;
};
IMS_API ims_status ims_engine_bench(struct ims_engine *e, const struct ims_bench_options *options,
                                    struct ims_bench *out, ims_err *err) IMS_MUST_CHECK;

/* Where the last inference ran, as read back from the runtime. Empty strings before the first one. */
struct ims_device_used {
    char device[16];
    char provider[48];
    char runtime[64]; /* "onnxruntime 1.30.0" */
    char reason[320]; /* why this device */
};
IMS_API void ims_engine_device_used(const struct ims_engine *e, struct ims_device_used *out);

/* Settles the device without running a picture: candidates are proven with the serving model, unless
 * that was done before on this machine. out as above. Fails as the first inference would. */
IMS_API ims_status ims_engine_device_chosen(struct ims_engine *e, struct ims_device_used *out, ims_err *err)
    IMS_MUST_CHECK;

/* What the engine computes with, and the choice for one tower of its model: for showing both. The loan is
 * the engine's. */
struct ims_compute;
struct ims_device_choice;
IMS_API struct ims_compute *ims_engine_compute(struct ims_engine *e);
IMS_API ims_status ims_engine_choose(struct ims_engine *e, bool is_image_tower, struct ims_device_choice *out,
                                     ims_err *err) IMS_MUST_CHECK;

/* One warning or remark about the choice of device; false when i is past the end. Settles the device
 * if no inference did so before. */
IMS_API bool ims_engine_device_note(struct ims_engine *e, size_t i, bool *out_is_warning, char *out_text,
                                    size_t size);

/* ---- indexing ---- */

struct ims_index_progress {
    bool is_walking;  /* files are still being found: total may grow */
    uint64_t found;   /* pictures seen by the walk */
    uint64_t total;   /* of them to be done in this run */
    uint64_t done;    /* finished, good or bad */
    uint64_t failed;  /* of done */
    uint64_t faces;   /* found so far */
    double elapsed_s;
    double rate;      /* finished per second, over the last seconds */
    double eta_s;     /* negative = unknown */
};

/* Why a file of the walk is not in the library. path is bytes; text one sentence. */
typedef void (*ims_index_note_fn)(void *arg, const char *path, const char *reason, const char *text);
/* Called a few times a second from the thread that called ims_engine_index. Returning false ends the
 * run: what was decoded is finished, everything else stays queued. */
typedef bool (*ims_index_progress_fn)(void *arg, const struct ims_index_progress *p);

struct ims_index_options {
    const char *const *dirs; /* folders; each becomes a root unless it lies in one */
    size_t n_dirs;
    const char *const *folders; /* further folders, without what lies in folders below them */
    size_t n_folders;
    bool is_register_only; /* find out what is new, changed and gone; what is to be done stays queued */
    const char *category; /* name, of new pictures; NULL = the default one */
    bool retry_failed;    /* try again what failed before though the file did not change */
    bool no_thumbnails;
    bool no_faces;
    const char *const *suffixes; /* ".jpg" ...: only pictures of these names; NULL = all known ones */
    size_t n_suffixes;
    int64_t session_id;     /* training session that the evidence is of; 0 = none */
    double min_face_score;  /* as in the engine's options, for this run; 0 = those */
    unsigned min_face_px;
    ims_index_progress_fn on_progress; /* may be NULL */
    ims_index_note_fn on_note;         /* may be NULL; called from any thread, one call at a time */
    void *arg;
};

struct ims_index_summary {
    uint64_t found;     /* pictures below the folders */
    uint64_t unchanged; /* done before */
    uint64_t processed; /* done in this run */
    uint64_t duplicates; /* of processed: same content as another, no decode, no inference */
    uint64_t total_faces; /* found in this run */
    uint64_t unusable_faces; /* found, but left out: their points are of no use */
    uint64_t errors;    /* failed in this run */
    uint64_t known_failures; /* failed before, unchanged, not tried */
    uint64_t moved;
    uint64_t deleted;
    uint64_t skipped_links;
    uint64_t skipped_other;  /* not a picture by name */
    uint64_t failed_folders; /* could not be read */
    bool is_cancelled;

    double elapsed_s;
    double throughput; /* processed per second */
    double io_s;       /* reading and hashing, summed over threads, wall time */
    double decode_s;   /* CPU time of decoding, thumbnail, preprocessing */
    double compute_s;  /* CPU: core-seconds of inference; accelerator: wall time. Faces included */
    double detect_s;   /* wall time in the face detector, waiting for the device included, summed over threads */
    double align_s;    /* cutting faces out, likewise */
    double recognise_s; /* wall time of recognising faces */
    double write_s;    /* CPU time of the writer */
    double wait_decode_s;  /* decoders blocked because inference is behind */
    double wait_compute_s; /* inference blocked because decoders are behind */
    double wait_crops_s;   /* decoders blocked because too many faces wait for being recognised */
    double efficiency; /* CPU seconds of this process / (cores x elapsed) */
    unsigned cores;
    uint64_t batches;
    uint64_t peak_rss_bytes;
    char device[16];
    char provider[48];
    uint64_t device_faults; /* batches that a device failed and that were computed again */
    char device_fault[400]; /* the last one: which device, what it did, what became of it */
    char face_model[160];   /* "" = faces were not looked for */
    char faces_note[512];   /* why, when they were wanted: no face models are installed */
};

/* Pictures get their vector and, unless no_faces is set, the faces in them. The face models: the ones named in
 * the options; else buffalo_l, or the only ones installed; beside the demo's picture model those of the demo.
 * IMS_E_NOT_FOUND when a folder is not there (the library stays as it is), IMS_E_BUSY when another
 * process indexes this library. A cancelled run is IMS_OK with is_cancelled. */
IMS_API ims_status ims_engine_index(struct ims_engine *e, const struct ims_index_options *options,
                                    struct ims_index_summary *out, ims_err *err) IMS_MUST_CHECK;

typedef enum ims_faces_scope {
    IMS_FACES_MISSING, /* pictures that the face models have not looked at */
    IMS_FACES_ALL,     /* also those that failed */
    IMS_FACES_REDO     /* every picture again: faces that are found again keep their id, person and history */
} ims_faces_scope;
/* Looks for faces in pictures of the library, without a walk: of options->dirs, which may also be files, or of
 * everything when n_dirs is 0. Otherwise as ims_engine_index; IMS_E_MODEL without face models. */
IMS_API ims_status ims_engine_detect_faces(struct ims_engine *e, ims_faces_scope scope,
                                           const struct ims_index_options *options,
                                           struct ims_index_summary *out, ims_err *err) IMS_MUST_CHECK;

/* A face as the face models see it in one file. Pixels of the displayed picture. */
struct ims_seen_face {
    double x, y, width, height; /* may reach outside of the picture */
    double score, quality;      /* 0..1 */
    bool is_usable;             /* can be recognised: its points make sense */
    bool has_points;
    double points[5][2]; /* eyes, nose, corners of the mouth; left in the picture first */
    bool has_age;        /* and gender: the models' guess */
    bool is_male;
    int age;
    bool has_pose;
    double pitch, yaw, roll; /* degrees */
    uint8_t *crop_jpeg;      /* the face upright, 112 x 112; NULL unless asked for and usable */
    size_t crop_bytes;
};
struct ims_seen_faces {
    struct ims_seen_face *faces; /* best score first */
    size_t n;
    int width, height;
    uint8_t *picture_jpeg; /* NULL unless asked for */
    size_t picture_bytes;
    const char *model; /* lives as long as the engine */
    bool is_demo;      /* knows only drawn people: tell the user */
    char device[16];
    double decode_ms, detect_ms;
};
struct ims_faces_look_options {
    bool with_pictures;  /* crops, and the picture itself */
    unsigned picture_px; /* its longer side; 0 = 1024 */
};
/* What the face models see in a file; needs no library and stores nothing. options may be NULL. IMS_E_MODEL
 * without face models, otherwise as reading and decoding the file. */
IMS_API ims_status ims_engine_look_at_faces(struct ims_engine *e, const char *path,
                                            const struct ims_faces_look_options *options,
                                            struct ims_seen_faces *out, ims_err *err) IMS_MUST_CHECK;
IMS_API void ims_seen_faces_release(struct ims_seen_faces *s);

struct ims_faces_stats {
    int64_t faces, photos; /* photos: pictures of different content that have any */
    int64_t persons;       /* named, whatever the model */
    int64_t assigned, unassigned;
    int64_t clusters, clustered, noise, unclustered; /* of the unassigned faces */
    int64_t done, failed, queued;                    /* pictures, of being looked at */
    const char *model; /* that found them; NULL = none did. Lives until the next call */
};
/* Of the face models that serve, or, where those are not installed or new here, of those that found most. */
IMS_API ims_status ims_engine_faces_stats(struct ims_engine *e, struct ims_faces_stats *out, ims_err *err)
    IMS_MUST_CHECK;

#define IMS_FACE_ORPHANS_LISTED 100
struct ims_face_orphans {
    int64_t gone;           /* unnamed faces of pictures that are gone */
    int64_t gone_named;     /* named ones: kept */
    int64_t without_vector; /* faces that cannot be compared */
    int64_t stray_thumbs;   /* small pictures of faces that are not in the library */
    int64_t unseen;         /* named, or said to be somebody not, but not found when their model last looked: kept */
    size_t n_listed;
    int64_t listed[IMS_FACE_ORPHANS_LISTED]; /* of the last, the first by id */
};
/* is_fixed: the first are forgotten, the pictures of the third are looked at again by the next run, the last are
 * removed; out says what was found. IMS_E_BUSY while another process indexes. */
IMS_API ims_status ims_engine_face_orphans(struct ims_engine *e, bool is_fixed, struct ims_face_orphans *out,
                                           ims_err *err) IMS_MUST_CHECK;

/* A small JPEG of a face, as found while indexing; ims_engine_free(*out). IMS_E_NOT_FOUND. */
IMS_API ims_status ims_engine_face_thumbnail(struct ims_engine *e, int64_t face_id, uint8_t **out, size_t *out_n,
                                             ims_err *err) IMS_MUST_CHECK;

/* ---- searching ---- */

struct ims_search_filter {
    const char *path_prefix; /* "/a/b" means that file or what is below; NULL = any */
    bool has_from, has_until;
    int64_t from_us;  /* taken at, included */
    int64_t until_us; /* not included */
    const char *category; /* name; NULL = any */
    const char *const *persons; /* names; all of them are in the picture */
    size_t n_persons;           /* at most 8, those by id included */
    const int64_t *person_ids;  /* these too; one that does not exist is in no picture */
    size_t n_person_ids;
    bool has_area; /* taken within these degrees; west > east: across the antimeridian */
    double west, south, east, north;
};

struct ims_search_query {
    /* one of the four; none with a filter: what passes it, newest first (when taken, else when changed) */
    const char *text;
    const char *image_path;
    int64_t asset_id;
    const float *vector; /* of the serving model's dimension, finite and not zero; its length says nothing */
    bool exclude_self; /* image_path, asset_id: leave out that very file */

    struct ims_search_filter filter;
    size_t limit; /* 1..IMS_MAX_SEARCH_LIMIT */
    size_t offset;
    bool is_exact; /* read every vector in full, whatever the options say */
};

struct ims_asset {
    int64_t id;
    const char *path;
    const char *mime; /* NULL while unknown */
    int width, height;
    int64_t size_bytes;
    int64_t mtime_us;
    int64_t created_us;
    int64_t indexed_us; /* 0 = not yet */
    bool has_taken_at;
    int64_t taken_at_us;
    bool has_gps;
    double gps_lat, gps_lng;
    const char *camera_make;
    const char *camera_model;
    char sha256[65]; /* "" while unknown */
    char phash[17];
    int64_t category_id;
    bool is_deleted;
    const char *exif_json;
    const char *note;
};

struct ims_search_hit {
    float score; /* cosine; 0 where nothing was ranked */
    struct ims_asset asset;
};

struct ims_search_results {
    struct ims_search_hit *hits;
    size_t n;
    size_t total; /* pictures that pass the filter and could be ranked */
    size_t n_queued; /* when total is 0: pictures of the library that wait for being indexed with this model */
    double load_ms, embed_ms, scan_ms, total_ms;
    struct ims_search_answer {
        const char *plan; /* "codes", "bytes", "exact": what the vectors were read as; "filter": none were; "filter": none were; "library": the index was not
                           * ready, and the library's own vectors were read in full */
        size_t scanned;   /* vectors read as that */
        size_t reranked;  /* of them, compared in full */
        double miss;      /* stated probability that one of the true best is missed; 0 = none can be */
    } answer;
    void *memory; /* private */
};

/* A stable order: score, then age of the content, then asset id. IMS_E_NOT_FOUND for an asset or file that is not there. */
IMS_API ims_status ims_engine_search(struct ims_engine *e, const struct ims_search_query *query,
                                     struct ims_search_results *out, ims_err *err) IMS_MUST_CHECK;
IMS_API void ims_search_results_release(struct ims_search_results *r);

/* A text, or the picture in a file, to its unit vector: *out_dim floats, free with ims_engine_free. */
IMS_API ims_status ims_engine_embed_text(struct ims_engine *e, const char *text, float **out,
                                         uint32_t *out_dim, ims_err *err) IMS_MUST_CHECK;
IMS_API ims_status ims_engine_embed_image(struct ims_engine *e, const char *path, float **out,
                                          uint32_t *out_dim, ims_err *err) IMS_MUST_CHECK;
/* The same for a picture in memory; what names it in messages. */
IMS_API ims_status ims_engine_embed_picture(struct ims_engine *e, const uint8_t *bytes, size_t n_bytes,
                                            const char *what, float **out, uint32_t *out_dim, ims_err *err)
    IMS_MUST_CHECK;
IMS_API ims_status ims_engine_tokenize(struct ims_engine *e, const char *text, int32_t **out,
                                       size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* Has the text more tokens than the model reads (ims_model_facts.context_length)? The rest is left out. */
IMS_API ims_status ims_engine_text_is_cut(struct ims_engine *e, const char *text, bool *out, ims_err *err)
    IMS_MUST_CHECK;
IMS_API void ims_engine_free(void *p);

/* A JPEG of the file at most max_px on a side, as the thumbnails are; ims_engine_free(*out). */
IMS_API ims_status ims_engine_thumbnail(struct ims_engine *e, int64_t asset_id, unsigned max_px,
                                        uint8_t **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* The same at most max_px (64..4096) on a side, kept for the next time below the data directory's previews/, which may
 * be deleted at any time: what a page shows instead of a large file, or of one that browsers cannot show. */
IMS_API ims_status ims_engine_preview(struct ims_engine *e, int64_t asset_id, unsigned max_px, uint8_t **out,
                                      size_t *out_n, ims_err *err) IMS_MUST_CHECK;

struct ims_place {
    double lat, lng;                  /* the mean of its pictures, degrees */
    double west, south, east, north; /* around all of them */
    int64_t asset_id;                 /* one of them */
    size_t n_pictures;
};
/* Where pictures were taken, in cells of a tenth of a degree, those with most pictures first; out_n at most max.
 * ims_engine_free(*out). */
IMS_API ims_status ims_engine_places(struct ims_engine *e, size_t max, struct ims_place **out, size_t *out_n,
                                     ims_err *err) IMS_MUST_CHECK;

struct ims_thumbnail {
    char name[80]; /* below the data directory's thumbs/ */
    int width, height;
};
/* Makes the stored thumbnail anew from the file. */
IMS_API ims_status ims_engine_make_thumbnail(struct ims_engine *e, int64_t asset_id, struct ims_thumbnail *out,
                                             ims_err *err) IMS_MUST_CHECK;

/* The vector index of the model that serves: sizes, state, how well its answers agree with the full scan. */
struct ims_index_info {
    const char *model;
    uint32_t dim;
    int64_t vectors, dead, coded;
    size_t segments, full_segments, mapped_segments, epochs;
    size_t ordered_segments;    /* their rows lie in order of likeness: searches pass over what is unlike, */
    size_t read_whole_segments; /* except in these of them, where that was tried and missed too much */
    uint64_t code_bytes; /* read by every search of the whole library */
    uint64_t byte_bytes, row_bytes; /* read for some vectors */
    uint64_t memory_bytes, disk_bytes; /* of these; what is not in memory is mapped */
    uint64_t generation; /* of its folder */
    int64_t seq;
    bool is_writer; /* this process writes the folder */
    unsigned threads;
    double miss;
    bool is_sound;
    bool is_rebuilding; /* just now, on a thread of its own */
    char note[512]; /* what was found damaged; "" = nothing */
    uint64_t audit_searches, audit_audited, audit_hits, audit_found; /* of this process; recall = found / hits */
    int64_t audit_us; /* when; 0 = never */
};
/* Brings the index up to date and describes it. is_thorough: reads every byte of its files against their
 * checksums, makes it anew when one lies, and compares some searches with the full scan. */
IMS_API ims_status ims_engine_index_info(struct ims_engine *e, bool is_thorough, struct ims_index_info *out,
                                         ims_err *err) IMS_MUST_CHECK;

/* The index as a service sees it. Answers at once, whatever goes on. */
struct ims_index_state {
    bool is_ready;      /* it answers searches; until then they read the library's vectors one by one */
    bool is_rebuilding; /* it is made anew, brought up to date or saved on a thread of its own */
    uint64_t done, total; /* vectors, while is_rebuilding; total 0 = not known yet */
    uint64_t vectors;     /* that searches see */
    uint64_t n_rebuilds;  /* by this process */
    double last_rebuild_s;
    /* Searches by codes in this process, those that the full scan answered again, its hits and how many of them had
     * been found: recall = audit_found / audit_hits. */
    uint64_t audit_searches, audit_audited, audit_hits, audit_found;
    int64_t audit_us; /* the last; 0 = never */
    char problem[256]; /* why the last rebuild failed; "" = it did not */
};
/* Of the handle's host when it is open beside one. Thread-safe. */
IMS_API void ims_engine_index_state(struct ims_engine *e, struct ims_index_state *out);
/* Brings the index up on a thread of its own and reads it into memory, so that the first search need not; returns at
 * once. For a handle that others are open beside. Thread-safe. */
IMS_API void ims_engine_warm_index(struct ims_engine *e);

/* ---- state ---- */

struct ims_library_status {
    int64_t assets, done, failed, queued; /* assets == done + failed + queued, for the serving model */
    int64_t deleted, contents, vectors;
    int64_t faces, persons;
    int64_t faces_done, faces_failed, faces_queued; /* pictures, of being looked at by the face models */
    const char *face_model; /* NULL = none has looked for faces here */
    const char *model;      /* name; NULL when there is none */
    char model_problem[512]; /* why there is none */
    const char *database;   /* where, without secrets */
    const char *database_version;
};
IMS_API ims_status ims_engine_status(struct ims_engine *e, struct ims_library_status *out, ims_err *err)
    IMS_MUST_CHECK;

/* task: "clip" (the picture's vector) or "faces". */
typedef void (*ims_failure_fn)(void *arg, int64_t asset_id, const char *path, const char *task, const char *reason,
                               const char *detail);
/* Every failure of the serving models, at most limit of each task, by task and id. What failed for the picture and so
 * for its faces too is shown once. */
IMS_API ims_status ims_engine_failures(struct ims_engine *e, size_t limit, ims_failure_fn fn, void *arg,
                                       ims_err *err) IMS_MUST_CHECK;

/* What is known of one asset, by id or (id 0) by path. Strings live until the next call. */
struct ims_asset_story {
    struct ims_asset asset;
    size_t n_work;
    struct ims_asset_work {
        const char *task, *state, *reason, *detail;
        int attempts;
        int64_t updated_us;
    } work[16];
    size_t n_evidence;
    struct ims_asset_evidence {
        const char *task, *model, *device, *provider, *runtime, *checksum, *error, *metadata_json;
        int dim;
        double norm, embedding_ms, total_ms;
        int64_t created_us;
    } evidence[16];
    size_t n_faces;
    const struct ims_asset_face {
        int64_t id;
        int x, y, w, h; /* pixels of the displayed picture */
        double score, quality;
        bool has_age;
        double age;
        int64_t cluster_id, person_id; /* 0 = none */
        const char *person;            /* name; NULL without */
    } *faces;
};
IMS_API ims_status ims_engine_show(struct ims_engine *e, int64_t asset_id, const char *path,
                                   struct ims_asset_story *out, ims_err *err) IMS_MUST_CHECK;

#endif
