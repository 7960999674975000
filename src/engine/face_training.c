/* Training on named faces: gather them, train, and keep what is better.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ims/face_training.h"

#include "base/fs.h"
#include "base/json.h"
#include "engine/engine_internal.h"
#include "people/projection/train.h"
#include "store/faces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORIGIN "training"
#define MAX_OF_A_PERSON 100 /* faces; more teach little and crowd out others */
#define MAX_FACES 40000     /* 80 MB of vectors */
#define MAX_NAMED 10000000

/* ---- the faces ---- */

struct named {
    int64_t face_id, person_id;
};

struct faces {
    struct named *named;
    size_t n, cap;
    int64_t *ids;
    uint32_t *persons; /* numbered from 0 */
    float *rows;
    int dim;
};

static void release_faces(struct faces *f)
{
    ims__free(f->named);
    ims__free(f->ids);
    ims__free(f->persons);
    ims__free(f->rows);
}

static ims_status add_named(void *arg, const struct ims_store_face_key *face, const float *vector,
                            ims_err *err)
{
    struct faces *f = arg;

    (void)vector;
    if (!ims__grow((void **)&f->named, &f->cap, f->n, sizeof(*f->named), MAX_NAMED))
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "gathering named faces");
    f->named[f->n++] = (struct named){ face->id, face->person_id };
    return IMS_OK;
}

static int by_person(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    if (x->person_id != y->person_id)
        return x->person_id < y->person_id ? -1 : 1;
    return (x->face_id > y->face_id) - (x->face_id < y->face_id);
}

static size_t run_length(const struct faces *f, size_t from)
{
    size_t end = from;

    while (end < f->n && f->named[end].person_id == f->named[from].person_id)
        end++;
    return end - from;
}

/* At most `most` faces of each person, spread over all of them; how many that makes. */
static size_t choose(struct faces *f, size_t most)
{
    uint32_t person = 0;
    size_t n = 0, run;

    for (size_t i = 0; i < f->n; i += run, person++) {
        size_t take;

        run = run_length(f, i);
        take = run < most ? run : most;
        for (size_t k = 0; k < take; k++, n++) {
            f->ids[n] = f->named[i + k * run / take].face_id;
            f->persons[n] = person;
        }
    }
    return n;
}

static ims_status read_faces(struct ims_engine *e, int64_t model_id, int dim, struct faces *f,
                             ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id, .who = IMS_STORE_FACE_ASSIGNED };
    size_t most = MAX_OF_A_PERSON, n;
    ims_status st = ims_store_face_vectors(e->store, &filter, add_named, f, err);

    if (st)
        return st;
    if (f->n)
        qsort(f->named, f->n, sizeof(*f->named), by_person);
    f->ids = ims__alloc(f->n, sizeof(*f->ids));
    f->persons = ims__alloc(f->n, sizeof(*f->persons));
    if (!f->ids || !f->persons)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "gathering named faces");
    while ((n = choose(f, most)) > MAX_FACES && most > 1)
        most = most * 3 / 4;
    f->n = n < MAX_FACES ? n : MAX_FACES;
    f->dim = dim;
    f->rows = ims__alloc(f->n * (size_t)dim, sizeof(float));
    if (!f->rows)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %zu faces", f->n);
    return ims_store_face_vectors_by_id(e->store, f->ids, f->n, dim, f->rows, err);
}

/* ---- the model and its versions ---- */

static ims_status find_model(struct ims_engine *e, int64_t *out_id, int *out_dim, ims_err *err)
{
    struct ims_store_model *models;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__engine_find_face_model(e, out_id, err);
    if (!st && !*out_id)
        st = ims_fail(err, IMS_E_NOT_FOUND, ORIGIN, 0,
                      "no faces have been looked for in this library; `imgsearch index` does that");
    if (!st)
        st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (models[i].id == *out_id)
            *out_dim = models[i].dim;
    }
    ims__arena_release(&arena);
    return st;
}

/* The version that serves, to go on from; NULL without one. */
static ims_status read_active(struct ims_engine *e, int64_t model_id, struct ims_projection **out,
                              ims_err *err)
{
    float *weights = NULL;
    void *state = NULL;
    size_t state_bytes = 0;
    int64_t id = 0;
    int dim;
    ims_status st = ims_store_active_projection(e->store, model_id, &id, err);

    if (st || !id)
        return st;
    st = ims_store_read_projection(e->store, id, &weights, &dim, &state, &state_bytes, err);
    if (!st && state)
        st = ims_projection_decode(out, state, state_bytes, "the training that serves", err);
    ims__free(weights);
    ims__free(state);
    return st;
}

static void add_rates(ims_json *o, const char *key, const struct ims_face_training_rates *r)
{
    ims_json *rates = ims__json_new_object();

    (void)ims__json_set(rates, "trueAcceptRate", ims__json_new_num(r->true_accepts));
    (void)ims__json_set(rates, "falseAcceptRate", ims__json_new_num(r->false_accepts));
    (void)ims__json_set(rates, "threshold", ims__json_new_num(r->threshold));
    (void)ims__json_set(o, key, rates);
}

/* What is written down with a version. */
static ims_status make_card(const struct ims_face_training_result *r, const struct ims_train_options *t,
                            char **out, ims_err *err)
{
    ims_json *o = ims__json_new_object();
    struct ims_buf text = { 0 };
    ims_status st;

    ims__buf_init(&text, IMS_PROJECTION_MAX_CARD_BYTES);
    (void)ims__json_set(o, "persons", ims__json_new_int((int64_t)r->persons));
    (void)ims__json_set(o, "personsHeldOut", ims__json_new_int((int64_t)r->persons_held_out));
    (void)ims__json_set(o, "faces", ims__json_new_int((int64_t)r->learned));
    (void)ims__json_set(o, "facesJudged", ims__json_new_int((int64_t)r->judged));
    (void)ims__json_set(o, "epochs", ims__json_new_int(r->epochs));
    (void)ims__json_set(o, "bestEpoch", ims__json_new_int(r->best_epoch));
    (void)ims__json_set(o, "margin", ims__json_new_num(t->margin));
    (void)ims__json_set(o, "learningRate", ims__json_new_num(t->learning_rate));
    (void)ims__json_set(o, "batch", ims__json_new_int(t->batch));
    (void)ims__json_set(o, "seed", ims__json_new_int((int64_t)t->seed));
    add_rates(o, "before", &r->before);
    add_rates(o, "after", &r->after);
    st = ims__json_write(o, 0, &text, err);
    ims__json_free(o);
    *out = st ? NULL : ims__buf_take(&text, NULL);
    if (!st && !*out)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "describing a training");
    ims__buf_release(&text);
    return st;
}

struct kept {
    int64_t model_id;
    const char *name, *card;
    const struct ims_projection *projection;
    const uint8_t *state;
    size_t state_bytes;
};

/* The new version and its turn, one after the other: without the second it is only there. */
static ims_status store_version(struct ims_engine *e, const struct kept *k,
                                struct ims_face_training_result *r, ims_err *err)
{
    struct ims_store_projection *rows;
    struct ims_arena arena;
    int64_t id = 0;
    size_t n = 0;
    ims_status st = ims_store_add_projection(e->store, k->model_id, k->name,
                                             ims_projection_weights(k->projection), k->state,
                                             k->state_bytes, k->card, &id, err);

    if (st)
        return st;
    ims__arena_init(&arena, 0);
    st = ims_store_projections(e->store, k->model_id, &arena, &rows, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (rows[i].id != id)
            continue;
        r->version = rows[i].version;
        snprintf(r->digest, sizeof(r->digest), "%s", rows[i].digest);
    }
    ims__arena_release(&arena);
    if (!st)
        st = ims_store_activate_projection(e->store, k->model_id, id, err);
    r->is_active = !st;
    return st;
}

/* The file first: when it cannot be written, the library stays as it was. */
static ims_status keep(struct ims_engine *e, int64_t model_id, const char *checkpoint,
                       struct ims_projection *p, const struct ims_train_options *t,
                       struct ims_face_training_result *r, ims_err *err)
{
    struct kept k = { .model_id = model_id, .projection = p, .name = "trained" };
    uint8_t *state = NULL;
    char *card = NULL;
    ims_status st = make_card(r, t, &card, err);

    if (!st)
        st = ims_projection_set_card(p, card, err);
    if (!st)
        st = ims_projection_encode(p, &state, &k.state_bytes, err);
    if (!st && checkpoint && *checkpoint) {
        k.name = ims__path_base(checkpoint);
        st = ims__write_file(checkpoint, state, k.state_bytes, err);
    }
    k.state = state;
    k.card = card;
    if (!st)
        st = store_version(e, &k, r, err);
    ims__free(state);
    ims__free(card);
    return st;
}

/* ---- the use cases ---- */

struct relay {
    const struct ims_face_training_options *options;
};

static bool on_epoch(void *arg, const struct ims_train_progress *p)
{
    const struct relay *r = arg;
    const struct ims_face_training_progress now = { p->epoch, p->n_epochs, p->loss, p->watched_loss,
                                                    p->watched_first };

    return !r->options->on_epoch || r->options->on_epoch(r->options->arg, &now);
}

static struct ims_train_options train_options(const struct ims_face_training_options *o,
                                              struct relay *relay)
{
    struct ims_train_options t = ims_train_defaults();

    t.margin = o->margin != 0.0 ? o->margin : t.margin;
    t.learning_rate = o->learning_rate != 0.0 ? o->learning_rate : t.learning_rate;
    t.epochs = o->epochs ? o->epochs : t.epochs;
    t.batch = o->batch ? o->batch : t.batch;
    t.min_faces = o->min_faces ? o->min_faces : t.min_faces;
    t.seed = o->seed;
    t.on_epoch = on_epoch;
    t.arg = relay;
    return t;
}

static struct ims_face_training_rates rates_of(const struct ims_separation *s)
{
    return (struct ims_face_training_rates){ s->true_accept_rate, s->false_accept_rate, s->threshold,
                                             s->mean_same, s->mean_different };
}

static struct ims_face_training_result result_of(const struct ims_train_report *r)
{
    return (struct ims_face_training_result){
        .persons = r->n_persons,
        .persons_held_out = r->n_persons_held_out,
        .learned = r->n_learned,
        .watched = r->n_watched,
        .judged = r->n_judged,
        .ignored = r->n_ignored,
        .triplets = r->n_triplets,
        .same_pairs = r->before.n_same,
        .different_pairs = r->before.n_different,
        .epochs = r->epochs,
        .best_epoch = r->best_epoch,
        .watched_first = r->watched_first,
        .watched_best = r->watched_best,
        .before = rates_of(&r->before),
        .after = rates_of(&r->after),
        .gain = r->gain,
        .gain_error = r->gain_error,
        .is_better = r->is_better,
    };
}

ims_status ims_engine_train_faces(struct ims_engine *e, const struct ims_face_training_options *options,
                                  struct ims_face_training_result *out, ims_err *err)
{
    struct relay relay = { options };
    const struct ims_train_options t = train_options(options, &relay);
    struct ims_projection *from = NULL, *trained = NULL;
    struct ims_face_training_result result = { 0 };
    struct ims_train_report report;
    struct faces faces = { 0 };
    int64_t model_id = 0;
    int dim = 0;
    ims_status st = find_model(e, &model_id, &dim, err);

    if (!st)
        st = read_faces(e, model_id, dim, &faces, err);
    if (!st && options->go_on)
        st = read_active(e, model_id, &from, err);
    if (!st)
        st = ims_train_projection(faces.rows, faces.persons, faces.n, (size_t)dim, &t, from, &trained,
                                  &report, err);
    if (!st) {
        result = result_of(&report);
        if (result.is_better && !options->is_dry_run)
            st = keep(e, model_id, options->checkpoint, trained, &t, &result, err);
    }
    if (!st)
        *out = result;
    ims_projection_free(from);
    ims_projection_free(trained);
    release_faces(&faces);
    return st;
}

ims_status ims_engine_face_trainings(struct ims_engine *e, ims_face_training_version_fn fn, void *arg,
                                     ims_err *err)
{
    struct ims_store_projection *rows;
    struct ims_arena arena;
    int64_t model_id = 0;
    size_t n = 0;
    int dim;
    ims_status st = find_model(e, &model_id, &dim, err);

    if (st)
        return st;
    ims__arena_init(&arena, 0);
    st = ims_store_projections(e->store, model_id, &arena, &rows, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        const struct ims_face_training_version v = { rows[i].version,      rows[i].name,
                                                     rows[i].digest,       rows[i].metrics_json,
                                                     rows[i].is_active,    rows[i].created_us };

        fn(arg, &v);
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims_engine_use_face_training(struct ims_engine *e, int version, ims_err *err)
{
    struct ims_store_projection *rows;
    struct ims_arena arena;
    int64_t model_id = 0, id = 0;
    size_t n = 0;
    int dim;
    ims_status st = find_model(e, &model_id, &dim, err);

    if (st)
        return st;
    ims__arena_init(&arena, 0);
    st = ims_store_projections(e->store, model_id, &arena, &rows, &n, err);
    for (size_t i = 0; !st && i < n; i++)
        id = rows[i].version == version ? rows[i].id : id;
    ims__arena_release(&arena);
    if (!st && version && !id)
        st = ims_fail(err, IMS_E_NOT_FOUND, ORIGIN, 0,
                      "there is no training %d; `imgsearch faces train --list` shows them", version);
    return st ? st : ims_store_activate_projection(e->store, model_id, id, err);
}
