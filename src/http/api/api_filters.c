/* Reading filters of searches and lists.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_filters.h"

#include "base/text.h"
#include "http/api/api_ids.h"

#include <stdio.h>
#include <string.h>

/* The first of the names that the object has as a text. */
static const char *any_of(const ims_json *o, const char *const *names, char *number, size_t size)
{
    for (; *names; names++) {
        const ims_json *v = ims__json_get(o, *names);

        if (ims__json_type(v) == IMS_JSON_INT) {
            snprintf(number, size, "%lld", (long long)ims__json_int(v, 0));
            return number;
        }
        if (ims__json_str(v, NULL) && *ims__json_str(v, NULL))
            return ims__json_str(v, NULL);
    }
    return NULL;
}

static ims_status set_category(struct ims_http_context *cx, int64_t id, struct ims_api_filters *f, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_category *all;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_categories(cx->store, &arena, &all, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (all[i].id == id)
            snprintf(f->category, sizeof(f->category), "%s", all[i].name);
    }
    ims__arena_release(&arena);
    if (!st && !f->category[0])
        st = ims_fail(err, IMS_E_INVALID, "http", 0, "there is no category %lld", (long long)id);
    f->filter.category = f->category;
    f->category_id = id;
    return st;
}

static ims_status set_dates(const ims_json *given, struct ims_api_filters *f, ims_err *err)
{
    static const char *const from[] = { "from_date", "fromDate", "dateFrom", "date_from", NULL };
    static const char *const until[] = { "to_date", "toDate", "dateTo", "date_to", NULL };
    char number[24];
    const char *a = any_of(given, from, number, sizeof(number)), *b = any_of(given, until, number, sizeof(number));
    int64_t unused;

    if (a && !ims__parse_date(a, &f->filter.from_us, &unused))
        return ims_fail(err, IMS_E_INVALID, "http", 0, "%.60s is not a date such as 2024-05-17", a);
    if (b && !ims__parse_date(b, &unused, &f->filter.until_us))
        return ims_fail(err, IMS_E_INVALID, "http", 0, "%.60s is not a date such as 2024-05-17", b);
    f->filter.has_from = a != NULL;
    f->filter.has_until = b != NULL;
    return IMS_OK;
}

/* Names of persons, separated by commas. One that is none of ours is in no picture. */
static ims_status set_persons(const char *text, struct ims_api_filters *f, ims_err *err)
{
    while (text && *text) {
        size_t n = strcspn(text, ",");
        char id[IMS_API_ID_BYTES] = "";

        if (f->filter.n_person_ids == IMS_API_MAX_PERSONS)
            return ims_fail(err, IMS_E_INVALID, "http", 0, "personId names more than %d persons", IMS_API_MAX_PERSONS);
        if (n < sizeof(id))
            memcpy(id, text, n);
        f->persons[f->filter.n_person_ids++] = ims__api_id_read(IMS_ID_PERSON, id);
        text += n + (text[n] == ',');
    }
    f->filter.person_ids = f->persons;
    return IMS_OK;
}

/* west,south,east,north */
static ims_status set_area(const char *text, struct ims_api_filters *f, ims_err *err)
{
    double *const sides[4] = { &f->filter.west, &f->filter.south, &f->filter.east, &f->filter.north };
    char copy[128];
    bool is_good = !text || strlen(text) < sizeof(copy);
    size_t n = 0;

    if (!text)
        return IMS_OK;
    snprintf(copy, sizeof(copy), "%s", text);
    for (char *save = NULL, *word = strtok_r(copy, ",", &save); word && is_good; word = strtok_r(NULL, ",", &save), n++) {
        double limit = n % 2 ? 90 : 180;

        is_good = n < 4 && ims__parse_double(word, -limit, limit, sides[n]);
    }
    if (!is_good || n != 4 || f->filter.south > f->filter.north)
        return ims_fail(err, IMS_E_INVALID, "http", 0, "area is west,south,east,north in degrees, such as 8.4,47.2,8.7,47.5");
    f->filter.has_area = true;
    return IMS_OK;
}

ims_status ims__api_filters_read(struct ims_http_context *cx, const ims_json *given, int64_t category_id,
                                 struct ims_api_filters *out, ims_err *err)
{
    static const char *const category[] = { "category_id", "categoryId", NULL };
    static const char *const folder[] = { "path_prefix", "pathPrefix", "folder", NULL };
    static const char *const person[] = { "personId", "person_id", NULL };
    static const char *const area[] = { "area", NULL };
    char number[24];
    const char *text = any_of(given, category, number, sizeof(number));
    ims_status st;

    *out = (struct ims_api_filters){ .category = "" };
    st = set_dates(given, out, err);
    if (!st && text && !ims__parse_int(text, 0, INT64_MAX, &category_id))
        st = ims_fail(err, IMS_E_INVALID, "http", 0, "%.60s is no category", text);
    if (!st && category_id >= 0)
        st = set_category(cx, category_id, out, err);
    if (!st)
        st = set_persons(any_of(given, person, number, sizeof(number)), out, err);
    if (!st)
        st = set_area(any_of(given, area, number, sizeof(number)), out, err);
    out->filter.path_prefix = any_of(given, folder, number, sizeof(number));
    return st;
}

struct ims_store_filter ims__api_filters_of_store(const struct ims_api_filters *f)
{
    const struct ims_search_filter *from = &f->filter;

    return (struct ims_store_filter){ .path_prefix = from->path_prefix,
                                      .has_taken_from = from->has_from,
                                      .has_taken_until = from->has_until,
                                      .taken_from_us = from->from_us,
                                      .taken_until_us = from->until_us,
                                      .category_id = f->category_id,
                                      .person_ids = from->person_ids,
                                      .n_person_ids = from->n_person_ids,
                                      .has_area = from->has_area,
                                      .west = from->west,
                                      .south = from->south,
                                      .east = from->east,
                                      .north = from->north };
}
