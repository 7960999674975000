/* Settings of matching and clustering that belong to the library: every user of it sees the same.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "engine/people_internal.h"

#include <math.h>
#include <string.h>

static const struct ims_people_setting settings[] = {
    { "face_auto_assign_threshold", IMS_SETTING_FLOAT, 0.85, 0.5, 1, NULL,
      "Score from which a face becomes a person by itself." },
    { "face_suggestion_threshold", IMS_SETTING_FLOAT, 0.70, 0.3, 0.95, NULL,
      "Score from which a person is suggested." },
    { "face_suggestion_max_results", IMS_SETTING_INT, 50, 1, 200, NULL,
      "New suggestions of a person in a run." },
    { "face_suggestion_expiry_days", IMS_SETTING_INT, 30, 1, 365, NULL,
      "After which a pending suggestion expires." },
    { "face_prototype_min_quality", IMS_SETTING_FLOAT, 0.5, 0, 1, NULL,
      "Of a face that a person is recognised by." },
    { "face_prototype_max_exemplars", IMS_SETTING_INT, 5, 1, 20, NULL,
      "Faces that a person is recognised by." },
    { "face_suggestion_groups_per_page", IMS_SETTING_INT, 10, 1, 50, NULL,
      "Persons on a page of suggestions." },
    { "face_suggestion_items_per_group", IMS_SETTING_INT, 20, 1, 50, NULL,
      "Suggestions of a person on a page." },
    { "post_training_suggestions_mode", IMS_SETTING_WORD, 0, 0, 1, "all top_n",
      "Persons that are matched after indexing." },
    { "post_training_suggestions_top_n_count", IMS_SETTING_INT, 10, 1, 100, NULL,
      "How many of them, for top_n." },
    { "post_training_use_centroids", IMS_SETTING_BOOL, 1, 0, 1, NULL,
      "Compare with centroids beside prototypes." },
    { "centroid_min_faces_for_suggestions", IMS_SETTING_INT, 5, 1, 100, NULL,
      "Faces of a person from which its centroid counts." },
    { "unknown_person_min_display_count", IMS_SETTING_INT, 5, 1, 1000, NULL,
      "Faces of an unknown group from which it is shown." },
    { "unknown_person_default_threshold", IMS_SETTING_FLOAT, 0.70, 0, 1, NULL,
      "Confidence of an unknown group from which it is shown." },
    { "unknown_person_max_faces", IMS_SETTING_INT, 50000, 1000, 1000000, NULL,
      "Faces in a discovery of unknown persons." },
    { "unknown_person_chunk_size", IMS_SETTING_INT, 10000, 100, 50000, NULL,
      "Faces in a step of it." },
};

const struct ims_people_setting *ims_people_setting_at(size_t i)
{
    return i < IMS_ARRAY_LEN(settings) ? &settings[i] : NULL;
}

static const struct ims_people_setting *find_setting(const char *key)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(settings); i++) {
        if (strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

static ims_status unknown(const char *key, ims_err *err)
{
    char shown[IMS_SHOWN_BYTES];

    return ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no setting %s",
                    ims__shown(shown, sizeof(shown), key));
}

static bool parse_word(const char *words, const char *value, double *out)
{
    size_t n = strlen(value);
    int i = 0;

    for (const char *p = words; n && *p; i++) {
        size_t len = strcspn(p, " ");

        if (len == n && strncmp(p, value, n) == 0) {
            *out = i;
            return true;
        }
        p += len + (p[len] == ' ');
    }
    return false;
}

static bool parse_value(const struct ims_people_setting *s, const char *value, double *out)
{
    int64_t i;
    bool b;

    switch (s->type) {
    case IMS_SETTING_INT:
        if (!ims__parse_int(value, (int64_t)s->min, (int64_t)s->max, &i))
            return false;
        *out = (double)i;
        return true;
    case IMS_SETTING_BOOL:
        if (!ims__parse_bool(value, &b))
            return false;
        *out = b;
        return true;
    case IMS_SETTING_WORD:
        return parse_word(s->words, value, out);
    default:
        return ims__parse_double(value, s->min, s->max, out);
    }
}

static ims_status store_key(const char *key, char **out, ims_err *err)
{
    *out = ims__strfmt("people.%s", key);
    return *out ? IMS_OK : ims__people_nomem(err);
}

ims_status ims_people_setting(struct ims_engine *e, const char *key, double *out, ims_err *err)
{
    const struct ims_people_setting *s = find_setting(key);
    char *stored_key = NULL, *value = NULL;
    ims_status st;

    if (!s)
        return unknown(key, err);
    st = store_key(key, &stored_key, err);
    if (!st)
        st = ims_store_get_setting(e->store, stored_key, &value, err);
    if (!st &&
        (!value ||
         !parse_value(s, value, out))) /* an older program may have written what no longer fits */
        *out = s->fallback;
    ims__free(stored_key);
    ims__free(value);
    return st;
}

struct set {
    const char *const *keys;
    const char *const *values;
    size_t n;
};

static ims_status set_all(struct ims_store *s, void *arg, ims_err *err)
{
    const struct set *x = arg;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < x->n; i++) {
        char *key = NULL;

        st = store_key(x->keys[i], &key, err);
        if (!st)
            st = ims_store_set_setting(s, key, x->values[i], err);
        ims__free(key);
    }
    return st;
}

ims_status ims_people_set(struct ims_engine *e, const char *const *keys, const char *const *values,
                          size_t n, ims_err *err)
{
    struct set x = { keys, values, n };
    double ignored;

    for (size_t i = 0; i < n; i++) {
        const struct ims_people_setting *s = find_setting(keys[i]);

        if (!s)
            return unknown(keys[i], err);
        if (parse_value(s, values[i], &ignored))
            continue;
        return s->words
                   ? ims_fail(err, IMS_E_INVALID, "people", 0, "%s is one of: %s", s->key, s->words)
                   : ims_fail(err, IMS_E_INVALID, "people", 0, "%s is from %g to %g", s->key,
                              s->min, s->max);
    }
    return ims_store_transact(e->store, set_all, &x, err);
}
