/* The list of all people: named persons, groups nobody named yet, and the faces that are in none.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_faces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum who { WHO_IDENTIFIED, WHO_UNIDENTIFIED, WHO_NOISE } who;

struct entry {
    who type;
    size_t nth; /* of its type: persons by name, clusters by size */
    int64_t id; /* of a person, a cluster */
    const char *name;
    int64_t n_faces;
    int64_t asset_id, face_id; /* the best one; 0 = none */
    double quality;
};

struct people {
    struct ims_arena arena;
    struct entry *entries;
    size_t n, cap;
    int64_t n_of[3];
};

static ims_status add(struct people *p, const struct entry *e, ims_err *err)
{
    void *entries = p->entries;

    if (!e->name || !ims__grow(&entries, &p->cap, p->n, sizeof(*p->entries), SIZE_MAX / sizeof(*p->entries)))
        return ims_fail(err, IMS_E_NOMEM, "http", 0, "people");
    p->entries = entries;
    p->entries[p->n] = *e;
    p->entries[p->n++].nth = (size_t)p->n_of[e->type]++;
    return IMS_OK;
}

/* ---- the three kinds ---- */

static ims_status add_persons(struct ims_http_context *cx, int64_t model_id, struct people *p, ims_err *err)
{
    const struct ims_store_person_filter filter = { .model_id = model_id, .has_status = true, .status = IMS_PERSON_ACTIVE };
    struct ims_store_person *found = NULL;
    size_t n = 0;
    ims_status st = ims_store_persons(cx->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, &p->arena, &found, &n, NULL, err);

    for (size_t i = 0; !st && i < n; i++) {
        const struct entry e = { .type = WHO_IDENTIFIED,
                                 .id = found[i].id,
                                 .name = found[i].name,
                                 .n_faces = found[i].n_faces,
                                 .asset_id = found[i].best_asset_id,
                                 .face_id = found[i].best_face_id };

        st = add(p, &e, err);
    }
    return st;
}

static const char *number_name(struct people *p, size_t number)
{
    char text[48];
    int n = snprintf(text, sizeof(text), "Unidentified Person %zu", number);

    return ims__arena_strndup(&p->arena, text, (size_t)n);
}

static ims_status add_clusters(struct ims_http_context *cx, int64_t model_id, struct people *p, ims_err *err)
{
    const struct ims_store_cluster_filter filter = { .model_id = model_id, .no_dismissed = true };
    struct ims_store_cluster *found = NULL;
    size_t n = 0;
    ims_status st = ims_store_clusters(cx->store, &filter, 0, 0, &p->arena, &found, &n, NULL, err);

    for (size_t i = 0; !st && i < n; i++) {
        const struct entry e = { .type = WHO_UNIDENTIFIED,
                                 .id = found[i].id,
                                 .name = number_name(p, i + 1),
                                 .n_faces = found[i].n_faces,
                                 .asset_id = found[i].best_asset_id,
                                 .face_id = found[i].best_face_id,
                                 .quality = found[i].avg_quality };

        st = add(p, &e, err);
    }
    return st;
}

static ims_status add_noise(struct ims_http_context *cx, int64_t model_id, struct people *p, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id,
                                                  .who = IMS_STORE_FACE_UNASSIGNED,
                                                  .is_unclustered = true };
    struct entry e = { .type = WHO_NOISE, .name = "Unknown Faces" };
    struct ims_store_face *best = NULL;
    size_t n = 0;
    ims_status st = ims_store_faces(cx->store, &filter, IMS_STORE_FACES_BY_QUALITY, 0, 1, &p->arena, &best, &n, &e.n_faces,
                                    err);

    if (st || !n)
        return st;
    e.asset_id = best->asset_id;
    e.face_id = best->id;
    return add(p, &e, err);
}

/* ---- order ---- */

/* By name: persons, then the groups that have none. */
static int compare_names(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    return (a->nth > b->nth) - (a->nth < b->nth);
}

static int compare_names_down(const void *a, const void *b)
{
    return compare_names(b, a);
}

static int compare_faces(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    if (a->n_faces != b->n_faces)
        return a->n_faces < b->n_faces ? -1 : 1;
    return compare_names(a, b);
}

static int compare_faces_down(const void *pa, const void *pb)
{
    const struct entry *a = pa, *b = pb;

    return a->n_faces == b->n_faces ? compare_names(a, b) : compare_faces(b, a);
}

static void sort(struct people *p, const ims_json *query)
{
    bool by_name = strcmp(ims__in_str(query, "sort_by", "face_count"), "name") == 0;
    bool is_up = strcmp(ims__in_str(query, "sort_order", "desc"), "asc") == 0;

    if (!p->n)
        return;
    if (by_name)
        qsort(p->entries, p->n, sizeof(*p->entries), is_up ? compare_names : compare_names_down);
    else
        qsort(p->entries, p->n, sizeof(*p->entries), is_up ? compare_faces : compare_faces_down);
}

/* ---- the reply ---- */

static ims_json *entry_json(const struct entry *e)
{
    static const char *const types[] = { "identified", "unidentified", "noise" };
    ims_json *o = ims__json_new_object();
    bool is_good = e->type == WHO_IDENTIFIED     ? ims__put_id(o, "id", IMS_ID_PERSON, e->id)
                   : e->type == WHO_UNIDENTIFIED ? ims__put_cluster(o, "id", e->id)
                                                 : ims__put_str(o, "id", IMS_API_NO_CLUSTER);

    return ims__whole(o, is_good && ims__put_str(o, "name", e->name) && ims__put_str(o, "type", types[e->type]) &&
                             ims__put_int(o, "faceCount", e->n_faces) &&
                             ims__put_asset_url(o, "thumbnailUrl", e->asset_id, "thumbnail") &&
                             (e->type == WHO_UNIDENTIFIED ? ims__put_num(o, "confidence", e->quality)
                                                          : ims__put_null(o, "confidence")) &&
                             ims__put_face_url(o, "faceThumbnailUrl", e->face_id));
}

static ims_json *people_json(const struct people *p)
{
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    bool is_good = list != NULL;

    for (size_t i = 0; is_good && i < p->n; i++)
        is_good = ims__json_add(list, entry_json(&p->entries[i])) == IMS_OK;
    list = ims__whole(list, is_good);
    return ims__whole(o, ims__put(o, "people", list) && ims__put_int(o, "total", (int64_t)p->n) &&
                             ims__put_int(o, "identifiedCount", p->n_of[WHO_IDENTIFIED]) &&
                             ims__put_int(o, "unidentifiedCount", p->n_of[WHO_UNIDENTIFIED]) &&
                             ims__put_int(o, "noiseCount", p->n_of[WHO_NOISE]));
}

IMS_API_HANDLER(ims__api_people_list)
{
    struct people p = { .n = 0 };
    int64_t model_id = 0;
    ims_status st = ims_people_model(cx->engine, &model_id, err);

    ims__arena_init(&p.arena, 0);
    if (!st && ims__in_bool(rq->query, "include_identified", true))
        st = add_persons(cx, model_id, &p, err);
    if (!st && model_id && ims__in_bool(rq->query, "include_unidentified", true))
        st = add_clusters(cx, model_id, &p, err);
    if (!st && model_id && ims__in_bool(rq->query, "include_noise", false))
        st = add_noise(cx, model_id, &p, err);
    if (!st) {
        sort(&p, rq->query);
        st = ims__reply_json(rp, 200, people_json(&p), err);
    }
    ims__free(p.entries);
    ims__arena_release(&p.arena);
    return st;
}
