/* The training loop: batches, epochs, watching, early stop.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/train.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/projection/adam.h"
#include "people/projection/projection_internal.h"
#include "people/projection/train_split.h"
#include "people/projection/triplet.h"

#include <math.h>
#include <string.h>

#define FACES_OF_A_PERSON 4 /* in a batch */
#define MAX_WATCHED 1024    /* faces that are looked at after an epoch */

struct run {
    const struct ims_train_options *options;
    struct ims_train_split split;
    struct ims_triplet_work work;
    struct ims_projection *now, *best;
    uint64_t state;         /* of the random numbers */
    size_t *first;          /* of each learnt person's faces in split.learn, and the end of the last */
    size_t n_learnt;        /* persons */
    size_t *order;          /* of the persons in this epoch; then of a person's faces */
    size_t max_of_a_person; /* faces */
    float *rows;            /* of a batch */
    uint32_t *persons;
    float *watched; /* projected learn and watch rows, one after another */
};

struct ims_train_options ims_train_defaults(void)
{
    return (struct ims_train_options){ .margin = 0.2,
                                       .learning_rate = 1e-4,
                                       .epochs = 20,
                                       .batch = 32,
                                       .min_faces = 5,
                                       .seed = 1,
                                       .max_far = 0.001,
                                       .min_gain = 0.005,
                                       .patience = 5 };
}

static ims_status check_options(const struct ims_train_options *o, ims_err *err)
{
    if (!(o->margin > 0.0 && o->margin <= 1.0))
        return ims_fail(err, IMS_E_INVALID, "projection", 0,
                        "the triplet margin must be above 0 and at most 1");
    if (!(o->learning_rate >= 1e-6 && o->learning_rate <= 0.1))
        return ims_fail(err, IMS_E_INVALID, "projection", 0,
                        "the learning rate must be 0.000001 to 0.1");
    if (o->epochs < 1 || o->epochs > 1000)
        return ims_fail(err, IMS_E_INVALID, "projection", 0, "there must be 1 to 1000 epochs");
    if (o->batch < 4 || o->batch > 256)
        return ims_fail(err, IMS_E_INVALID, "projection", 0, "a batch must have 4 to 256 faces");
    return IMS_OK;
}

static ims_status open_run(struct run *r, size_t dim, ims_err *err)
{
    const struct ims_face_set *learn = &r->split.learn;
    const size_t batch = (size_t)r->options->batch;
    ims_status st = ims__triplet_work_init(&r->work, dim, batch, err);

    if (st)
        return st;
    r->first = ims__zalloc(r->split.n_persons + 1, sizeof(*r->first));
    r->rows = ims__alloc(batch * dim, sizeof(float));
    r->persons = ims__alloc(batch, sizeof(*r->persons));
    r->watched = ims__alloc((learn->n + r->split.watch.n) * dim, sizeof(float));
    r->order = ims__alloc(learn->n + r->split.n_persons, sizeof(*r->order));
    if (!r->first || !r->rows || !r->persons || !r->watched || !r->order)
        return ims_fail(err, IMS_E_NOMEM, "projection", 0, "training on %zu faces", learn->n);
    for (size_t i = 0; i < learn->n; i++) {
        if (i == 0 || learn->persons[i] != learn->persons[i - 1])
            r->first[r->n_learnt++] = i;
    }
    r->first[r->n_learnt] = learn->n;
    return IMS_OK;
}

static void close_run(struct run *r)
{
    ims__triplet_work_release(&r->work);
    ims_train_split_release(&r->split);
    ims_projection_free(r->now);
    ims_projection_free(r->best);
    ims__free(r->first);
    ims__free(r->order);
    ims__free(r->rows);
    ims__free(r->persons);
    ims__free(r->watched);
}

static void shuffle(size_t *items, size_t n, uint64_t *state)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = ims__train_random_below(state, i), t = items[i - 1];

        items[i - 1] = items[j];
        items[j] = t;
    }
}

/* Four faces (or all) of each of the next persons in `order`, which wraps round; *next moves on. */
static size_t fill_batch(struct run *r, size_t *next)
{
    const struct ims_face_set *learn = &r->split.learn;
    const size_t batch = (size_t)r->options->batch, dim = r->split.dim;
    const size_t of_each = batch / 2 < FACES_OF_A_PERSON ? batch / 2 : FACES_OF_A_PERSON;
    size_t *faces = r->order + r->split.n_persons;
    size_t n = 0, n_taken = 0;

    while (n + of_each <= batch && n_taken < r->n_learnt) {
        size_t p = r->order[(*next)++ % r->n_learnt];
        size_t from = r->first[p], n_faces = r->first[p + 1] - from;

        for (size_t i = 0; i < n_faces; i++)
            faces[i] = from + i;
        shuffle(faces, n_faces, &r->state);
        for (size_t i = 0; i < n_faces && i < of_each; i++, n++) {
            memcpy(r->rows + n * dim, learn->rows + faces[i] * dim, dim * sizeof(float));
            r->persons[n] = learn->persons[faces[i]];
        }
        n_taken++;
    }
    return n;
}

static double run_epoch(struct run *r, int epoch, struct ims_train_report *report)
{
    const struct ims_train_options *o = r->options;
    const size_t n_batches = (r->split.learn.n + (size_t)o->batch - 1) / (size_t)o->batch;
    const ims_mining mining = epoch * 2 <= o->epochs ? IMS_MINING_SEMI_HARD : IMS_MINING_HARD;
    size_t next = 0;
    double sum = 0.0;

    for (size_t i = 0; i < r->n_learnt; i++)
        r->order[i] = i;
    shuffle(r->order, r->n_learnt, &r->state);
    for (size_t b = 0; b < n_batches; b++) {
        size_t n = fill_batch(r, &next);

        ims__triplet_step(&r->work, r->now->weights, r->rows, r->persons, n, o->margin, mining);
        sum += r->work.loss;
        report->n_triplets += r->work.n_triplets;
        if (r->work.n_triplets == 0)
            continue;
        r->now->steps++;
        ims__adam_step(r->now->weights, r->now->first, r->now->second, r->work.gradient,
                       r->split.dim * r->split.dim, o->learning_rate, r->now->steps);
    }
    return sum / (double)n_batches;
}

/* The loss of one watched face: all faces of its person against the nearest of anybody else. */
static double watched_face(const float *cosines, const uint32_t *persons, size_t n, uint32_t person,
                           double margin)
{
    double nearest = -1.0, sum = 0.0;
    size_t n_same = 0;

    for (size_t i = 0; i < n; i++) {
        if (persons[i] != person && (double)cosines[i] > nearest)
            nearest = (double)cosines[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (persons[i] != person)
            continue;
        sum += fmax(0.0, nearest - (double)cosines[i] + margin);
        n_same++;
    }
    return n_same ? sum / (double)n_same : 0.0;
}

static ims_status watched_loss(struct run *r, double *out, ims_err *err)
{
    const struct ims_kernels *k = ims__kernels();
    const struct ims_face_set *learn = &r->split.learn, *watch = &r->split.watch;
    const size_t dim = r->split.dim;
    const size_t n = watch->n < MAX_WATCHED ? watch->n : MAX_WATCHED;
    float *mine = r->watched + learn->n * dim;
    float *cosines = ims__alloc(learn->n, sizeof(*cosines));
    double sum = 0.0;

    if (!cosines)
        return ims_fail(err, IMS_E_NOMEM, "projection", 0, "watching %zu faces", n);
    ims__projection_rows(r->now->weights, dim, learn->rows, learn->n, r->watched, NULL);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * watch->n / n; /* spread over all persons */

        ims__projection_rows(r->now->weights, dim, watch->rows + at * dim, 1, mine, NULL);
        k->dot_f32_rows(mine, r->watched, dim, learn->n, dim, cosines);
        sum += watched_face(cosines, learn->persons, learn->n, watch->persons[at], r->options->margin);
    }
    ims__free(cosines);
    *out = sum / (double)n;
    return IMS_OK;
}

static ims_status keep_best(struct run *r, ims_err *err)
{
    struct ims_projection *copy = NULL;
    ims_status st = ims_projection_dup(&copy, r->now, err);

    if (st)
        return st;
    ims_projection_free(r->best);
    r->best = copy;
    return IMS_OK;
}

static ims_status run_epochs(struct run *r, struct ims_train_report *report, ims_err *err)
{
    const struct ims_train_options *o = r->options;
    const int patience = o->patience > 0 ? o->patience : 5;
    ims_status st = watched_loss(r, &report->watched_first, err);

    report->watched_best = report->watched_first;
    if (!st)
        st = keep_best(r, err);
    for (int epoch = 1; !st && epoch <= o->epochs; epoch++) {
        struct ims_train_progress p = { .epoch = epoch,
                                        .n_epochs = o->epochs,
                                        .watched_first = report->watched_first };

        p.loss = run_epoch(r, epoch, report);
        st = watched_loss(r, &p.watched_loss, err);
        report->epochs = epoch;
        if (!st && p.watched_loss < report->watched_best) {
            report->watched_best = p.watched_loss;
            report->best_epoch = epoch;
            st = keep_best(r, err);
        }
        if (!st && o->on_epoch && !o->on_epoch(o->arg, &p))
            st = ims_fail(err, IMS_E_CANCELLED, "projection", 0, "face training was cancelled");
        /* Hard mining begins half-way; it gets its chance whatever came before. */
        if (epoch - report->best_epoch >= patience && epoch * 2 > o->epochs + 2 * patience)
            break;
    }
    return st;
}

/* Gallery: the learnt faces. Probes: the judged ones. */
static ims_status judge(struct run *r, struct ims_train_report *report, ims_err *err)
{
    const struct ims_face_set *learn = &r->split.learn, *held = &r->split.judge;
    const struct ims_train_options *o = r->options;
    const double max_far = o->max_far > 0.0 ? o->max_far : 0.001;
    const size_t dim = r->split.dim, n = learn->n + held->n;
    float *rows = ims__alloc(n * dim, sizeof(float)), *projected = ims__alloc(n * dim, sizeof(float));
    uint32_t *persons = ims__alloc(n, sizeof(*persons));
    double *rates = ims__zalloc(2 * held->n, sizeof(*rates));
    struct ims_separation_faces f = { rows, persons, n, learn->n, dim };
    ims_status st;

    if (!rows || !projected || !persons || !rates) {
        st = ims_fail(err, IMS_E_NOMEM, "projection", 0, "judging %zu faces", held->n);
        goto out;
    }
    memcpy(rows, learn->rows, learn->n * dim * sizeof(float));
    memcpy(rows + learn->n * dim, held->rows, held->n * dim * sizeof(float));
    memcpy(persons, learn->persons, learn->n * sizeof(*persons));
    memcpy(persons + learn->n, held->persons, held->n * sizeof(*persons));
    st = ims_separation_measure(&f, max_far, &report->before, rates, err);
    if (st)
        goto out;
    st = ims_projection_apply(r->best, rows, n, projected, err);
    if (st)
        goto out;
    f.rows = projected;
    st = ims_separation_measure(&f, max_far, &report->after, rates + held->n, err);
    if (!st && ims_separation_gain(rates, rates + held->n, held->n, &report->gain, &report->gain_error))
        report->is_better = report->after.true_accept_rate - report->before.true_accept_rate >=
                                (o->min_gain > 0.0 ? o->min_gain : 0.005) &&
                            report->gain > 2.0 * report->gain_error;
out:
    ims__free(rows);
    ims__free(projected);
    ims__free(persons);
    ims__free(rates);
    return st;
}

ims_status ims_train_projection(const float *rows, const uint32_t *persons, size_t n, size_t dim,
                                const struct ims_train_options *options,
                                const struct ims_projection *from, struct ims_projection **out,
                                struct ims_train_report *out_report, ims_err *err)
{
    struct run r = { .options = options, .state = options->seed };
    struct ims_train_report report = { 0 };
    ims_status st = check_options(options, err);

    if (!st && from && from->dim != dim)
        st = ims_fail(err, IMS_E_DIMENSION, "projection", 0,
                      "the checkpoint has %zu dimensions, the faces have %zu", from->dim, dim);
    if (!st)
        st = from ? ims_projection_dup(&r.now, from, err) : ims_projection_new(&r.now, dim, err);
    if (!st)
        st = ims_train_split_make(&r.split, rows, persons, n, dim, options->min_faces, options->seed,
                                  err);
    if (!st)
        st = open_run(&r, dim, err);
    if (!st)
        st = run_epochs(&r, &report, err);
    if (!st)
        st = judge(&r, &report, err);
    if (!st) {
        report.n_persons = r.split.n_persons;
        report.n_persons_held_out = r.split.n_persons_held_out;
        report.n_ignored = r.split.n_ignored;
        report.n_learned = r.split.learn.n;
        report.n_watched = r.split.watch.n;
        report.n_judged = r.split.judge.n;
        *out_report = report;
        *out = r.best;
        r.best = NULL;
    }
    close_run(&r);
    return st;
}
