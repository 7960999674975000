/* Suggestions by person, and how many there are.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

static ims_status take_group(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_suggestion_group *g = ims__store_list_add(l, err);

    if (!g)
        return IMS_E_NOMEM;
    g->person_id = ims_db_column_int(row, 0);
    g->n = ims_db_column_int(row, 2);
    g->max_confidence = ims_db_column_double(row, 3);
    return ims__store_string(l->arena, row, 1, &g->person, err);
}

/* Groups and suggestions. */
static ims_status take_totals(void *arg, const struct ims_db_query *row, ims_err *err)
{
    int64_t *totals = arg;

    (void)err;
    totals[0] = ims_db_column_int(row, 0);
    totals[1] = ims_db_column_int(row, 1);
    return IMS_OK;
}

struct groups {
    struct ims__store_sql count, page;
    struct ims__store_list list;
    int64_t totals[2];
};

static ims_status read_groups(struct ims_store *s, void *arg, ims_err *err)
{
    struct groups *x = arg;
    ims_status st = ims__store_select(s, x->count.text.data, x->count.values, x->count.n, take_totals, x->totals, err);

    x->list.n = 0;
    return st ? st : ims__store_select(s, x->page.text.data, x->page.values, x->page.n, take_group, &x->list, err);
}

ims_status ims_store_suggestion_groups(struct ims_store *s, const struct ims_store_suggestion_filter *filter, int64_t offset,
                                       int64_t limit, struct ims_arena *arena, struct ims_store_suggestion_group **out,
                                       size_t *out_n, int64_t *out_n_groups, int64_t *out_total, ims_err *err)
{
    struct groups x = { .list = { .arena = arena, .item_size = sizeof(**out) } };
    void *items = NULL;
    ims_status st;

    ims__store_sql_init(&x.count, "SELECT count(DISTINCT x.person_id), count(*) FROM face_suggestions x WHERE 1 = 1");
    ims__store_sql_init(&x.page, "SELECT x.person_id, p.name, count(*), max(x.aggregate_confidence) FROM face_suggestions x "
                                 "JOIN persons p ON p.id = x.person_id WHERE 1 = 1");
    ims__suggestion_filter(&x.count, filter);
    ims__suggestion_filter(&x.page, filter);
    ims__store_sql_add(&x.page, " GROUP BY x.person_id, p.name ORDER BY max(x.aggregate_confidence) DESC, x.person_id", NULL,
                       0);
    st = ims__add_limit(&x.page, offset, limit, err);
    if (!st)
        st = ims__store_sql_status(&x.count, err);
    if (!st)
        st = ims__store_sql_status(&x.page, err);
    if (!st)
        st = ims__store_read(s, read_groups, &x, err);
    ims__store_sql_release(&x.count);
    ims__store_sql_release(&x.page);
    st = ims__store_list_end(&x.list, st, &items, out_n, err);
    if (st)
        return st;
    *out = items;
    if (out_n_groups)
        *out_n_groups = x.totals[0];
    if (out_total)
        *out_total = x.totals[1];
    return IMS_OK;
}

static ims_status take_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_suggestion_counts *c = arg;

    (void)err;
    c->pending = ims_db_column_int(row, 0);
    c->accepted = ims_db_column_int(row, 1);
    c->rejected = ims_db_column_int(row, 2);
    c->expired = ims_db_column_int(row, 3);
    return IMS_OK;
}

ims_status ims_store_count_suggestions(struct ims_store *s, struct ims_store_suggestion_counts *out, ims_err *err)
{
    return ims__store_select(s,
                             "SELECT count(CASE WHEN status = 'pending' THEN 1 END), count(CASE WHEN status = 'accepted' "
                             "THEN 1 END), count(CASE WHEN status = 'rejected' THEN 1 END), count(CASE WHEN status = "
                             "'expired' THEN 1 END) FROM face_suggestions",
                             NULL, 0, take_counts, out, err);
}
