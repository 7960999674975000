/* What the files about persons share: states as they stand in events, and writing them.
 *
 * A state is JSON of one form only (members in fixed order, no blanks), so two states are equal when
 * their texts are.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_STORE_PEOPLE_H
#define IMS_STORE_STORE_PEOPLE_H

#include "store/persons.h"
#include "store/store_internal.h"

#define IMS_STATE_BYTES 200 /* enough for the state of a face, a rejection, a pin */

/* --- store_states.c --- */

/* Who a face is. person_id 0: nobody. */
struct ims__face_state {
    int64_t person_id;
    ims_store_assigned_by by;
    bool has_score;
    double score;
    int64_t us;
    bool is_extra;
};
/* A face and what becomes of it. */
struct ims__face_change {
    int64_t face_id;
    struct ims__face_state before;
    struct ims__face_state after;
};
/* A user's word on a prototype. */
struct ims__pin_state {
    bool is_on;
    int64_t person_id;
    ims_store_role role;
    char era[16]; /* "" = none */
    char by[64];
    int64_t us;
};

/* The text of a state into out[IMS_STATE_BYTES]; false (and "") for the state that is none. */
bool ims__face_state_text(const struct ims__face_state *state, char *out);
bool ims__pin_state_text(const struct ims__pin_state *state, char *out);
/* text NULL: the state that is none. IMS_E_CORRUPT. */
ims_status ims__face_state_parse(const char *text, struct ims__face_state *out,
                                 ims_err *err) IMS_MUST_CHECK;
ims_status ims__pin_state_parse(const char *text, struct ims__pin_state *out,
                                ims_err *err) IMS_MUST_CHECK;

ims_store_role ims__parse_role(const char *name); /* excluded when it is none */
struct ims_db_value ims__int_or_null(int64_t v);  /* 0 gives a null */

/* Reads the columns FACE_STATE_COLUMNS from `column` on. */
#define IMS_FACE_STATE_COLUMNS                                                                     \
    "f.person_id, f.assigned_by, f.assigned_score, f.assigned_us, f.is_extra "
void ims__face_state_read(const struct ims_db_query *row, size_t column,
                          struct ims__face_state *out);

/* Writes face states, in this order, with the changes of the event and all that follows from them: pins
 * and prototypes of faces that change hands go, suggestions expire. */
ims_status ims__face_states_put(struct ims_store *s, struct ims_store_event *e,
                                const struct ims__face_change *changes, size_t n,
                                ims_err *err) IMS_MUST_CHECK;
ims_status ims__pin_state_get(struct ims_store *s, int64_t face_id, struct ims__pin_state *out,
                              ims_err *err) IMS_MUST_CHECK;
ims_status ims__pin_state_put(struct ims_store *s, struct ims_store_event *e, int64_t face_id,
                              const struct ims__pin_state *before,
                              const struct ims__pin_state *after, ims_err *err) IMS_MUST_CHECK;
/* created_us 0 = no rejection. */
ims_status ims__rejection_get(struct ims_store *s, int64_t face_id, int64_t person_id,
                              int64_t *out_created_us, ims_err *err) IMS_MUST_CHECK;
ims_status ims__rejection_put(struct ims_store *s, struct ims_store_event *e, int64_t face_id,
                              int64_t person_id, int64_t before_us, int64_t after_us,
                              ims_err *err) IMS_MUST_CHECK;

/* --- store_persons.c --- */

ims_store_person_status ims__parse_person_status(const char *name); /* deleted when it is none */

/* A person in full; strings in the arena. */
struct ims__person_state {
    const char *name;
    const char *name_key;
    ims_store_person_status status;
    int64_t merged_into;
    const char *birth_date; /* NULL = none */
};
ims_status ims__person_state_get(struct ims_store *s, int64_t id, struct ims_arena *arena,
                                 struct ims__person_state *out, ims_err *err) IMS_MUST_CHECK;
ims_status ims__person_state_put(struct ims_store *s, struct ims_store_event *e, int64_t id,
                                 const struct ims__person_state *before,
                                 const struct ims__person_state *after,
                                 ims_err *err) IMS_MUST_CHECK;
ims_status ims__person_state_text(const struct ims__person_state *p, struct ims_buf *out,
                                  ims_err *err) IMS_MUST_CHECK;
ims_status ims__person_state_parse(const char *text, struct ims_arena *arena,
                                   struct ims__person_state *out, ims_err *err) IMS_MUST_CHECK;
/* IMS_E_EXISTS when an active or hidden person other than id has the key. */
ims_status ims__person_name_is_free(struct ims_store *s, int64_t id, const char *key,
                                    const char *name, ims_err *err) IMS_MUST_CHECK;
/* IMS_E_NOT_FOUND, or IMS_E_CONSTRAINT when the person is merged or deleted. */
ims_status ims__person_is_usable(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;
bool ims__is_date(const char *text); /* YYYY-MM-DD of a day that exists */

/* --- store_events.c --- */

struct ims__change {
    const char *subject;
    int64_t face_id;   /* 0 = none */
    int64_t person_id; /* 0 = none */
    const char *before;
    const char *after;
};
/* Adds changes to the event. */
ims_status ims__event_note(struct ims_store *s, struct ims_store_event *e,
                           const struct ims__change *changes, size_t n,
                           ims_err *err) IMS_MUST_CHECK;
/* IMS_E_INVALID outside ims_store_transact: an event must not be half of a change. */
ims_status ims__event_check(struct ims_store *s, const struct ims_store_event *e,
                            ims_err *err) IMS_MUST_CHECK;

/* --- store_suggestions.c --- */

/* Adds the conditions of a filter over suggestions x. */
void ims__suggestion_filter(struct ims__store_sql *q, const struct ims_store_suggestion_filter *f);

/* --- lists with a count, in one view --- */

struct ims__page {
    struct ims__store_sql *count;
    struct ims__store_sql *page;
    ims__store_row on_row;
    struct ims__store_list *list;
    int64_t total;
};
/* Runs count and page, which are complete statements, unless st says that making them failed; releases both and gives the
 * list. out_total may be NULL. */
ims_status ims__read_page(struct ims_store *s, struct ims__page *p, ims_status st, void **out, size_t *out_n,
                          int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* Adds " LIMIT .. OFFSET ..", where limit 0 is none; IMS_E_INVALID for negative ones. */
ims_status ims__add_limit(struct ims__store_sql *q, int64_t offset, int64_t limit,
                          ims_err *err) IMS_MUST_CHECK;

#endif
