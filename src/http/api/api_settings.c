/* The library's own settings: matching, suggestions, groups of unknown faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people.h"
#include "http/api/api.h"

#include <stdio.h>
#include <string.h>

#define CATEGORY "face_matching"
#define MAX_TEXT 64
#define MAX_MEMBERS 8

static const struct ims_people_setting *find_setting(const char *key)
{
    const struct ims_people_setting *s;

    for (size_t i = 0; (s = ims_people_setting_at(i)); i++) {
        if (strcmp(s->key, key) == 0)
            return s;
    }
    return NULL;
}

/* The word of that index. */
static void word_at(const char *words, size_t i, char *out, size_t size)
{
    for (; i && *words; i--) {
        words += strcspn(words, " ");
        words += *words == ' ';
    }
    snprintf(out, size, "%.*s", (int)strcspn(words, " "), words);
}

static void text_of(const struct ims_people_setting *s, double value, char *out, size_t size)
{
    switch (s->type) {
    case IMS_SETTING_INT:
        snprintf(out, size, "%lld", (long long)value);
        break;
    case IMS_SETTING_BOOL:
        snprintf(out, size, "%s", value > 0 ? "true" : "false");
        break;
    case IMS_SETTING_WORD:
        word_at(s->words, (size_t)value, out, size);
        break;
    case IMS_SETTING_FLOAT:
        snprintf(out, size, "%.15g", value);
        break;
    }
}

/* A JSON value as the setting's text. Floats are any number, whole numbers no booleans, booleans nothing else. */
static bool text_from(const struct ims_people_setting *s, const ims_json *v, char *out, size_t size)
{
    ims_json_type type = ims__json_type(v);

    switch (s->type) {
    case IMS_SETTING_INT:
        snprintf(out, size, "%lld", (long long)ims__json_int(v, 0));
        return type == IMS_JSON_INT;
    case IMS_SETTING_BOOL:
        snprintf(out, size, "%s", ims__json_bool(v, false) ? "true" : "false");
        return type == IMS_JSON_BOOL;
    case IMS_SETTING_WORD:
        snprintf(out, size, "%s", ims__json_str(v, NULL) ? ims__json_str(v, NULL) : "");
        return type == IMS_JSON_STRING;
    case IMS_SETTING_FLOAT:
        break;
    }
    snprintf(out, size, "%.15g", ims__json_num(v, 0));
    return type == IMS_JSON_INT || type == IMS_JSON_REAL;
}

/* ---- sets of settings under names of their own ---- */

struct member {
    const char *name; /* on the wire */
    const char *key;
};

static ims_status put_setting(struct ims_http_context *cx, ims_json *o, const struct member *m, ims_err *err)
{
    const struct ims_people_setting *s = find_setting(m->key);
    char text[MAX_TEXT];
    double value = 0;
    bool is_good;
    ims_status st = ims_people_setting(cx->engine, m->key, &value, err);

    if (st)
        return st;
    text_of(s, value, text, sizeof(text));
    if (s->type == IMS_SETTING_WORD)
        is_good = ims__put_str(o, m->name, text);
    else
        is_good = s->type == IMS_SETTING_INT ? ims__put_int(o, m->name, (int64_t)value) : ims__put_num(o, m->name, value);
    return is_good ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "settings");
}

static ims_status reply_set(struct ims_http_context *cx, const struct member *members, size_t n, struct ims_http_reply *rp,
                            ims_err *err)
{
    ims_json *o = ims__json_new_object();
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < n; i++)
        st = put_setting(cx, o, &members[i], err);
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}

/* All that the body names, or none of it. */
static ims_status store_set(struct ims_http_context *cx, const ims_json *body, const struct member *members, size_t n,
                            ims_err *err)
{
    char texts[MAX_MEMBERS][MAX_TEXT];
    const char *keys[MAX_MEMBERS], *values[MAX_MEMBERS];
    size_t k = 0;

    for (size_t i = 0; i < n && k < MAX_MEMBERS; i++) {
        const ims_json *v = ims__json_get(body, members[i].name);

        if (ims__json_type(v) == IMS_JSON_NULL)
            continue;
        if (!text_from(find_setting(members[i].key), v, texts[k], MAX_TEXT))
            return ims_fail(err, IMS_E_INVALID, "http", 0, "%s is of another type", members[i].name);
        keys[k] = members[i].key;
        values[k] = texts[k];
        k++;
    }
    return ims_people_set(cx->engine, keys, values, k, err);
}

/* ---- the sets ---- */

static const struct member matching[] = {
    { "auto_assign_threshold", "face_auto_assign_threshold" },
    { "suggestion_threshold", "face_suggestion_threshold" },
    { "max_suggestions", "face_suggestion_max_results" },
    { "suggestion_expiry_days", "face_suggestion_expiry_days" },
    { "prototype_min_quality", "face_prototype_min_quality" },
    { "prototype_max_exemplars", "face_prototype_max_exemplars" },
    { "post_training_suggestions_mode", "post_training_suggestions_mode" },
    { "post_training_suggestions_top_n_count", "post_training_suggestions_top_n_count" },
};
static const struct member paging[] = {
    { "groupsPerPage", "face_suggestion_groups_per_page" },
    { "itemsPerGroup", "face_suggestion_items_per_group" },
};
static const struct member unknown[] = {
    { "minConfidence", "unknown_person_default_threshold" },
    { "minClusterSize", "unknown_person_min_display_count" },
};

IMS_API_HANDLER(ims__api_matching_get)
{
    (void)rq;
    return reply_set(cx, matching, IMS_ARRAY_LEN(matching), rp, err);
}

IMS_API_HANDLER(ims__api_matching_put)
{
    ims_status st;

    if (ims__in_num(rq->body, "suggestion_threshold", 0) >= ims__in_num(rq->body, "auto_assign_threshold", 1))
        return ims__reply_error(rp, 400, "suggestion_threshold must be less than auto_assign_threshold");
    st = store_set(cx, rq->body, matching, IMS_ARRAY_LEN(matching), err);
    return st ? st : reply_set(cx, matching, IMS_ARRAY_LEN(matching), rp, err);
}

IMS_API_HANDLER(ims__api_paging_get)
{
    (void)rq;
    return reply_set(cx, paging, IMS_ARRAY_LEN(paging), rp, err);
}

IMS_API_HANDLER(ims__api_paging_put)
{
    ims_status st = store_set(cx, rq->body, paging, IMS_ARRAY_LEN(paging), err);

    return st ? st : reply_set(cx, paging, IMS_ARRAY_LEN(paging), rp, err);
}

IMS_API_HANDLER(ims__api_unknown_get)
{
    (void)rq;
    return reply_set(cx, unknown, IMS_ARRAY_LEN(unknown), rp, err);
}

IMS_API_HANDLER(ims__api_unknown_put)
{
    ims_status st = store_set(cx, rq->body, unknown, IMS_ARRAY_LEN(unknown), err);

    return st ? st : reply_set(cx, unknown, IMS_ARRAY_LEN(unknown), rp, err);
}

/* ---- one by one ---- */

static const char *type_name(ims_people_setting_type type)
{
    static const char *const names[] = { [IMS_SETTING_FLOAT] = "float",
                                         [IMS_SETTING_INT] = "int",
                                         [IMS_SETTING_BOOL] = "boolean",
                                         [IMS_SETTING_WORD] = "string" };

    return names[type];
}

static ims_json *words_json(const char *words)
{
    ims_json *list = ims__json_new_array();
    bool is_good = list != NULL;
    char word[MAX_TEXT];

    for (size_t i = 0; is_good; i++) {
        word_at(words, i, word, sizeof(word));
        if (!*word)
            break;
        is_good = ims__json_add(list, ims__json_new_str(word)) == IMS_OK;
    }
    return ims__whole(list, is_good);
}

static bool put_bounds(ims_json *o, const struct ims_people_setting *s)
{
    if (s->type == IMS_SETTING_FLOAT || s->type == IMS_SETTING_INT)
        return ims__put_num(o, "min_value", s->min) && ims__put_num(o, "max_value", s->max) &&
               ims__put_null(o, "allowed_values");
    return ims__put_null(o, "min_value") && ims__put_null(o, "max_value") &&
           (s->words ? ims__put(o, "allowed_values", words_json(s->words)) : ims__put_null(o, "allowed_values"));
}

static ims_status setting_json(struct ims_http_context *cx, const struct ims_people_setting *s, ims_json **out, ims_err *err)
{
    ims_json *o;
    char text[MAX_TEXT];
    double value = 0;
    ims_status st = ims_people_setting(cx->engine, s->key, &value, err);

    if (st)
        return st;
    text_of(s, value, text, sizeof(text));
    o = ims__json_new_object();
    *out = ims__whole(o, ims__put_str(o, "key", s->key) && ims__put_str(o, "value", text) &&
                             ims__put_str(o, "data_type", type_name(s->type)) && ims__put_str(o, "description", s->doc) &&
                             put_bounds(o, s) && ims__put_str(o, "category", CATEGORY));
    return *out ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "settings");
}

IMS_API_HANDLER(ims__api_settings_list)
{
    const char *category = ims__in_str(rq->path, "name", "");
    bool is_known = strcmp(category, CATEGORY) == 0;
    ims_json *o = ims__json_new_object(), *items = ims__json_new_array();
    const struct ims_people_setting *s;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && is_known && (s = ims_people_setting_at(i)); i++) {
        ims_json *one = NULL;

        st = setting_json(cx, s, &one, err);
        if (!st && ims__json_add(items, one))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "settings");
    }
    o = ims__whole(o, ims__put(o, "items", items) && ims__put_str(o, "category", category));
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}

/* The two thresholds keep their order, also when one is changed alone. */
static ims_status check_order(struct ims_http_context *cx, const struct ims_people_setting *s, const ims_json *value,
                              ims_err *err)
{
    double suggest = 0, assign = 0;
    ims_status st = ims_people_setting(cx->engine, "face_suggestion_threshold", &suggest, err);

    if (!st)
        st = ims_people_setting(cx->engine, "face_auto_assign_threshold", &assign, err);
    if (strcmp(s->key, "face_suggestion_threshold") == 0)
        suggest = ims__json_num(value, 0);
    else if (strcmp(s->key, "face_auto_assign_threshold") == 0)
        assign = ims__json_num(value, 0);
    else
        return st;
    return st || suggest < assign
               ? st
               : ims_fail(err, IMS_E_INVALID, "http", 0,
                          "face_suggestion_threshold must be less than face_auto_assign_threshold");
}

IMS_API_HANDLER(ims__api_setting_put)
{
    const char *key = ims__in_str(rq->path, "name", ""), *values[1];
    const ims_json *value = ims__json_get(rq->body, "value");
    const struct ims_people_setting *s = find_setting(key);
    char text[MAX_TEXT];
    ims_json *o;
    ims_status st;

    if (!s)
        return ims__reply_error(rp, 400, "there is no such setting");
    if (!text_from(s, value, text, sizeof(text)))
        return ims_fail(err, IMS_E_INVALID, "http", 0, "%s is of type %s", key, type_name(s->type));
    values[0] = text;
    st = check_order(cx, s, value, err);
    if (!st)
        st = ims_people_set(cx->engine, &key, values, 1, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_str(o, "key", key) && ims__put(o, "value", ims__json_dup(value)) &&
                                             ims__put_bool(o, "updated", true)),
                           err);
}
