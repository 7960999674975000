/* Clusters of faces: storing the result of a clustering, listing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/faces.h"
#include "store/store_internal.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

/* --- storing --- */

struct put_clusters {
    int64_t model_id;
    const char *method;
    struct ims_store_cluster_in *in;
    size_t n_in;
    int64_t *ids; /* of in, as stored */
    const struct ims_store_cluster_member *members;
    size_t n_members;
    struct ims_db_value *values;
    size_t n_stored;
};

static ims_status put_cluster(struct ims_store *s, const struct put_clusters *x, size_t i,
                              ims_err *err)
{
    struct ims_db_value confidence =
        isfinite(x->in[i].confidence) ? ims_db_double(x->in[i].confidence) : ims_db_null();
    bool is_found = false;
    ims_status st = IMS_OK;

    if (x->in[i].id)
        st = ims_db_get_int(s->db,
                            "UPDATE clusters SET method = $3, confidence = $4, updated_us = $5 "
                            "WHERE id = $1 AND model_id = $2 RETURNING id",
                            IMS_DB_ARGS(ims_db_int(x->in[i].id), ims_db_int(x->model_id),
                                        ims_db_text(x->method), confidence,
                                        ims_db_int(ims__now_us())),
                            &x->ids[i], &is_found, err);
    if (st || is_found)
        return st;
    return ims_db_get_int(s->db,
                          "INSERT INTO clusters (model_id, method, confidence, created_us, "
                          "updated_us) VALUES ($1, $2, $3, $4, $4) RETURNING id",
                          IMS_DB_ARGS(ims_db_int(x->model_id), ims_db_text(x->method), confidence,
                                      ims_db_int(ims__now_us())),
                          &x->ids[i], NULL, err);
}

static struct ims_db_value finite_or_null(bool has, float v)
{
    return has && isfinite(v) ? ims_db_double((double)v) : ims_db_null();
}

static ims_status count_member(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    (void)item;
    (void)row;
    (void)err;
    ++*(size_t *)arg;
    return IMS_OK;
}

static ims_status put_members(struct ims_store *s, struct put_clusters *x, ims_err *err)
{
    int64_t now_us = ims__now_us();

    x->n_stored = 0;
    for (size_t i = 0; i < x->n_members; i++) {
        const struct ims_store_cluster_member *m = &x->members[i];
        struct ims_db_value *v = x->values + 6 * i;

        v[0] = ims_db_int(m->face_id);
        v[1] = m->cluster < 0 ? ims_db_null() : ims_db_int(x->ids[m->cluster]);
        v[2] = finite_or_null(m->cluster >= 0, m->probability);
        v[3] = finite_or_null(true, m->outlier_score);
        v[4] = ims_db_int(now_us);
        v[5] = ims_db_int(x->model_id);
    }
    return ims_db_run_many(s->db,
                           "UPDATE faces SET cluster_id = $2, cluster_probability = $3, "
                           "outlier_score = $4, clustered_us = $5 WHERE id = $1 AND model_id = $6 "
                           "RETURNING 1",
                           x->values, 6, x->n_members, count_member, &x->n_stored, NULL, err);
}

ims_status ims__store_drop_empty_clusters(struct ims_store *s, ims_err *err)
{
    return ims_db_run(s->db,
                      "DELETE FROM clusters WHERE NOT EXISTS (SELECT 1 FROM faces f "
                      "WHERE f.cluster_id = clusters.id)",
                      IMS_DB_NO_ARGS, NULL, err);
}

static ims_status put_clusters(struct ims_store *s, void *arg, ims_err *err)
{
    struct put_clusters *x = arg;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < x->n_in; i++)
        st = put_cluster(s, x, i, err);
    if (!st)
        st = put_members(s, x, err);
    return st ? st : ims__store_drop_empty_clusters(s, err);
}

ims_status ims_store_put_clusters(struct ims_store *s, int64_t model_id, const char *method,
                                  struct ims_store_cluster_in *clusters, size_t n_clusters,
                                  const struct ims_store_cluster_member *members, size_t n_members,
                                  size_t *out_n_stored, ims_err *err)
{
    struct put_clusters x = { .model_id = model_id,
                              .method = method,
                              .in = clusters,
                              .n_in = n_clusters,
                              .members = members,
                              .n_members = n_members };
    ims_status st = IMS_OK;

    for (size_t i = 0; i < n_members; i++) {
        if (members[i].cluster >= 0 && (size_t)members[i].cluster >= n_clusters)
            return ims_fail(err, IMS_E_INVALID, "store", 0, "a member of cluster %d of %zu",
                            members[i].cluster, n_clusters);
    }
    x.ids = ims__zalloc(n_clusters, sizeof(*x.ids));
    x.values = ims__zalloc(n_members, 6 * sizeof(*x.values));
    st = x.ids && x.values ? ims__store_write(s, put_clusters, &x, err) : ims__store_nomem(err);
    for (size_t i = 0; !st && i < n_clusters; i++)
        clusters[i].id = x.ids[i];
    if (!st && out_n_stored)
        *out_n_stored = x.n_stored;
    ims__free(x.ids);
    ims__free(x.values);
    return st;
}

/* --- listing --- */

#define LIVE_FACES                                                                                 \
    "FROM faces f WHERE f.cluster_id = k.id AND EXISTS (SELECT 1 FROM assets t WHERE "             \
    "t.content_id = f.content_id AND t.deleted_us IS NULL)"

struct list_clusters {
    const struct ims_store_cluster_filter *filter;
    int64_t offset;
    int64_t limit;
    int64_t total;
    struct ims__store_list *list;
};

static ims_status take_cluster(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_cluster *c = ims__store_list_add(l, err);
    ims_status st;

    if (!c)
        return IMS_E_NOMEM;
    c->id = ims_db_column_int(row, 0);
    c->model_id = ims_db_column_int(row, 1);
    c->confidence = ims_db_column_double(row, 3);
    c->created_us = ims_db_column_int(row, 4);
    c->updated_us = ims_db_column_int(row, 5);
    c->n_faces = ims_db_column_int(row, 6);
    c->n_unassigned = ims_db_column_int(row, 7);
    c->avg_quality = ims_db_column_double(row, 8);
    c->best_face_id = ims_db_column_int(row, 9);
    c->person_id = ims_db_column_int(row, 10);
    c->best_asset_id = ims_db_column_int(row, 12);
    st = ims__store_string(l->arena, row, 2, &c->method, err);
    return st ? st : ims__store_string(l->arena, row, 11, &c->person, err);
}

/* A group was dismissed as the faces it had. */
#define IS_DISMISSED                                                                               \
    "EXISTS (SELECT 1 FROM dismissed_groups d WHERE d.cluster_id = k.id AND d.n_faces = g.n AND "  \
    "NOT EXISTS (SELECT 1 " LIVE_FACES " AND replace(replace(d.face_ids_json, '[', ','), ']', "    \
    "',') NOT LIKE '%,' || CAST(f.id AS TEXT) || ',%'))"

static void add_cluster_filter(struct ims__store_sql *q, const struct ims_store_cluster_filter *f)
{
    ims__store_sql_add(q, "WHERE k.model_id = ? AND g.n > 0", IMS_DB_ARGS(ims_db_int(f->model_id)));
    if (f->id)
        ims__store_sql_add(q, " AND k.id = ?", IMS_DB_ARGS(ims_db_int(f->id)));
    if (!f->include_assigned)
        ims__store_sql_add(q, " AND g.n = g.n_unassigned", NULL, 0);
    if (f->no_dismissed)
        ims__store_sql_add(q, " AND NOT " IS_DISMISSED, NULL, 0);
    if (f->min_faces > 0)
        ims__store_sql_add(q, " AND g.n >= ?", IMS_DB_ARGS(ims_db_int(f->min_faces)));
    if (f->min_confidence > 0)
        ims__store_sql_add(q, " AND k.confidence >= ?",
                           IMS_DB_ARGS(ims_db_double(f->min_confidence)));
}

/* k: clusters, g: what is counted over the faces of each */
#define CLUSTER_TABLES                                                                             \
    "FROM clusters k JOIN (SELECT f.cluster_id AS id, count(*) AS n, count(*) - "                  \
    "count(f.person_id) AS n_unassigned, avg(f.quality) AS quality FROM faces f WHERE "            \
    "f.cluster_id IS NOT NULL AND EXISTS (SELECT 1 FROM assets t WHERE "                           \
    "t.content_id = f.content_id AND t.deleted_us IS NULL) GROUP BY f.cluster_id) g "              \
    "ON g.id = k.id "

static ims_status read_clusters(struct ims_store *s, void *arg, ims_err *err)
{
    struct list_clusters *x = arg;
    struct ims__store_sql count, page;
    ims_status st;

    x->list->n = 0;
    ims__store_sql_init(&count, "SELECT count(*) " CLUSTER_TABLES);
    ims__store_sql_init(
        &page,
        "SELECT z.*, p.name, (SELECT MIN(a.id) FROM faces b JOIN assets a ON a.content_id = "
        "b.content_id AND a.deleted_us IS NULL WHERE b.id = z.best) FROM ("
        "SELECT k.id, k.model_id, k.method, k.confidence, k.created_us, k.updated_us, g.n AS n, "
        "g.n_unassigned, g.quality, (SELECT f.id " LIVE_FACES " ORDER BY f.quality DESC, f.id "
        "LIMIT 1) AS best, (SELECT f.person_id " LIVE_FACES " AND f.person_id IS NOT NULL "
        "GROUP BY f.person_id ORDER BY count(*) DESC, f.person_id LIMIT 1) AS person_id "
        CLUSTER_TABLES);
    add_cluster_filter(&count, x->filter);
    add_cluster_filter(&page, x->filter);
    ims__store_sql_add(
        &page,
        " ORDER BY g.n DESC, k.id LIMIT ? OFFSET ?) z LEFT JOIN persons p ON p.id = z.person_id "
        "ORDER BY z.n DESC, z.id",
        IMS_DB_ARGS(ims_db_int(x->limit ? x->limit : INT64_MAX), ims_db_int(x->offset)));
    st = ims__store_sql_status(&count, err);
    if (!st)
        st = ims__store_sql_status(&page, err);
    if (!st)
        st = ims_db_get_int(s->db, count.text.data, count.values, count.n, &x->total, NULL, err);
    if (!st)
        st = ims__store_select(s, page.text.data, page.values, page.n, take_cluster, x->list, err);
    ims__store_sql_release(&count);
    ims__store_sql_release(&page);
    return st;
}

ims_status ims_store_clusters(struct ims_store *s, const struct ims_store_cluster_filter *filter,
                              int64_t offset, int64_t limit, struct ims_arena *arena,
                              struct ims_store_cluster **out, size_t *out_n, int64_t *out_total,
                              ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct list_clusters x = { filter, offset, limit, 0, &l };
    void *items = NULL;
    ims_status st;

    if (offset < 0 || limit < 0)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "offset and limit are not negative");
    st = ims__store_read(s, read_clusters, &x, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (st)
        return st;
    *out = items;
    if (out_total)
        *out_total = x.total;
    return IMS_OK;
}

/* --- samples --- */

struct sample {
    struct ims_store_cluster *clusters;
    size_t n, per_cluster;
    struct ims_arena *arena;
};

static ims_status take_sample(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct sample *x = arg;
    int64_t cluster_id = ims_db_column_int(row, 0);
    struct ims_store_cluster *c = NULL;

    for (size_t i = 0; !c && i < x->n; i++)
        c = x->clusters[i].id == cluster_id ? &x->clusters[i] : NULL;
    if (!c)
        return IMS_OK;
    if (!c->samples)
        c->samples = ims__arena_alloc(x->arena, x->per_cluster, sizeof(*c->samples));
    if (!c->samples)
        return ims__store_nomem(err);
    if (c->n_samples < x->per_cluster)
        c->samples[c->n_samples++] = ims_db_column_int(row, 1);
    return IMS_OK;
}

static ims_status read_samples(struct ims_store *s, void *arg, ims_err *err)
{
    struct sample *x = arg;
    struct ims__store_sql q;
    ims_status st;

    ims__store_sql_init(&q, "SELECT z.cluster_id, z.id FROM (SELECT f.cluster_id, f.id, row_number() OVER "
                            "(PARTITION BY f.cluster_id ORDER BY f.quality DESC, f.id) AS nth FROM faces f "
                            "WHERE EXISTS (SELECT 1 FROM assets t WHERE t.content_id = f.content_id AND "
                            "t.deleted_us IS NULL) AND f.cluster_id IN (");
    for (size_t i = 0; i < x->n; i++) {
        x->clusters[i].n_samples = 0;
        (void)ims__buf_addf(&q.text, "%s%lld", i ? "," : "", (long long)x->clusters[i].id);
    }
    ims__store_sql_add(&q, ")) z WHERE z.nth <= ? ORDER BY z.cluster_id, z.nth",
                       IMS_DB_ARGS(ims_db_int((int64_t)x->per_cluster)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_sample, x, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_sample_clusters(struct ims_store *s, struct ims_store_cluster *clusters, size_t n,
                                     size_t per_cluster, struct ims_arena *arena, ims_err *err)
{
    struct sample x = { clusters, n, per_cluster, arena };

    return n && per_cluster ? ims__store_read(s, read_samples, &x, err) : IMS_OK;
}
