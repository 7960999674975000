/* Persons in the library: who is whom, every change of it as an event, and what follows from it.
 *
 * Everything that says who is whom - the person of a face, "not this person", the persons
 * themselves, the pins of prototypes - changes through an event, which keeps the state before and
 * after. So any event can be undone as long as what it left is still there, and replaying all events
 * gives the present. Prototypes without a pin, centroids and suggestions follow from that, are made
 * anew when it changes, and have no history.
 *
 * A change of several steps is one transaction:
 *
 *     static ims_status body(struct ims_store *s, void *arg, ims_err *err) {
 *         st = ims_store_event_begin(s, &what, &e, err);
 *         st = ims_store_assign_faces(s, &e, ...);
 *         return ims_store_event_end(s, &e, err);
 *     }
 *     ims_store_transact(s, body, arg, err);
 *
 * Functions that take an event work only there; every other function of the store may be called
 * inside as well and then becomes part of the transaction.
 *
 * Names: 1 to 255 characters of UTF-8 without control characters, white space at the ends cut off. Two
 * names are the same when their keys are: Unicode compatibility form with full case folding (NFKC_Casefold)
 * and runs of white space as one blank. So "Zoë" in either form, "ZOË" and "zoë" are one name, "Zoe" is
 * another. Keys of active and hidden persons are unique; merged and deleted persons keep their name for
 * the history, but it is free.
 *
 * Handles, threads, arenas, errors: as in store.h. Two changes that contradict each other: the second is
 * IMS_E_CONSTRAINT (or IMS_E_EXISTS for a name), whose text names what stands in the way.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STORE_PERSONS_H
#define IMS_STORE_PERSONS_H

#include "store/faces.h"

#define IMS_MAX_PERSON_NAME 255 /* characters */

/* Runs body in one writing transaction; body may run more than once (busy, lost connection), so it sets
 * its outputs anew each time. A failure of body undoes all. Within a transaction: simply runs body. */
typedef ims_status (*ims_store_body)(struct ims_store *s, void *arg, ims_err *err);
ims_status ims_store_transact(struct ims_store *s, ims_store_body body, void *arg,
                              ims_err *err) IMS_MUST_CHECK;

/* --- events --- */

/* Operations are the words of the HTTP API. */
#define IMS_EVENT_CREATE "CREATE_PERSON"
#define IMS_EVENT_UPDATE "UPDATE_PERSON"
#define IMS_EVENT_DELETE "DELETE_PERSON"
#define IMS_EVENT_MERGE "MERGE_PERSON"
#define IMS_EVENT_UNMERGE "UNMERGE_PERSON"
#define IMS_EVENT_SPLIT "SPLIT_PERSON"
#define IMS_EVENT_ASSIGN "ASSIGN_TO_PERSON"
#define IMS_EVENT_AUTO_ASSIGN "AUTO_ASSIGN_TO_PERSON"
#define IMS_EVENT_UNASSIGN "UNASSIGN_FROM_PERSON"
#define IMS_EVENT_REMOVE "REMOVE_FROM_PERSON"
#define IMS_EVENT_MOVE "MOVE_TO_PERSON"
#define IMS_EVENT_REJECT "REJECT_PERSON"
#define IMS_EVENT_PIN "PIN_PROTOTYPE"
#define IMS_EVENT_UNPIN "UNPIN_PROTOTYPE"
#define IMS_EVENT_IMPORT "IMPORT"
#define IMS_EVENT_CARRY "CARRY_OVER" /* names of a picture's faces onto those of its changed file */
#define IMS_EVENT_UNDO "UNDO"

struct ims_store_event_in {
    const char *operation;
    const char *actor;      /* who; NULL = unknown */
    int64_t from_person_id; /* 0 = none */
    int64_t to_person_id;
    const char *note;
};
/* An event being written. Plain values; of one transaction. */
struct ims_store_event {
    int64_t id;
    int64_t n_changes;
    int64_t created_us;
};
ims_status ims_store_event_begin(struct ims_store *s, const struct ims_store_event_in *in,
                                 struct ims_store_event *out, ims_err *err) IMS_MUST_CHECK;
/* Who the event is about, where that is known only later; 0 leaves it. */
ims_status ims_store_event_set_persons(struct ims_store *s, const struct ims_store_event *e,
                                       int64_t from_person_id, int64_t to_person_id,
                                       ims_err *err) IMS_MUST_CHECK;
/* Counts faces and photos of what was changed. An event that changed nothing is taken back: e->id is 0
 * then. */
ims_status ims_store_event_end(struct ims_store *s, struct ims_store_event *e,
                               ims_err *err) IMS_MUST_CHECK;

struct ims_store_event_face {
    int64_t face_id;
    int64_t asset_id; /* the first file that shows it; 0 = none is there */
};
struct ims_store_event_row {
    int64_t id;
    int64_t created_us;
    const char *operation;
    const char *actor; /* NULL = unknown */
    int64_t from_person_id;
    int64_t to_person_id;
    const char *from_person; /* their names now; NULL = none */
    const char *to_person;
    int64_t n_faces;
    int64_t n_photos;
    int64_t undoes;    /* event that this one took back; 0 = none */
    int64_t undone_by; /* 0 = it stands */
    const char *note;
    const struct ims_store_event_face *faces; /* n_listed that it changed, by asset; see ims_store_event_faces */
    size_t n_listed;
};
struct ims_store_event_filter {
    int64_t id;
    int64_t person_id; /* from, to or with a change of that person */
    const char *operation;
    int64_t since_us;
};
/* Newest first. limit 0 = all. */
ims_status ims_store_events(struct ims_store *s, const struct ims_store_event_filter *filter,
                            int64_t offset, int64_t limit, struct ims_arena *arena,
                            struct ims_store_event_row **out, size_t *out_n, int64_t *out_total,
                            ims_err *err) IMS_MUST_CHECK;

/* Fills in the faces of n listed events; in the arena. */
ims_status ims_store_event_faces(struct ims_store *s, struct ims_store_event_row *rows, size_t n, struct ims_arena *arena,
                                 ims_err *err) IMS_MUST_CHECK;

struct ims_store_change {
    const char *subject;     /* "face", "rejection", "person", "pin" */
    int64_t face_id;         /* 0 = not about a face */
    int64_t person_id;       /* of a rejection, a person */
    const char *before_json; /* NULL = was not there */
    const char *after_json;
};
/* In the order in which they were made. */
ims_status ims_store_event_changes(struct ims_store *s, int64_t event_id, struct ims_arena *arena,
                                   struct ims_store_change **out, size_t *out_n,
                                   ims_err *err) IMS_MUST_CHECK;

/* Ids of the persons whose faces the event changed, before or after; each once, in rising order. */
ims_status ims_store_event_persons(struct ims_store *s, int64_t event_id, struct ims_arena *arena,
                                   int64_t **out, size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* Puts back what the event changed, as a new event (operation IMS_EVENT_UNDO, or the one in `in`).
 * IMS_E_NOT_FOUND; IMS_E_EXISTS when it was undone before (naming by which event); IMS_E_CONSTRAINT when
 * something was changed since (naming the first and by which event), when a name is taken by now, or when
 * a person would be twice in a photo. is_partial: what was changed since stays as it is, and a face that
 * has gone is passed over; n_kept counts both. An undo can be undone; what it had taken back stands again
 * then, and can be undone again. */
struct ims_store_undo {
    int64_t event_id;
    bool is_partial;
    int64_t n_kept;            /* filled */
    struct ims_store_event by; /* filled; id 0 = there was nothing to put back */
};
ims_status ims_store_undo(struct ims_store *s, const struct ims_store_event_in *in,
                          struct ims_store_undo *undo, ims_err *err) IMS_MUST_CHECK;

/* --- persons --- */

typedef enum ims_store_person_status {
    IMS_PERSON_ACTIVE,
    IMS_PERSON_HIDDEN,
    IMS_PERSON_MERGED,
    IMS_PERSON_DELETED
} ims_store_person_status;
const char *ims_store_person_status_name(ims_store_person_status status); /* "active" ... */

struct ims_store_person {
    int64_t id;
    const char *name;
    ims_store_person_status status;
    int64_t merged_into;    /* 0 = not merged */
    const char *birth_date; /* "YYYY-MM-DD" or NULL */
    int64_t n_faces;        /* of the model asked for, of files that are there */
    int64_t n_photos;       /* contents */
    int64_t n_prototypes;   /* of that model, without excluded ones */
    int64_t best_face_id;   /* of best quality; 0 = none */
    int64_t best_asset_id;  /* the first file that shows it */
    int64_t created_us;
    int64_t updated_us;
};

/* What decides whether two names are the same, as a new string (ims__free). IMS_E_INVALID tells what is
 * wrong with a name. out_clean (may be NULL): the name without white space at its ends. */
ims_status ims_store_name_key(const char *name, char **out_key, char **out_clean,
                              ims_err *err) IMS_MUST_CHECK;

/* IMS_E_EXISTS names the person who has that name. birth_date may be NULL. */
ims_status ims_store_create_person(struct ims_store *s, struct ims_store_event *e, const char *name,
                                   const char *birth_date, int64_t *out_id,
                                   ims_err *err) IMS_MUST_CHECK;

struct ims_store_person_change {
    const char *name;       /* NULL = as it is */
    bool has_birth_date;    /* to be changed */
    const char *birth_date; /* NULL = clear it */
    bool has_status;
    ims_store_person_status status;
    int64_t merged_into; /* for IMS_PERSON_MERGED */
};
/* IMS_E_NOT_FOUND, IMS_E_EXISTS, IMS_E_INVALID (a date that is none). */
ims_status ims_store_change_person(struct ims_store *s, struct ims_store_event *e, int64_t id,
                                   const struct ims_store_person_change *change,
                                   ims_err *err) IMS_MUST_CHECK;

typedef enum ims_store_person_order {
    IMS_PERSONS_BY_NAME, /* by key */
    IMS_PERSONS_BY_FACES /* most first, then by name */
} ims_store_person_order;

struct ims_store_person_filter {
    int64_t model_id; /* whose faces are counted; 0 = any */
    int64_t id;
    bool has_status; /* else active and hidden */
    ims_store_person_status status;
    bool include_all; /* whatever the status */
};
/* limit 0 = all. */
ims_status ims_store_persons(struct ims_store *s, const struct ims_store_person_filter *filter,
                             ims_store_person_order order, int64_t offset, int64_t limit,
                             struct ims_arena *arena, struct ims_store_person **out, size_t *out_n,
                             int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* Active or hidden person of that name; *out_id 0 = there is none. */
ims_status ims_store_find_person(struct ims_store *s, const char *name, int64_t *out_id,
                                 ims_err *err) IMS_MUST_CHECK;
/* The person that a merged one is part of now, over any number of merges; others give themselves.
 * IMS_E_NOT_FOUND. */
ims_status ims_store_merged_root(struct ims_store *s, int64_t person_id, int64_t *out_id,
                                 ims_err *err) IMS_MUST_CHECK;

struct ims_store_photo {
    int64_t asset_id; /* the first file of its content that is there */
    const struct ims_store_face *faces; /* all of the model in it, from left to right */
    size_t n_faces;
};
/* Photos in which the model found the person, newest asset first. limit 0 = all. */
ims_status ims_store_person_photos(struct ims_store *s, int64_t model_id, int64_t person_id, int64_t offset,
                                   int64_t limit, struct ims_arena *arena, struct ims_store_photo **out,
                                   size_t *out_n, int64_t *out_total, ims_err *err) IMS_MUST_CHECK;

/* --- who a face is --- */

typedef enum ims_store_assigned_by {
    IMS_ASSIGNED_USER,
    IMS_ASSIGNED_CLUSTER,    /* by naming its cluster */
    IMS_ASSIGNED_SUGGESTION, /* by accepting a suggestion */
    IMS_ASSIGNED_AUTO,       /* its score was high enough */
    IMS_ASSIGNED_IMPORT,
    IMS_ASSIGNED_CARRIED
} ims_store_assigned_by;
const char *ims_store_assigned_by_name(ims_store_assigned_by by);

/* Why a face was not assigned. */
typedef enum ims_store_assign_result {
    IMS_ASSIGN_DONE,
    IMS_ASSIGN_SAME,       /* it is that person already */
    IMS_ASSIGN_OTHER,      /* it is somebody else, and may_move is not set */
    IMS_ASSIGN_SAME_PHOTO, /* the person is in that photo already, and allow_extra is not set */
    IMS_ASSIGN_REJECTED,   /* the user said "not this person", and is_user is not set */
    IMS_ASSIGN_GONE        /* there is no such face */
} ims_store_assign_result;
const char *ims_store_assign_result_text(ims_store_assign_result r);

struct ims_store_assign {
    const int64_t *face_ids;
    size_t n;
    int64_t person_id; /* 0 = nobody */
    ims_store_assigned_by by;
    const double *scores; /* of each face, or NULL */
    bool may_move;        /* also from another person */
    bool allow_extra;     /* also where the person is in the photo already: noted on the face */
    bool overrules;       /* a rejection is taken back instead of obeyed: the user says so */
    bool keeps_origin;    /* of faces that were somebody: by, score and time stay (merging) */
    bool is_strict;       /* the first face that cannot be assigned is IMS_E_CONSTRAINT or
                           * IMS_E_NOT_FOUND; else it is passed over and its result tells why */
    ims_store_assign_result *results; /* filled, n of them; may be NULL */
    size_t n_changed;                 /* filled */
};
/* The earlier of two faces of one photo is preferred: hand them in by preference. Pins of faces that
 * change hands go (as part of the event), suggestions of assigned faces and those that came from faces that
 * changed hands expire. IMS_E_NOT_FOUND for the person; IMS_E_CONSTRAINT when it is merged or deleted. */
ims_status ims_store_assign_faces(struct ims_store *s, struct ims_store_event *e,
                                  struct ims_store_assign *what, ims_err *err) IMS_MUST_CHECK;

/* "Not this person": for good, for each face; those that are that person must be unassigned first
 * (IMS_E_CONSTRAINT). Pending suggestions of the pair become rejected. on = false takes it back. */
ims_status ims_store_reject(struct ims_store *s, struct ims_store_event *e, const int64_t *face_ids,
                            size_t n, int64_t person_id, bool on, ims_err *err) IMS_MUST_CHECK;
struct ims_store_rejection {
    int64_t face_id;
    int64_t person_id;
    int64_t created_us;
};
/* person_id 0, face_id 0 = any; by face, then person. */
ims_status ims_store_rejections(struct ims_store *s, int64_t face_id, int64_t person_id,
                                struct ims_arena *arena, struct ims_store_rejection **out,
                                size_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* --- prototypes --- */

typedef enum ims_store_role {
    IMS_ROLE_PRIMARY,
    IMS_ROLE_TEMPORAL, /* the face of an age era */
    IMS_ROLE_EXEMPLAR,
    IMS_ROLE_FALLBACK, /* the best of an era, though below the wanted quality */
    IMS_ROLE_EXCLUDED  /* the user does not want this face as one */
} ims_store_role;
const char *ims_store_role_name(ims_store_role role);

struct ims_store_prototype {
    int64_t id;
    int64_t person_id;
    int64_t face_id;
    ims_store_role role;
    const char *era; /* "infant" ... "senior", or NULL */
    bool is_pinned;
    const char *pinned_by;
    int64_t pinned_us;
    double quality; /* of the face */
    int64_t created_us;
};
/* person_id 0 = all persons that are active or hidden. By person; pinned first, then role, era, newest.
 * include_excluded: also those. */
ims_status ims_store_prototypes(struct ims_store *s, int64_t model_id, int64_t person_id,
                                bool include_excluded, struct ims_arena *arena,
                                struct ims_store_prototype **out, size_t *out_n,
                                ims_err *err) IMS_MUST_CHECK;

struct ims_store_prototype_in {
    int64_t face_id;
    ims_store_role role; /* not excluded */
    const char *era;     /* may be NULL */
};
/* The unpinned prototypes of a person among the faces of a model are now these: rows that stay keep their
 * id. Pinned and excluded faces stay as they are and must not be in the list; IMS_E_CONSTRAINT for a face that
 * is not that person. out_n_created, out_n_removed may be NULL. */
ims_status ims_store_put_prototypes(struct ims_store *s, int64_t model_id, int64_t person_id,
                                    const struct ims_store_prototype_in *in, size_t n,
                                    size_t *out_n_created, size_t *out_n_removed,
                                    ims_err *err) IMS_MUST_CHECK;
/* The user's word on one face: pinned with a role and era, excluded (IMS_ROLE_EXCLUDED), or neither (is_on
 * false: what was said is forgotten). IMS_E_NOT_FOUND; IMS_E_CONSTRAINT unless the face is that person. */
struct ims_store_pin {
    int64_t person_id;
    int64_t face_id;
    bool is_on;
    ims_store_role role;
    const char *era;
    const char *by; /* who */
    int64_t id;     /* of the prototype; filled */
};
ims_status ims_store_pin(struct ims_store *s, struct ims_store_event *e, struct ims_store_pin *pin,
                         ims_err *err) IMS_MUST_CHECK;

/* --- centroids --- */

struct ims_store_centroid {
    int64_t id;
    int64_t person_id;
    int64_t model_id;
    int64_t projection_id; /* 0 = none */
    int algorithm;
    int64_t n_faces;
    int64_t n_trimmed; /* left out as far from the others; of n_faces */
    const char *source_hash;
    const float *vector; /* dim of the model, unit length */
    int64_t created_us;
};
/* The active one becomes deprecated, this becomes active. id, created_us are filled. */
ims_status ims_store_put_centroid(struct ims_store *s, struct ims_store_centroid *c,
                                  ims_err *err) IMS_MUST_CHECK;
/* The active ones; person_id 0 = all. By person. */
ims_status ims_store_centroids(struct ims_store *s, int64_t model_id, int64_t projection_id,
                               int64_t person_id, struct ims_arena *arena,
                               struct ims_store_centroid **out, size_t *out_n,
                               ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_drop_centroids(struct ims_store *s, int64_t person_id, int64_t *out_n,
                                    ims_err *err) IMS_MUST_CHECK;

/* --- suggestions --- */

typedef enum ims_store_suggestion_status {
    IMS_SUGGESTION_PENDING,
    IMS_SUGGESTION_ACCEPTED,
    IMS_SUGGESTION_REJECTED,
    IMS_SUGGESTION_EXPIRED
} ims_store_suggestion_status;
const char *ims_store_suggestion_status_name(ims_store_suggestion_status status);

struct ims_store_suggestion {
    int64_t id;
    int64_t face_id;
    int64_t person_id;
    const char *person;          /* its name; reading only */
    int64_t source_face_id;      /* prototype that matched best; 0 = none */
    double confidence;           /* score of the matching prototype of best quality */
    double aggregate_confidence; /* best score */
    int64_t n_matches;
    const char *scores_json; /* {"face id of a prototype": score}; NULL = none */
    ims_store_suggestion_status status;
    int64_t created_us;
    int64_t reviewed_us; /* 0 = pending */
};
/* New pending suggestions (id, status, times are filled). One whose pair is pending already is renewed, if
 * its scores differ; one for a face that has a person, was rejected or has gone, or whose person is not
 * active, is passed over (id 0). */
ims_status ims_store_put_suggestions(struct ims_store *s, struct ims_store_suggestion *items,
                                     size_t n, size_t *out_n_new, ims_err *err) IMS_MUST_CHECK;
struct ims_store_suggestion_filter {
    int64_t id;
    int64_t person_id;
    int64_t face_id;
    bool has_status;
    ims_store_suggestion_status status;
};
/* Highest confidence first (aggregate), then by id. limit 0 = all. */
ims_status ims_store_suggestions(struct ims_store *s,
                                 const struct ims_store_suggestion_filter *filter, int64_t offset,
                                 int64_t limit, struct ims_arena *arena,
                                 struct ims_store_suggestion **out, size_t *out_n,
                                 int64_t *out_total, ims_err *err) IMS_MUST_CHECK;
/* The same by person. */
struct ims_store_suggestion_group {
    int64_t person_id;
    const char *person; /* its name */
    int64_t n;
    double max_confidence; /* aggregate */
};
/* Highest confidence first, then by person. limit 0 = all. out_n_groups, out_total (may be NULL): groups, and suggestions in
 * them, on all pages. */
ims_status ims_store_suggestion_groups(struct ims_store *s, const struct ims_store_suggestion_filter *filter, int64_t offset,
                                       int64_t limit, struct ims_arena *arena, struct ims_store_suggestion_group **out,
                                       size_t *out_n, int64_t *out_n_groups, int64_t *out_total,
                                       ims_err *err) IMS_MUST_CHECK;
/* How many there are: by status. */
struct ims_store_suggestion_counts {
    int64_t pending, accepted, rejected, expired;
};
ims_status ims_store_count_suggestions(struct ims_store *s, struct ims_store_suggestion_counts *out,
                                       ims_err *err) IMS_MUST_CHECK;
/* Ends a pending one. IMS_E_NOT_FOUND, IMS_E_CONSTRAINT when it is not pending any more. Accepting and
 * rejecting as a whole (with the face) is the engine's. */
ims_status ims_store_close_suggestion(struct ims_store *s, int64_t id,
                                      ims_store_suggestion_status status,
                                      ims_err *err) IMS_MUST_CHECK;
/* Pending ones become expired: made before a time (0 = any) and of a person (0 = any). */
ims_status ims_store_expire_suggestions(struct ims_store *s, int64_t person_id, int64_t before_us,
                                        int64_t *out_n, ims_err *err) IMS_MUST_CHECK;

/* --- groups that the user does not want to see --- */

struct ims_store_dismissed {
    int64_t id;
    const char *membership_hash;
    int64_t cluster_id; /* at that time */
    int64_t n_faces;
    const char *reason; /* may be NULL */
    bool is_noise;
    int64_t created_us;
};
/* The hash of a group: hex SHA-256 of the JSON array of its face ids as numbers in rising order, without
 * blanks. out: IMS_SHA256_HEX bytes. ids need not be sorted. */
ims_status ims_store_membership_hash(const int64_t *face_ids, size_t n, char *out,
                                     ims_err *err) IMS_MUST_CHECK;
/* Dismissing twice changes nothing. is_noise: the faces also leave their cluster. */
ims_status ims_store_dismiss(struct ims_store *s, const int64_t *face_ids, size_t n,
                             int64_t cluster_id, const char *reason, bool is_noise, int64_t *out_id,
                             ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_dismissed_groups(struct ims_store *s, struct ims_arena *arena,
                                      struct ims_store_dismissed **out, size_t *out_n,
                                      ims_err *err) IMS_MUST_CHECK;
ims_status ims_store_undismiss(struct ims_store *s, int64_t id, ims_err *err) IMS_MUST_CHECK;

#endif
