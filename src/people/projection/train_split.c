/* Splitting labelled faces: sort by person, drop copies, hold persons out, deal the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/train_split.h"

#include "base/mem.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint64_t ims__train_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

size_t ims__train_random_below(uint64_t *state, size_t below)
{
    return (size_t)(ims__train_random(state) % below);
}

/* A face to be sorted: by person, then by its numbers, so that copies are neighbours. */
struct labelled {
    uint32_t person;
    const float *row;
    size_t row_bytes;
};

static int compare_labelled(const void *a, const void *b)
{
    const struct labelled *x = a, *y = b;

    if (x->person != y->person)
        return x->person < y->person ? -1 : 1;
    return memcmp(x->row, y->row, x->row_bytes);
}

static ims_status check_rows(const float *rows, size_t n, size_t dim, ims_err *err)
{
    const struct ims_kernels *k = ims__kernels();

    for (size_t i = 0; i < n; i++) {
        float square = k->dot_f32(rows + i * dim, rows + i * dim, dim);

        if (!(fabsf(square - 1.0F) < 1e-3F))
            return ims_fail(err, IMS_E_INVALID, "projection", 0,
                            "the vector of face %zu does not have length 1", i);
    }
    return IMS_OK;
}

static void shuffle(struct labelled *faces, size_t n, uint64_t *state)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = ims__train_random_below(state, i);
        struct labelled t = faces[i - 1];

        faces[i - 1] = faces[j];
        faces[j] = t;
    }
}

static void add(struct ims_face_set *set, const struct labelled *faces, size_t n, uint32_t person,
                size_t dim)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(set->rows + (set->n + i) * dim, faces[i].row, faces[i].row_bytes);
        set->persons[set->n + i] = person;
    }
    set->n += n;
}

static bool room_for(struct ims_face_set *set, size_t n, size_t dim)
{
    size_t total;

    if (!ims__mul_size(n, dim, &total))
        return false;
    set->rows = ims__alloc(total, sizeof(float));
    set->persons = ims__alloc(n, sizeof(*set->persons));
    return set->rows && set->persons;
}

/* Faces sorted and without copies: *n becomes how many are left. */
static void drop_copies(struct labelled *faces, size_t *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < *n; i++) {
        if (kept && compare_labelled(&faces[kept - 1], &faces[i]) == 0)
            continue;
        faces[kept++] = faces[i];
    }
    *n = kept;
}

static size_t count_run(const struct labelled *faces, size_t n, size_t from)
{
    size_t end = from;

    while (end < n && faces[end].person == faces[from].person)
        end++;
    return end - from;
}

static size_t count_persons(const struct labelled *faces, size_t n, size_t min_faces)
{
    size_t persons = 0, run;

    for (size_t i = 0; i < n; i += run) {
        run = count_run(faces, n, i);
        persons += run >= min_faces;
    }
    return persons;
}

/* Chooses out->n_persons_held_out of the persons, evenly. */
static void hold_out(bool *is_held_out, size_t n_persons, size_t n_held_out, uint64_t *state)
{
    for (size_t left = n_persons, wanted = n_held_out; left > 0; left--) {
        bool take = ims__train_random_below(state, left) < wanted;

        is_held_out[left - 1] = take;
        wanted -= take;
    }
}

static void deal(struct ims_train_split *s, struct labelled *faces, size_t n, size_t min_faces,
                 const bool *is_held_out, uint64_t *state)
{
    uint32_t person = 0;
    size_t run;

    for (size_t i = 0; i < n; i += run) {
        size_t fifth;

        run = count_run(faces, n, i);
        if (run < min_faces) {
            s->n_ignored += run;
            continue;
        }
        shuffle(faces + i, run, state);
        fifth = run < 5 ? 1 : run / 5;
        if (is_held_out[person]) {
            add(&s->judge, faces + i, run, person, s->dim);
        } else {
            add(&s->judge, faces + i, fifth, person, s->dim);
            add(&s->watch, faces + i + fifth, fifth, person, s->dim);
            add(&s->learn, faces + i + 2 * fifth, run - 2 * fifth, person, s->dim);
        }
        person++;
    }
}

ims_status ims_train_split_make(struct ims_train_split *out, const float *rows,
                                const uint32_t *persons, size_t n, size_t dim, size_t min_faces,
                                uint64_t seed, ims_err *err)
{
    struct ims_train_split s = { .dim = dim };
    struct labelled *faces = NULL;
    bool *is_held_out = NULL;
    uint64_t state = seed;
    size_t distinct = n;
    ims_status st = check_rows(rows, n, dim, err);

    if (st)
        return st;
    if (min_faces < IMS_TRAIN_FEWEST_FACES)
        min_faces = IMS_TRAIN_FEWEST_FACES;
    faces = ims__alloc(n, sizeof(*faces));
    if (!faces || !room_for(&s.learn, n, dim) || !room_for(&s.watch, n, dim) ||
        !room_for(&s.judge, n, dim))
        goto no_memory;
    for (size_t i = 0; i < n; i++)
        faces[i] = (struct labelled){ persons[i], rows + i * dim, dim * sizeof(float) };
    qsort(faces, n, sizeof(*faces), compare_labelled);
    drop_copies(faces, &distinct);
    s.n_ignored = n - distinct;
    s.n_persons = count_persons(faces, distinct, min_faces);
    if (s.n_persons < 2) {
        st = ims_fail(err, IMS_E_INVALID, "projection", 0,
                      "training needs two persons with %zu different faces each, there %s %zu; name "
                      "more faces first",
                      min_faces, s.n_persons == 1 ? "is" : "are", s.n_persons);
        goto out;
    }
    s.n_persons_held_out = s.n_persons / 10 * 2;
    is_held_out = ims__zalloc(s.n_persons, sizeof(*is_held_out));
    if (!is_held_out)
        goto no_memory;
    hold_out(is_held_out, s.n_persons, s.n_persons_held_out, &state);
    deal(&s, faces, distinct, min_faces, is_held_out, &state);
    *out = s;
    s = (struct ims_train_split){ 0 };
    goto out;
no_memory:
    st = ims_fail(err, IMS_E_NOMEM, "projection", 0, "splitting %zu faces", n);
out:
    ims_train_split_release(&s);
    ims__free(faces);
    ims__free(is_held_out);
    return st;
}

void ims_train_split_release(struct ims_train_split *s)
{
    struct ims_face_set *sets[] = { &s->learn, &s->watch, &s->judge };

    for (size_t i = 0; i < IMS_ARRAY_LEN(sets); i++) {
        ims__free(sets[i]->rows);
        ims__free(sets[i]->persons);
    }
    *s = (struct ims_train_split){ 0 };
}
