/* Answering suggestions, and asking for more.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_progress.h"
#include "http/api/api_suggestions.h"

#include <stdio.h>
#include <string.h>

#define MAX_ERRORS 10

/* ---- one ---- */

static ims_status reply_suggestion(struct ims_http_context *cx, int64_t id, struct ims_http_reply *rp, ims_err *err)
{
    const struct ims_store_suggestion_filter filter = { .id = id };
    struct ims_store_suggestion *found = NULL;
    struct ims_arena arena;
    ims_json *list = NULL, *one;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = id > 0 ? ims_store_suggestions(cx->store, &filter, 0, 1, &arena, &found, &n, NULL, err) : IMS_OK;
    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no suggestion %lld", (long long)id);
    if (!st)
        st = ims__api_suggestions_json(cx, found, n, &list, err);
    ims__arena_release(&arena);
    if (st)
        return st;
    one = ims__json_dup(ims__json_at(list, 0));
    ims__json_free(list);
    return ims__reply_json(rp, 200, one, err);
}

static ims_status answer(struct ims_http_context *cx, int64_t id, bool is_accepted, ims_err *err)
{
    return is_accepted ? ims_people_accept(cx->engine, &ims__api_by, id, err)
                       : ims_people_reject_suggestion(cx->engine, &ims__api_by, id, err);
}

static ims_status answer_one(struct ims_http_context *cx, const struct ims_http_request *rq, bool is_accepted,
                             struct ims_http_reply *rp, ims_err *err)
{
    int64_t id = ims__in_int(rq->path, "suggestion_id", 0);
    ims_err why = { 0 };
    ims_status st = answer(cx, id, is_accepted, &why);

    if (st == IMS_E_CONSTRAINT) /* not pending any more, or the face is somebody by now */
        return ims__reply_error(rp, 400, why.text);
    if (!st)
        return reply_suggestion(cx, id, rp, err);
    return ims_fail(err, st, why.origin, why.native, "%s", why.text);
}

IMS_API_HANDLER(ims__api_suggestion_get)
{
    return reply_suggestion(cx, ims__in_int(rq->path, "suggestion_id", 0), rp, err);
}

IMS_API_HANDLER(ims__api_suggestion_accept)
{
    return answer_one(cx, rq, true, rp, err);
}

IMS_API_HANDLER(ims__api_suggestion_reject)
{
    return answer_one(cx, rq, false, rp, err);
}

/* ---- more of a person ---- */

const char *ims__api_find_more_func(const struct ims_api_find_more *what)
{
    return what->n_queries ? "find_more" : "find_more_centroid";
}

ims_status ims__api_push_find_more(struct ims_http_context *cx, const struct ims_api_find_more *what, int64_t *out_job,
                                   ims_err *err)
{
    const char *func = ims__api_find_more_func(what);
    ims_json *args = ims__json_new_object();
    char key[64];

    snprintf(key, sizeof(key), "%s:%lld", func, (long long)what->person_id);
    args = ims__whole(args, ims__put_int(args, "person", what->person_id) &&
                                ims__put_int(args, "prototypes", what->n_queries) &&
                                ims__put_int(args, "max", what->max_suggestions) &&
                                ims__put_num(args, "threshold", what->threshold));
    return ims__api_push_work(cx, func, key, args, out_job, err);
}

static ims_json *queued_json(const struct ims_store_person *p, const struct ims_api_find_more *what, int64_t job_id)
{
    ims_json *o = ims__json_new_object();
    char key[IMS_API_PROGRESS_KEY_BYTES];

    ims__api_progress_key(ims__api_find_more_func(what), p->id, job_id, key);
    return ims__whole(o, ims__put_id(o, "jobId", IMS_ID_JOB, job_id) && ims__put_id(o, "personId", IMS_ID_PERSON, p->id) &&
                             ims__put_str(o, "personName", p->name) &&
                             ims__put_int(o, "prototypeCount", what->n_queries ? what->n_queries : 1) &&
                             ims__put_int(o, "labeledFaceCount", p->n_faces) && ims__put_str(o, "status", "queued") &&
                             ims__put_str(o, "progressKey", key));
}

static ims_status find_more(struct ims_http_context *cx, const struct ims_http_request *rq, struct ims_api_find_more *what,
                            int64_t min_faces, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_store_person *person = NULL;
    struct ims_arena arena;
    int64_t job_id = 0;
    char text[120];
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__api_find_person(cx, ims__in_id(rq->path, "person_id", IMS_ID_PERSON), &arena, &person, err);
    if (!st && person->n_faces < min_faces) {
        snprintf(text, sizeof(text), "the person has %lld named faces; %lld are needed", (long long)person->n_faces,
                 (long long)min_faces);
        st = ims__reply_error(rp, 400, text);
    } else if (!st) {
        what->person_id = person->id;
        st = ims__api_push_find_more(cx, what, &job_id, err);
        if (!st)
            st = ims__reply_json(rp, 201, queued_json(person, what, job_id), err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_find_more)
{
    struct ims_api_find_more what = { .n_queries = ims__in_int(rq->body, "prototypeCount", IMS_PEOPLE_MORE_QUERIES),
                                      .max_suggestions = ims__in_int(rq->body, "maxSuggestions", 0),
                                      .threshold = ims__in_num(rq->body, "minConfidence", 0) };

    return find_more(cx, rq, &what, IMS_PEOPLE_MORE_MIN_FACES, rp, err);
}

#define MIN_CENTROID_FACES 5 /* of the contract */

IMS_API_HANDLER(ims__api_find_more_centroid)
{
    struct ims_api_find_more what = { .max_suggestions = ims__in_int(rq->body, "maxResults", 200),
                                      .threshold = ims__in_num(rq->body, "minSimilarity", 0.65) };

    return find_more(cx, rq, &what, MIN_CENTROID_FACES, rp, err);
}

/* ---- many ---- */

struct bulk {
    struct ims_http_context *cx;
    struct ims_arena arena;
    bool is_accepted;
    int64_t n_processed, n_failed;
    ims_json *errors;
    int64_t *persons; /* of accepted ones, each once */
    size_t n_persons;
};

static ims_status note_person(struct bulk *b, int64_t suggestion_id, ims_err *err)
{
    const struct ims_store_suggestion_filter filter = { .id = suggestion_id };
    struct ims_store_suggestion *s = NULL;
    size_t n = 0;
    ims_status st = ims_store_suggestions(b->cx->store, &filter, 0, 1, &b->arena, &s, &n, NULL, err);

    for (size_t i = 0; !st && n && i < b->n_persons; i++) {
        if (b->persons[i] == s->person_id)
            return IMS_OK;
    }
    if (!st && n)
        b->persons[b->n_persons++] = s->person_id;
    return st;
}

/* What is wrong with one does not stop the others; what is wrong with the library does. */
static ims_status bulk_one(struct bulk *b, int64_t id, ims_err *err)
{
    ims_err why = { 0 };
    ims_status st = answer(b->cx, id, b->is_accepted, &why);
    char *text;

    if (!st) {
        b->n_processed++;
        return b->is_accepted ? note_person(b, id, err) : IMS_OK;
    }
    if (st != IMS_E_NOT_FOUND && st != IMS_E_CONSTRAINT)
        return ims_fail(err, st, why.origin, why.native, "%s", why.text);
    if (b->n_failed++ >= MAX_ERRORS)
        return IMS_OK;
    text = ims__strfmt("%lld: %s", (long long)id, why.text);
    st = text ? ims__json_add(b->errors, ims__json_new_str(text)) : IMS_E_NOMEM;
    ims__free(text);
    return st ? ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions") : IMS_OK;
}

static ims_status bulk_find_more(struct bulk *b, int64_t n_queries, ims_json *jobs, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < b->n_persons; i++) {
        const struct ims_api_find_more what = { .person_id = b->persons[i], .n_queries = n_queries };
        struct ims_store_person *p = NULL;
        char key[IMS_API_PROGRESS_KEY_BYTES];
        int64_t job_id = 0;
        ims_json *o;

        st = ims__api_find_person(b->cx, b->persons[i], &b->arena, &p, err);
        if (st || p->n_faces < IMS_PEOPLE_MORE_MIN_FACES)
            continue;
        st = ims__api_push_find_more(b->cx, &what, &job_id, err);
        if (st)
            break;
        o = ims__json_new_object();
        ims__api_progress_key(ims__api_find_more_func(&what), p->id, job_id, key);
        o = ims__whole(o, ims__put_id(o, "personId", IMS_ID_PERSON, p->id) &&
                              ims__put_id(o, "jobId", IMS_ID_JOB, job_id) && ims__put_str(o, "progressKey", key));
        if (ims__json_add(jobs, o))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
    }
    return st;
}

IMS_API_HANDLER(ims__api_suggestions_bulk)
{
    const ims_json *ids = ims__json_get(rq->body, "suggestionIds");
    struct bulk b = { .cx = cx, .is_accepted = strcmp(ims__in_str(rq->body, "action", ""), "accept") == 0 };
    bool is_more = b.is_accepted && ims__in_bool(rq->body, "autoFindMore", false);
    ims_json *jobs = is_more ? ims__json_new_array() : ims__json_new_null(), *o = ims__json_new_object();
    bool is_good;
    ims_status st = IMS_OK;

    ims__arena_init(&b.arena, 0);
    b.errors = ims__json_new_array();
    b.persons = ims__arena_alloc(&b.arena, ims__json_len(ids) + 1, sizeof(*b.persons));
    if (!b.errors || !b.persons)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "suggestions");
    for (size_t i = 0; !st && i < ims__json_len(ids); i++)
        st = bulk_one(&b, ims__json_int(ims__json_at(ids, i), 0), err);
    if (!st && is_more)
        st = bulk_find_more(&b, ims__in_int(rq->body, "findMorePrototypeCount", IMS_PEOPLE_MORE_QUERIES), jobs, err);
    ims__arena_release(&b.arena);
    o = ims__whole(o, ims__put_int(o, "processed", b.n_processed) && ims__put_int(o, "failed", b.n_failed));
    is_good = ims__put(o, "errors", b.errors);
    is_good = ims__put(is_good ? o : NULL, "findMoreJobs", jobs);
    o = ims__whole(o, is_good);
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}
