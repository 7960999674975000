/* An engine on a library of synthetic faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "integration/people_library.h"

#include "base/limits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct ims_engine *people_library_engine(struct people_library *p)
{
    const struct ims_engine_options options = { .data_dir = p->l.data, .database_url = p->url };
    struct ims_engine *e = NULL;

    return test_check_ok(__FILE__, __LINE__, "engine", ims_engine_open(&e, &options, &p->err),
                         &p->err)
               ? e
               : NULL;
}

bool people_library_open(struct people_library *p)
{
    memset(p, 0, sizeof(*p));
    ims__arena_init(&p->arena, 0);
    library_init(&p->l);
    p->url = p->l.database_env[0] ? strchr(p->l.database_env, '=') + 1 : NULL;
    p->e = people_library_engine(p);
    if (!p->e)
        return false;
    p->s = ims_people_store(p->e);
    return test_check_ok(__FILE__, __LINE__, "root",
                         ims_store_add_root(p->s, "/photos", &p->root_id, &p->err), &p->err) &&
           test_check_ok(
               __FILE__, __LINE__, "model",
               ims_store_add_model(p->s, "clip", "1", "clip", FACE_DIM, &p->clip_model, &p->err),
               &p->err) &&
           test_check_ok(__FILE__, __LINE__, "face model",
                         ims_store_add_model(p->s, "faces", "1", IMS_MODEL_FACE, FACE_DIM,
                                             &p->face_model, &p->err),
                         &p->err);
}

void people_library_close(struct people_library *p)
{
    ims_engine_close(p->e);
    ims__arena_release(&p->arena);
}

static void unit(float *v)
{
    double sum = 0;

    for (int i = 0; i < FACE_DIM; i++)
        sum += (double)v[i] * (double)v[i];
    for (int i = 0; i < FACE_DIM; i++)
        v[i] = (float)((double)v[i] / sqrt(sum));
}

static void random_unit(uint64_t seed, float *out)
{
    uint64_t state = seed * 7919 + 17;

    for (int i = 0; i < FACE_DIM; i++)
        out[i] = (float)((double)(test_random(&state) >> 11) / 9007199254740992.0 - 0.5);
    unit(out);
}

/* Near the look: its direction and some of another. */
static void make_look(int look, uint64_t seed, double spread, float *out)
{
    float noise[FACE_DIM];

    random_unit((uint64_t)look + 100, out);
    random_unit(seed + 100000, noise);
    for (int i = 0; i < FACE_DIM; i++)
        out[i] = (float)((double)out[i] + sqrt(spread) * (double)noise[i]);
    unit(out);
}

static bool commit_photo(struct people_library *p, int photo, struct ims_store_face_in *faces,
                         size_t n)
{
    struct ims_store_faces_in in = { .model_id = p->face_model, .faces = faces, .n_faces = n };
    struct ims_store_media media = { .mime = "image/jpeg", .width = 2000, .height = 400 };
    struct ims_store_item item = {
        .root_id = p->root_id, .size_bytes = 1, .mtime_us = 1, .media = &media
    };
    uint8_t sha256[IMS_SHA256_BYTES] = { 0 };
    float clip[FACE_DIM];
    char path[64];

    random_unit((uint64_t)photo, clip);
    memcpy(sha256, &photo, sizeof(photo));
    snprintf(path, sizeof(path), "/photos/%d.jpg", photo);
    item.path = path;
    item.sha256 = sha256;
    item.vector = clip;
    item.faces = &in;
    if (!test_check_ok(__FILE__, __LINE__, "commit",
                       ims_store_commit(p->s, IMS_TASK_CLIP, p->clip_model, &item, 1, &p->err),
                       &p->err))
        return false;
    for (size_t i = 0; i < n; i++)
        p->faces[p->n_faces++] = faces[i].id;
    return in.state == IMS_STORE_DONE;
}

static struct ims_store_face_in make_face(size_t place, const float *vector)
{
    return (struct ims_store_face_in){ .x = (int)place * 120,
                                       .y = 20,
                                       .w = 110,
                                       .h = 120,
                                       .score = 0.9f,
                                       .quality = 0.9f - 0.05f * (float)place,
                                       .gender = IMS_FACE_UNKNOWN_GENDER,
                                       .vector = vector };
}

bool people_add_photo(struct people_library *p, int photo, const int *looks, size_t n,
                      double spread)
{
    float vectors[16][FACE_DIM];
    struct ims_store_face_in faces[16];

    for (size_t i = 0; i < n; i++) {
        make_look(looks[i], (uint64_t)photo * 16 + i, spread, vectors[i]);
        faces[i] = make_face(i, vectors[i]);
    }
    return commit_photo(p, photo, faces, n);
}

bool people_add_vector(struct people_library *p, int photo, const float *vector)
{
    struct ims_store_face_in face = make_face(0, vector);

    return commit_photo(p, photo, &face, 1);
}

bool people_add_faces(struct people_library *p, int first_photo, size_t n, int look, double spread)
{
    for (size_t i = 0; i < n; i++) {
        if (!people_add_photo(p, first_photo + (int)i, &look, 1, spread))
            return false;
    }
    return true;
}

int64_t people_cluster(struct people_library *p, const int64_t *face_ids, size_t n)
{
    struct ims_store_cluster_in cluster = { .confidence = 0.9 };
    struct ims_store_cluster_member members[MAX_FACES];

    for (size_t i = 0; i < n; i++)
        members[i] = (struct ims_store_cluster_member){ face_ids[i], 0, 1, 0 };
    return test_check_ok(__FILE__, __LINE__, "cluster",
                         ims_store_put_clusters(p->s, p->face_model, "test", &cluster, 1, members,
                                                n, NULL, &p->err),
                         &p->err)
               ? cluster.id
               : 0;
}

int64_t people_person_of(struct people_library *p, int64_t face_id)
{
    struct ims_store_face *face = NULL;

    return test_check_ok(__FILE__, __LINE__, "face",
                         ims_store_faces_by_id(p->s, &face_id, 1, &p->arena, &face, &p->err),
                         &p->err)
               ? face->person_id
               : -1;
}

/* --- the whole state --- */

static void add_persons(struct people_library *p, struct ims_buf *b, struct ims_arena *arena)
{
    const struct ims_store_person_filter filter = { .include_all = true,
                                                    .model_id = p->face_model };
    struct ims_store_person *list = NULL;
    size_t n = 0;

    (void)!test_check_ok(__FILE__, __LINE__, "persons",
                         ims_store_persons(p->s, &filter, IMS_PERSONS_BY_NAME, 0, 0, arena, &list,
                                           &n, NULL, &p->err),
                         &p->err);
    for (size_t i = 0; i < n; i++) {
        if (list[i].status !=
            IMS_PERSON_DELETED) /* undoing the making of a person leaves the row */
            (void)ims__buf_addf(
                b, "person %s %s %lld %s %lld\n", list[i].name,
                ims_store_person_status_name(list[i].status), (long long)list[i].merged_into,
                list[i].birth_date ? list[i].birth_date : "-", (long long)list[i].n_faces);
    }
}

static void add_faces(struct people_library *p, struct ims_buf *b, struct ims_arena *arena)
{
    struct ims_store_face *list = NULL;

    (void)!test_check_ok(__FILE__, __LINE__, "faces",
                         ims_store_faces_by_id(p->s, p->faces, p->n_faces, arena, &list, &p->err),
                         &p->err);
    for (size_t i = 0; list && i < p->n_faces; i++)
        (void)ims__buf_addf(b, "face %lld %lld %s %d %lld\n", (long long)list[i].id,
                            (long long)list[i].person_id,
                            list[i].assigned_by ? list[i].assigned_by : "-", list[i].is_extra,
                            (long long)list[i].assigned_us);
}

static void add_said(struct people_library *p, struct ims_buf *b, struct ims_arena *arena)
{
    struct ims_store_rejection *r = NULL;
    struct ims_store_prototype *y = NULL;
    size_t n_r = 0, n_y = 0;

    (void)!test_check_ok(__FILE__, __LINE__, "rejections",
                         ims_store_rejections(p->s, 0, 0, arena, &r, &n_r, &p->err), &p->err);
    (void)!test_check_ok(
        __FILE__, __LINE__, "prototypes",
        ims_store_prototypes(p->s, p->face_model, 0, true, arena, &y, &n_y, &p->err), &p->err);
    for (size_t i = 0; i < n_r; i++)
        (void)ims__buf_addf(b, "not %lld %lld %lld\n", (long long)r[i].face_id,
                            (long long)r[i].person_id, (long long)r[i].created_us);
    /* by person; ids of rows may change, what they say may not */
    for (size_t k = 0; k < p->n_faces; k++) {
        for (size_t i = 0; i < n_y; i++) {
            if (y[i].face_id == p->faces[k])
                (void)ims__buf_addf(b, "prototype %lld %lld %s %d %lld\n", (long long)y[i].face_id,
                                    (long long)y[i].person_id, ims_store_role_name(y[i].role),
                                    y[i].is_pinned, (long long)y[i].pinned_us);
        }
    }
}

char *people_snapshot(struct people_library *p)
{
    struct ims_arena arena;
    struct ims_buf b;
    char *text;

    ims__arena_init(&arena, 0);
    ims__buf_init(&b, IMS_MAX_JSON_BYTES);
    (void)ims__buf_add_str(&b, "");
    add_persons(p, &b, &arena);
    add_faces(p, &b, &arena);
    add_said(p, &b, &arena);
    text = ims__buf_take(&b, NULL);
    ims__arena_release(&arena);
    return text;
}
