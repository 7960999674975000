/* The jobs about people: looking for more faces of a person, suggesting anew, finding unknown persons.
 *
 * A job that is done again finds what the first try left: suggestions that are pending are not made twice.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/people.h"
#include "engine/work.h"

#include <stdio.h>

static const struct ims_people_by by_worker = { .actor = "worker" };

static bool tell_phase(struct ims_task *t, const char *phase, const char *message, size_t done, size_t total, bool at_once)
{
    char text[200];

    snprintf(text, sizeof(text), "{\"phase\":\"%s\",\"current\":%zu,\"total\":%zu,\"message\":\"%s\"}", phase, done, total,
             message);
    return at_once ? ims__task_tell(t, text) : ims__task_beat(t, text);
}

static bool on_searching(void *arg, size_t done, size_t total)
{
    struct ims_task *t = arg;

    if (done < total)
        return tell_phase(t, "searching", "comparing faces", done, total, false);
    return tell_phase(t, "creating", "writing suggestions", done, total, true);
}

static int64_t arg_int(const struct ims_task *t, const char *key, int64_t fallback)
{
    return ims__json_int(ims__json_get(t->args, key), fallback);
}

static double arg_num(const struct ims_task *t, const char *key, double fallback)
{
    return ims__json_num(ims__json_get(t->args, key), fallback);
}

/* The counts under the names that the web page shows. */
static ims_status leave_counts(struct ims_task *t, size_t used, size_t candidates, size_t known, size_t created, ims_err *err)
{
    t->result = ims__strfmt("{\"suggestionsCreated\":%zu,\"prototypesUsed\":%zu,\"candidatesFound\":%zu,"
                            "\"duplicatesSkipped\":%zu}",
                            created, used, candidates, known);
    return t->result ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "engine", 0, "a job's result");
}

ims_status ims__work_find_more(struct ims_task *t, ims_err *err)
{
    struct ims_people_more what = { .person_id = arg_int(t, "person", 0),
                                    .n_queries = (size_t)arg_int(t, "prototypes", 0),
                                    .max_suggestions = (size_t)arg_int(t, "max", 0),
                                    .threshold = arg_num(t, "threshold", 0),
                                    .on_progress = on_searching,
                                    .arg = t };
    ims_status st;

    (void)tell_phase(t, "selecting", "choosing faces to compare with", 0, 0, true);
    st = ims_people_find_more(t->engine, &by_worker, &what, err);
    return st ? st : leave_counts(t, what.n_used, what.n_candidates, what.n_known, what.n_suggested, err);
}

ims_status ims__work_find_more_centroid(struct ims_task *t, ims_err *err)
{
    struct ims_people_match what = { .person_id = arg_int(t, "person", 0),
                                     .by_centroid = true,
                                     .auto_threshold = 2,
                                     .threshold = arg_num(t, "threshold", 0),
                                     .only_new = true,
                                     .max_suggestions = (size_t)arg_int(t, "max", 0),
                                     .on_progress = on_searching,
                                     .arg = t };
    ims_status st = ims_people_match(t->engine, &by_worker, &what, err);

    return st ? st : leave_counts(t, 1, what.n_candidates, what.n_known, what.n_suggested, err);
}

/* Suggestions of a person by its prototypes and centroid, those that are pending renewed; before that, where asked,
 * the pending ones are put aside. */
ims_status ims__work_match(struct ims_task *t, ims_err *err)
{
    struct ims_people_match what = { .person_id = arg_int(t, "person", 0),
                                     .auto_threshold = 2,
                                     .on_progress = on_searching,
                                     .arg = t };
    ims_status st = IMS_OK;

    if (ims__json_bool(ims__json_get(t->args, "expire"), false))
        st = ims_store_expire_suggestions(ims_people_store(t->engine), what.person_id, t->job->created_us, NULL, err);
    if (!st)
        st = ims_people_match(t->engine, &by_worker, &what, err);
    return st ? st : leave_counts(t, what.n_persons, what.n_candidates, what.n_known, what.n_suggested, err);
}

/* A face was named: others that look like it. */
ims_status ims__work_propagate(struct ims_task *t, ims_err *err)
{
    int64_t face_id = arg_int(t, "face", 0);
    struct ims_people_match what = { .person_id = arg_int(t, "person", 0),
                                     .queries = &face_id,
                                     .n_queries = 1,
                                     .auto_threshold = 2,
                                     .only_new = true,
                                     .on_progress = on_searching,
                                     .arg = t };
    ims_status st = ims_people_match(t->engine, &by_worker, &what, err);

    return st ? st : leave_counts(t, 1, what.n_candidates, what.n_known, what.n_suggested, err);
}
