/* Handing people on: persons with the pictures and boxes of their faces, out and in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/people_seed.h"
#include "http/api/api_faces.h"
#include "http/api/api_files.h"

#include <string.h>

/* ---- out ---- */

static ims_json *mapping_json(const struct ims_store_face *f)
{
    ims_json *o = ims__json_new_object(), *box = ims__json_new_object();

    box = ims__whole(box, ims__put_int(box, "x", f->x) && ims__put_int(box, "y", f->y) && ims__put_int(box, "width", f->w) &&
                              ims__put_int(box, "height", f->h));
    return ims__whole(o, ims__put(o, "boundingBox", box) && ims__put_str(o, "imagePath", f->path) &&
                             ims__put_num(o, "detectionConfidence", f->score) && ims__put_num(o, "qualityScore", f->quality));
}

struct export {
    struct ims_http_context *cx;
    int64_t model_id, max_faces;
    bool must_be_there; /* the files */
    int64_t n_faces;
};

/* The best faces of a person, of pictures that are in the library. */
static ims_status mappings_json(struct export *x, int64_t person_id, ims_json **out, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = x->model_id, .person_id = person_id };
    struct ims_store_face *faces = NULL;
    struct ims_file_info info;
    struct ims_arena arena;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    if (x->model_id)
        st = ims_store_faces(x->cx->store, &filter, IMS_STORE_FACES_BY_QUALITY, 0, x->max_faces, &arena, &faces, &n, NULL, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!faces[i].path || (x->must_be_there && ims__stat(faces[i].path, true, &info, NULL)))
            continue;
        x->n_faces++;
        if (!list || ims__json_add(list, mapping_json(&faces[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "an export");
    }
    ims__arena_release(&arena);
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

static ims_status persons_json(struct export *x, struct ims_arena *arena, ims_json **out, ims_err *err)
{
    const struct ims_store_person_filter filter = { .model_id = x->model_id };
    struct ims_store_person *persons = NULL;
    ims_json *list = ims__json_new_array();
    size_t n = 0;
    ims_status st = ims_store_persons(x->cx->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, arena, &persons, &n, NULL, err);

    for (size_t i = 0; !st && i < n; i++) {
        ims_json *faces = NULL, *o;

        st = mappings_json(x, persons[i].id, &faces, err);
        if (st)
            break;
        o = ims__json_new_object();
        o = ims__whole(o, ims__put(o, "faceMappings", faces) && ims__put_str(o, "name", persons[i].name) &&
                              ims__put_str(o, "status", ims_store_person_status_name(persons[i].status)));
        if (!list || ims__json_add(list, o))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "an export");
    }
    if (st)
        ims__json_free(list);
    else
        *out = list;
    return st;
}

IMS_API_HANDLER(ims__api_persons_export)
{
    struct export x = { .cx = cx,
                        .max_faces = ims__in_int(rq->query, "max_faces_per_person", 100),
                        .must_be_there = ims__in_bool(rq->query, "verify_paths", false) };
    struct ims_arena arena;
    ims_json *persons = NULL, *meta, *o;
    ims_status st = ims_people_model(cx->engine, &x.model_id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = persons_json(&x, &arena, &persons, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    meta = ims__json_new_object();
    meta = ims__whole(meta, ims__put_int(meta, "totalPersons", (int64_t)ims__json_len(persons)) &&
                                ims__put_int(meta, "totalFaceMappings", x.n_faces) &&
                                ims__put_str(meta, "exportFormat", "seed"));
    o = ims__json_new_object();
    o = ims__whole(o, ims__put(o, "persons", persons));
    o = ims__whole(o, ims__put(o, "metadata", meta));
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_str(o, "version", IMS_SEED_VERSION) &&
                                             ims__put_time(o, "exportedAt", ims__now_us())),
                           err);
}

/* ---- in ---- */

static const char *found_name(ims_seed_found found)
{
    static const char *const names[] = { [IMS_SEED_MATCHED] = "matched",
                                         [IMS_SEED_NO_FACE] = "not_found",
                                         [IMS_SEED_NO_IMAGE] = "image_missing",
                                         [IMS_SEED_UNREAD] = "detection_failed",
                                         [IMS_SEED_CONFLICT] = "conflict" };

    return names[found];
}

static ims_json *details_json(const struct ims_seed_person *p)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < p->n_faces; i++) {
        const struct ims_seed_face *f = &p->faces[i];
        ims_json *o = ims__json_new_object();

        o = ims__whole(o, ims__put_str(o, "imagePath", f->path) && ims__put_str(o, "status", found_name(f->found)) &&
                              ims__put_id(o, "matchedFaceId", IMS_ID_FACE, f->face_id) && ims__put_str(o, "error", f->error));
        is_good = o && ims__json_add(list, o) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

/* A person that was to be made but is not kept has no name of a row. */
static ims_json *person_json(const struct ims_seed_person *p, bool is_kept)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "name", p->name) &&
                             ims__put_str(o, "status", !p->id ? "error" : p->is_new ? "created" : "existing") &&
                             ims__put_id(o, "personId", IMS_ID_PERSON, is_kept || !p->is_new ? p->id : 0) &&
                             ims__put_int(o, "facesMatched", (int64_t)p->n_matched) &&
                             ims__put_int(o, "facesNotFound", (int64_t)p->n_not_found) &&
                             ims__put_int(o, "imagesMissing", (int64_t)p->n_missing) &&
                             ims__put(o, "details", details_json(p)));
}

/* Centroids of those who got faces. */
static ims_status count_centroids(struct ims_http_context *cx, const struct ims_people_seed *seed, int64_t *out, ims_err *err)
{
    ims_status st = IMS_OK;

    *out = 0;
    for (size_t i = 0; !st && i < seed->n_persons; i++) {
        struct ims_people_centroids what = { .person_id = seed->persons[i].id };

        if (!seed->persons[i].n_matched)
            continue;
        st = ims_people_centroids(cx->engine, &what, err);
        *out += (int64_t)what.n_made;
    }
    return st;
}

#define MAX_FOLDERS 50 /* that one import has indexed */

/* Pictures that are missing, though a file is there below a root: their folder is indexed, and the next import finds
 * them. */
static ims_status index_folders(struct ims_http_context *cx, struct ims_people_seed *seed, ims_err *err)
{
    size_t n = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; i < seed->n_persons; i++) {
        for (size_t k = 0; !st && k < seed->persons[i].n_faces && n < MAX_FOLDERS; k++) {
            struct ims_seed_face *f = &seed->persons[i].faces[k];
            struct ims_buf path;
            char *real = NULL, *slash, *key = NULL;
            ims_json *args;

            if (f->found != IMS_SEED_NO_IMAGE)
                continue;
            ims__buf_init(&path, IMS_MAX_PATH_BYTES);
            if (ims__undisplay(f->path, strlen(f->path), &path) == IMS_OK && path.len &&
                ims__api_check_path(cx->store, path.data, &real, NULL) == IMS_OK && (slash = strrchr(real, '/'))) {
                *slash = '\0';
                key = ims__strfmt("ingest:%s", real);
                args = ims__json_new_object();
                args = ims__whole(args, key && ims__put_str(args, "path", *real ? real : "/"));
                st = ims__api_push_work(cx, "ingest", key, args, NULL, err);
                f->error = "its folder is being indexed; import again afterwards";
                n++;
            }
            ims__free(key);
            ims__free(real);
            ims__buf_release(&path);
        }
    }
    return st;
}

struct totals {
    int64_t n_created, n_existing, n_matched, n_not_found, n_missing, n_conflicts, n_centroids;
};

static ims_status lists_json(const struct ims_people_seed *seed, bool is_kept, struct totals *t, ims_json **out_persons,
                             ims_json **out_errors, ims_err *err)
{
    ims_json *persons = ims__json_new_array(), *errors = ims__json_new_array();
    bool is_good = persons && errors;

    for (size_t i = 0; is_good && i < seed->n_persons; i++) {
        const struct ims_seed_person *p = &seed->persons[i];

        t->n_created += p->id && p->is_new;
        t->n_existing += p->id && !p->is_new;
        t->n_matched += (int64_t)p->n_matched;
        t->n_not_found += (int64_t)p->n_not_found;
        t->n_missing += (int64_t)p->n_missing;
        t->n_conflicts += (int64_t)p->n_conflicts;
        is_good = ims__json_add(persons, person_json(p, is_kept)) == IMS_OK &&
                  (!p->error || ims__json_add(errors, ims__json_new_str(p->error)) == IMS_OK);
    }
    if (is_good && seed->needs_all && seed->n_missing)
        is_good = ims__json_add(errors, ims__json_new_str("pictures are missing; nothing was changed")) == IMS_OK;
    if (is_good) {
        *out_persons = persons;
        *out_errors = errors;
        return IMS_OK;
    }
    ims__json_free(persons);
    ims__json_free(errors);
    return ims_fail(err, IMS_E_NOMEM, "http", 0, "an import");
}

static ims_status reply_import(const struct ims_people_seed *seed, struct totals *t, struct ims_http_reply *rp, ims_err *err)
{
    bool is_kept = !seed->is_dry_run && !(seed->needs_all && seed->n_missing);
    ims_json *persons = NULL, *errors = NULL, *o;
    bool is_good;
    ims_status st = lists_json(seed, is_kept, t, &persons, &errors, err);

    if (st)
        return st;
    is_good = ims__json_len(errors) == 0;
    o = ims__json_new_object();
    o = ims__whole(o, ims__put(o, "personResults", persons));
    o = ims__whole(o, ims__put(o, "errors", errors));
    return ims__reply_json(
        rp, 200,
        ims__whole(o, ims__put_bool(o, "success", is_good) && ims__put_bool(o, "dryRun", seed->is_dry_run) &&
                          ims__put_int(o, "personsCreated", t->n_created) && ims__put_int(o, "personsExisting", t->n_existing) &&
                          ims__put_int(o, "totalFacesMatched", t->n_matched) &&
                          ims__put_int(o, "totalFacesNotFound", t->n_not_found) &&
                          ims__put_int(o, "totalImagesMissing", t->n_missing) &&
                          ims__put_int(o, "skippedConflicts", t->n_conflicts) &&
                          ims__put_int(o, "centroidsComputed", t->n_centroids) &&
                          ims__put_int(o, "qdrantUpdates", is_kept ? (int64_t)seed->n_assigned : 0) &&
                          ims__put_time(o, "timestamp", ims__now_us())),
        err);
}

IMS_API_HANDLER(ims__api_persons_import)
{
    const ims_json *options = ims__json_get(rq->body, "options");
    struct ims_people_seed seed = { .is_dry_run = ims__in_bool(options, "dryRun", false),
                                    .may_move = ims__in_bool(options, "forceReassign", false),
                                    .needs_all = !ims__in_bool(options, "skipMissingImages", true),
                                    .tolerance_px = (int)ims__in_int(options, "tolerancePixels", IMS_SEED_TOLERANCE_PX) };
    struct totals t = { 0 };
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_people_seed(cx->engine, &ims__api_by, ims__json_get(rq->body, "data"), &seed, &arena, err);
    if (!st && seed.event_id)
        st = count_centroids(cx, &seed, &t.n_centroids, err);
    if (!st && !seed.is_dry_run && ims__in_bool(options, "autoIngestImages", true))
        st = index_folders(cx, &seed, err);
    if (!st)
        st = reply_import(&seed, &t, rp, err);
    ims__arena_release(&arena);
    return st;
}
