/* What the user says to a suggestion.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "base/clock.h"

#define DAY_US ((int64_t)86400 * 1000000)

struct answer {
    int64_t id;
    bool is_accepted;
};

static ims_status find_suggestion(struct ims_store *s, int64_t id, struct ims_arena *arena,
                                  struct ims_store_suggestion **out, ims_err *err)
{
    const struct ims_store_suggestion_filter filter = { .id = id };
    size_t n = 0;
    ims_status st =
        id ? ims_store_suggestions(s, &filter, 0, 0, arena, out, &n, NULL, err) : IMS_OK;

    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no suggestion %lld",
                      (long long)id);
    return st;
}

/* Closed first: assigning would let it expire. */
static ims_status run_answer(struct ims__people_job *j, ims_err *err)
{
    const struct answer *x = j->ctx;
    struct ims_store_suggestion *s = NULL;
    struct ims_store_assign what = { .n = 1, .by = IMS_ASSIGNED_SUGGESTION, .is_strict = true };
    struct ims_arena arena;
    double score;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_suggestion(j->s, x->id, &arena, &s, err);
    if (!st)
        st = ims_store_close_suggestion(
            j->s, x->id, x->is_accepted ? IMS_SUGGESTION_ACCEPTED : IMS_SUGGESTION_REJECTED, err);
    if (!st && x->is_accepted) {
        score = s->aggregate_confidence;
        what.face_ids = &s->face_id;
        what.person_id = s->person_id;
        what.scores = &score;
        st = ims_store_assign_faces(j->s, &j->ev, &what, err);
    } else if (!st) {
        st = ims_store_reject(j->s, &j->ev, &s->face_id, 1, s->person_id, true, err);
    }
    if (!st)
        st = ims_store_event_set_persons(j->s, &j->ev, x->is_accepted ? 0 : s->person_id,
                                         x->is_accepted ? s->person_id : 0, err);
    ims__arena_release(&arena);
    return st;
}

static ims_status answer(struct ims_engine *e, const struct ims_people_by *by, int64_t id,
                         bool is_accepted, ims_err *err)
{
    struct answer x = { id, is_accepted };
    struct ims__people_job j = { .e = e,
                                 .by = by,
                                 .operation = is_accepted ? IMS_EVENT_ASSIGN : IMS_EVENT_REJECT,
                                 .run = run_answer,
                                 .ctx = &x };

    return ims__people_run(&j, err);
}

ims_status ims_people_accept(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t suggestion_id, ims_err *err)
{
    return answer(e, by, suggestion_id, true, err);
}

ims_status ims_people_reject_suggestion(struct ims_engine *e, const struct ims_people_by *by,
                                        int64_t suggestion_id, ims_err *err)
{
    return answer(e, by, suggestion_id, false, err);
}

ims_status ims_people_expire(struct ims_engine *e, int64_t days, int64_t *out_n, ims_err *err)
{
    double fallback = 0;
    ims_status st = ims_people_setting(e, "face_suggestion_expiry_days", &fallback, err);

    if (days <= 0)
        days = (int64_t)fallback;
    return st ? st
              : ims_store_expire_suggestions(e->store, 0, ims__now_us() - days * DAY_US, out_n,
                                             err);
}
