/* The use cases about people: naming, correcting, undoing, suggesting, matching, moving names elsewhere.
 *
 * Each change is one transaction: the faces, what was said about them, the event that can undo it, and the
 * prototypes that follow. Two users who contradict each other: the second gets IMS_E_CONSTRAINT (IMS_E_EXISTS
 * for a name) with what stands in the way. Lists are the store's (store/persons.h, store/faces.h), built in the
 * caller's arena, for the face model that serves; their errors apply.
 *
 * One thread at a time per engine, as all of it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_ENGINE_PEOPLE_H
#define IMS_ENGINE_PEOPLE_H

#include "base/json.h"
#include "base/mem.h"
#include "ims/engine.h"
#include "people/identity/prototypes.h"
#include "store/persons.h"

/* Who makes a change and why; both may be NULL. */
struct ims_people_by {
    const char *actor;
    const char *note;
};

/* The library, for reading lists; and the model whose faces they are of (0: no faces were ever found). */
struct ims_store *ims_people_store(struct ims_engine *e);
ims_status ims_people_model(struct ims_engine *e, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

/* The event of the last change through this engine that succeeded: what undoing it takes. 0 = it changed nothing. */
int64_t ims_people_event(const struct ims_engine *e);

/* A person by its id ("12", "#12") or name. A name of digits is meant before an id. IMS_E_NOT_FOUND names the
 * closest names there are. is_merged_ok: ids of merged and deleted persons too. */
ims_status ims_people_find(struct ims_engine *e, const char *word, bool is_merged_ok,
                           int64_t *out_id, ims_err *err) IMS_MUST_CHECK;

/* --- persons --- */

ims_status ims_people_create(struct ims_engine *e, const struct ims_people_by *by, const char *name,
                             const char *birth_date, int64_t *out_id, ims_err *err) IMS_MUST_CHECK;
/* Name, date of birth, active or hidden. */
ims_status ims_people_change(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t person_id, const struct ims_store_person_change *change,
                             ims_err *err) IMS_MUST_CHECK;
/* Its faces are nobody's then; undoing brings all back. *out_n_faces may be NULL. */
ims_status ims_people_delete(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t person_id, size_t *out_n_faces, ims_err *err) IMS_MUST_CHECK;

/* `from` becomes part of `into`: faces, rejections; pins where `into` has none of that era. IMS_E_INVALID for
 * a person into itself; IMS_E_CONSTRAINT when both are in one photo, unless allow_extra. */
struct ims_people_merge {
    int64_t from, into;
    bool allow_extra;
    size_t n_faces; /* filled */
    int64_t event_id;
};
ims_status ims_people_merge(struct ims_engine *e, const struct ims_people_by *by,
                            struct ims_people_merge *what, ims_err *err) IMS_MUST_CHECK;
/* Takes back the last merge of a merged person. What was changed since stays (*out_n_kept). */
ims_status ims_people_unmerge(struct ims_engine *e, const struct ims_people_by *by,
                              int64_t person_id, int64_t *out_event_id, int64_t *out_n_kept,
                              ims_err *err) IMS_MUST_CHECK;
/* These faces of the person become a new person. IMS_E_CONSTRAINT for a face that is not that person. */
ims_status ims_people_split(struct ims_engine *e, const struct ims_people_by *by, int64_t person_id,
                            const int64_t *face_ids, size_t n, const char *name, int64_t *out_id,
                            ims_err *err) IMS_MUST_CHECK;

/* --- faces --- */

struct ims_people_assign {
    const int64_t *face_ids; /* by preference where two are of one photo */
    size_t n;
    int64_t person_id; /* or, when 0: */
    const char *name;  /* found, else made */
    bool may_move;     /* also from other persons */
    int64_t from_person_id; /* 0, or only faces that are this person: others are passed over, or with is_strict
                             * refused; results must be NULL */
    bool allow_extra;  /* also a second face in a photo */
    bool is_strict;    /* all or nothing, as in ims_store_assign */
    /* filled */
    ims_store_assign_result *results; /* n of them, or NULL when not wanted: by the caller */
    size_t n_changed;
    bool is_new_person;
    int64_t event_id; /* 0 = nothing changed */
};
/* By the user's word: rejections of the pair are taken back. */
ims_status ims_people_assign(struct ims_engine *e, const struct ims_people_by *by,
                             struct ims_people_assign *what, ims_err *err) IMS_MUST_CHECK;
/* The faces of a person in n pictures, in the arena. A copy of a picture stands for it; pictures that are not there are
 * passed over. */
ims_status ims_people_faces_in(struct ims_engine *e, const int64_t *asset_ids, size_t n, int64_t person_id,
                               struct ims_arena *arena, int64_t **out_face_ids, size_t *out_n, ims_err *err) IMS_MUST_CHECK;
/* They are nobody's then. is_rejected: and never that person again by themselves. Faces without a person are
 * passed over; person_id (0 = whoever): those of others too. */
ims_status ims_people_remove(struct ims_engine *e, const struct ims_people_by *by,
                             const int64_t *face_ids, size_t n, int64_t person_id, bool is_rejected,
                             size_t *out_n_changed, int64_t *out_event_id,
                             ims_err *err) IMS_MUST_CHECK;
/* "Not this person": those of the faces that are it are nobody's then, and none becomes it by itself again; on false takes
 * the word back. *out_n_removed may be NULL. */
ims_status ims_people_reject(struct ims_engine *e, const struct ims_people_by *by, const int64_t *face_ids, size_t n,
                             int64_t person_id, bool on, size_t *out_n_removed, ims_err *err) IMS_MUST_CHECK;

/* Names the unassigned faces of a cluster. IMS_E_NOT_FOUND when it vanished; IMS_E_CONSTRAINT when it changed
 * since `expected_hash` (of all its faces, ims_store_membership_hash; NULL = whatever it is), or when it has faces
 * but all of them have a person: by then somebody else named it. Of two faces of one photo the one of better
 * quality is named, unless allow_extra. */
struct ims_people_name_cluster {
    int64_t cluster_id;
    int64_t person_id;
    const char *name;
    const char *expected_hash;
    const int64_t *except; /* faces to be left out */
    size_t n_except;
    bool allow_extra;
    /* filled */
    int64_t named_person_id;
    size_t n_faces, n_skipped;
    bool is_new_person;
    int64_t event_id;
};
ims_status ims_people_name_cluster(struct ims_engine *e, const struct ims_people_by *by,
                                   struct ims_people_name_cluster *what,
                                   ims_err *err) IMS_MUST_CHECK;
/* The group is not shown any more; is_noise: its faces also leave the cluster. */
ims_status ims_people_dismiss_cluster(struct ims_engine *e, int64_t cluster_id, const char *reason,
                                      bool is_noise, ims_err *err) IMS_MUST_CHECK;

/* As ims_store_undo. */
ims_status ims_people_undo(struct ims_engine *e, const struct ims_people_by *by, int64_t event_id,
                           bool is_partial, int64_t *out_event_id, int64_t *out_n_kept,
                           ims_err *err) IMS_MUST_CHECK;

/* --- prototypes --- */

/* Pins a face (role primary, or temporal with an era; era NULL: that of the face's age), excludes it (role
 * excluded), or, is_on false, forgets what was said. One temporal pin for an era, max_prototypes / 2 primary
 * ones: IMS_E_LIMIT beyond. */
ims_status ims_people_pin(struct ims_engine *e, const struct ims_people_by *by,
                          struct ims_store_pin *pin, ims_err *err) IMS_MUST_CHECK;
/* Chooses anew; keep_pins false: forgets pins first (exclusions always stay). */
ims_status ims_people_choose_prototypes(struct ims_engine *e, const struct ims_people_by *by,
                                        int64_t person_id, bool keep_pins, size_t *out_n_created,
                                        size_t *out_n_removed, ims_err *err) IMS_MUST_CHECK;

/* --- matching --- */

struct ims_people_match {
    int64_t person_id;       /* only this person; 0 = all active ones */
    int64_t created_from_us; /* only faces found since; 0 = all unassigned */
    size_t max_faces;        /* 0 = all */
    const int64_t *queries;  /* of that person: compare with these faces, not its prototypes and centroid */
    size_t n_queries;
    bool by_centroid;        /* of that person: compare with its centroid alone */
    bool only_new;           /* suggestions that are pending already are passed over, not renewed */
    size_t max_suggestions;  /* of a person; 0 = the setting */
    bool is_after_indexing;  /* suggest only the persons that the setting post_training_suggestions_mode says */
    double auto_threshold;   /* 0 = the setting; above 1 = assign nothing by itself */
    double threshold;        /* for a suggestion; 0 = the setting */
    bool is_dry_run;
    bool (*on_progress)(void *arg, size_t done, size_t total); /* may be NULL; false ends the run */
    void *arg;
    /* filled */
    size_t n_faces, n_persons; /* compared */
    size_t n_candidates;       /* faces with at least the threshold */
    size_t n_known;            /* of them, passed over as only_new says */
    size_t n_assigned, n_suggested;
    size_t n_ambiguous; /* two persons were good enough: suggested instead of assigned */
    bool has_projection;
};
/* Compares unassigned faces with the prototypes and centroids of persons: a face whose best score reaches the
 * first threshold becomes that person, the second one makes a suggestion. What the user said is never
 * overruled, and nothing else is touched: no clustering is needed. */
ims_status ims_people_match(struct ims_engine *e, const struct ims_people_by *by,
                            struct ims_people_match *what, ims_err *err) IMS_MUST_CHECK;

/* More faces of a person, as suggestions: unassigned faces are compared with a draw of its faces, prototypes last, since
 * matching has compared with those already. Faces of quality and of photos of their own are drawn more likely; each at
 * most once, and the same faces as long as the person stays as it is. IMS_E_NOT_FOUND; IMS_E_CONSTRAINT for a person
 * with fewer than IMS_PEOPLE_MORE_MIN_FACES faces. */
#define IMS_PEOPLE_MORE_MIN_FACES 10
#define IMS_PEOPLE_MORE_QUERIES 50
#define IMS_PEOPLE_MORE_SUGGESTIONS 100
struct ims_people_more {
    int64_t person_id;
    size_t n_queries;       /* faces to draw; 0 = IMS_PEOPLE_MORE_QUERIES */
    size_t max_suggestions; /* 0 = IMS_PEOPLE_MORE_SUGGESTIONS */
    double threshold;       /* 0 = the setting for suggestions */
    bool (*on_progress)(void *arg, size_t done, size_t total); /* as of a match */
    void *arg;
    /* filled */
    size_t n_faces; /* of the person */
    size_t n_used;  /* of them, drawn */
    size_t n_candidates, n_known, n_suggested;
};
ims_status ims_people_find_more(struct ims_engine *e, const struct ims_people_by *by,
                                struct ims_people_more *what, ims_err *err) IMS_MUST_CHECK;

/* The closest persons of one face, best first: at most `limit` with at least `threshold`, without those that the user said
 * it is not. */
struct ims_people_candidate {
    int64_t person_id;
    const char *name;
    double score;
};
ims_status ims_people_candidates(struct ims_engine *e, int64_t face_id, double threshold,
                                 size_t limit, struct ims_arena *arena,
                                 struct ims_people_candidate **out, size_t *out_n,
                                 ims_err *err) IMS_MUST_CHECK;

/* Accepting makes the face that person, as one change with the suggestion; rejecting is "not this person".
 * IMS_E_CONSTRAINT when it is not pending, or the face is somebody by now. */
ims_status ims_people_accept(struct ims_engine *e, const struct ims_people_by *by,
                             int64_t suggestion_id, ims_err *err) IMS_MUST_CHECK;
ims_status ims_people_reject_suggestion(struct ims_engine *e, const struct ims_people_by *by,
                                        int64_t suggestion_id, ims_err *err) IMS_MUST_CHECK;
/* Those older than the setting face_suggestion_expiry_days; days > 0: than that. */
ims_status ims_people_expire(struct ims_engine *e, int64_t days, int64_t *out_n,
                             ims_err *err) IMS_MUST_CHECK;

struct ims_people_centroids {
    int64_t person_id; /* 0 = all */
    size_t min_faces;  /* persons with fewer have none; 0 = 2 */
    bool is_forced;    /* also those that are fresh */
    /* filled */
    size_t n_persons, n_made, n_fresh, n_too_few;
};
ims_status ims_people_centroids(struct ims_engine *e, struct ims_people_centroids *what,
                                ims_err *err) IMS_MUST_CHECK;

/* Is the centroid of a person what its faces say? */
typedef enum ims_centroid_state {
    IMS_CENTROID_FRESH,
    IMS_CENTROID_MISSING,
    IMS_CENTROID_STALE /* the person's faces, or the rule, changed since */
} ims_centroid_state;
/* *out: NULL when there is none; in the arena. */
ims_status ims_people_centroid_of(struct ims_engine *e, int64_t person_id, struct ims_arena *arena,
                                  struct ims_store_centroid **out, ims_centroid_state *out_state,
                                  ims_err *err) IMS_MUST_CHECK;

/* Faces near a person's centroid as it is, best first; of several whose pictures look the same (equal perceptual hash)
 * the best one. IMS_E_NOT_FOUND when there is no centroid. */
struct ims_people_near {
    int64_t person_id;
    double min_similarity;
    size_t max_faces;        /* > 0 */
    bool include_assigned;   /* also faces that are somebody else; never the person's own */
    bool include_prototypes; /* of others, of them */
    /* filled, in the arena */
    struct ims_people_near_face {
        int64_t face_id, asset_id;
        double score;
    } * faces;
    size_t n;
    int64_t centroid_id;
};
ims_status ims_people_near(struct ims_engine *e, struct ims_people_near *what, struct ims_arena *arena,
                           ims_err *err) IMS_MUST_CHECK;

/* --- moving names --- */

/* All persons, their faces and rejections as JSON (docs/notes/people.md has the form): faces are told by the
 * SHA-256 of their file and their box, so names come back after indexing again, elsewhere, or with other face
 * models. */
ims_status ims_people_export(struct ims_engine *e, ims_json **out, ims_err *err) IMS_MUST_CHECK;

struct ims_people_import {
    bool is_dry_run;
    bool may_move; /* also faces that are somebody else here */
    /* filled */
    size_t n_persons_made, n_persons_found;
    size_t n_assigned, n_same;
    size_t n_conflicts; /* somebody else here, or twice in a photo */
    size_t n_no_photo;  /* the picture is not in the library */
    size_t n_no_face;   /* no face overlaps the box */
    size_t n_rejections;
    int64_t event_id;
};
/* One change: IMS_E_FORMAT for what is no such JSON, and then nothing is changed. */
ims_status ims_people_import(struct ims_engine *e, const struct ims_people_by *by,
                             const ims_json *data, struct ims_people_import *what,
                             ims_err *err) IMS_MUST_CHECK;

/* --- settings (the library's own, store keys "people.<key>") --- */

typedef enum ims_people_setting_type {
    IMS_SETTING_FLOAT,
    IMS_SETTING_INT,
    IMS_SETTING_BOOL,
    IMS_SETTING_WORD
} ims_people_setting_type;
struct ims_people_setting {
    const char *key;
    ims_people_setting_type type;
    double fallback; /* words: index into words */
    double min, max;
    const char *words; /* of a word setting: "all top_n" */
    const char *doc;
};
/* NULL past the end. */
const struct ims_people_setting *ims_people_setting_at(size_t i);
/* The value in force; IMS_E_NOT_FOUND for an unknown key. Words give their index. */
ims_status ims_people_setting(struct ims_engine *e, const char *key, double *out,
                              ims_err *err) IMS_MUST_CHECK;
/* All n or none; IMS_E_NOT_FOUND for an unknown key, IMS_E_INVALID for a value that does not fit. */
ims_status ims_people_set(struct ims_engine *e, const char *const *keys, const char *const *values,
                          size_t n, ims_err *err) IMS_MUST_CHECK;

#endif
