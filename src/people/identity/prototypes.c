/* The choice of prototypes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/identity/prototypes.h"

#include <math.h>
#include <string.h>

#define FRONTAL_DEGREES 15.0
#define LARGE_AREA_PX 10000.0

static const char *const era_names[IMS_N_ERAS] = { "infant",      "child", "teen",
                                                   "young_adult", "adult", "senior" };

const char *ims_era_name(ims_era era)
{
    return (unsigned)era < IMS_N_ERAS ? era_names[era] : NULL;
}

bool ims_era_parse(const char *name, ims_era *out)
{
    for (unsigned i = 0; name && i < IMS_N_ERAS; i++) {
        if (strcmp(name, era_names[i]) == 0) {
            *out = (ims_era)i;
            return true;
        }
    }
    return false;
}

void ims_prototype_rules_default(struct ims_prototype_rules *out)
{
    *out = (struct ims_prototype_rules){ .min_quality = 0.5,
                                         .max_prototypes = 5,
                                         .era_max = { 3, 12, 19, 35, 55 } };
}

ims_era ims_era_of(const struct ims_prototype_rules *rules, bool has_age, double age)
{
    unsigned era = 0;

    if (!has_age || !isfinite(age))
        return IMS_ERA_NONE;
    while (era < IMS_N_ERAS - 1 && age > rules->era_max[era])
        era++;
    return (ims_era)era;
}

double ims_prototype_era_score(const struct ims_prototype_face *f)
{
    bool is_frontal =
        f->has_pose && fabs(f->yaw) <= FRONTAL_DEGREES && fabs(f->pitch) <= FRONTAL_DEGREES;
    double score = 0.6 * f->quality + (is_frontal ? 0.2 : 0) +
                   (f->area_px > LARGE_AREA_PX ? 0.1 : 0) + (f->has_age ? 0.1 : 0);

    return score < 1 ? score : 1;
}

/* Is a better than b? By what is compared, then the older face: a total order. */
static bool is_better(double a, int64_t a_id, double b, int64_t b_id)
{
    return a != b ? a > b : a_id < b_id;
}

static bool is_open(const struct ims_prototype_face *f)
{
    return !f->is_pinned && !f->is_excluded;
}

static size_t best_of_era(const struct ims_prototype_rules *rules,
                          const struct ims_prototype_face *faces, size_t n, ims_era era)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++) {
        if (!is_open(&faces[i]) || ims_era_of(rules, faces[i].has_age, faces[i].age) != era)
            continue;
        if (best == n || is_better(ims_prototype_era_score(&faces[i]), faces[i].id,
                                   ims_prototype_era_score(&faces[best]), faces[best].id))
            best = i;
    }
    return best;
}

static bool is_era_pinned(const struct ims_prototype_face *faces, size_t n, ims_era era)
{
    for (size_t i = 0; i < n; i++) {
        if (faces[i].is_pinned && faces[i].pinned_era == era)
            return true;
    }
    return false;
}

/* Puts a choice where it belongs: eras, exemplars, fallbacks, each by quality; what falls off the end goes. */
static size_t insert(const struct ims_prototype_face *faces, struct ims_prototype_choice *out,
                     size_t n, size_t max, struct ims_prototype_choice c)
{
    size_t at = n;

    while (at > 0 && (out[at - 1].kind > c.kind ||
                      (out[at - 1].kind == c.kind &&
                       is_better(faces[c.face].quality, faces[c.face].id,
                                 faces[out[at - 1].face].quality, faces[out[at - 1].face].id))))
        at--;
    if (at >= max)
        return n;
    if (n == max)
        n--;
    memmove(out + at + 1, out + at, (n - at) * sizeof(*out));
    out[at] = c;
    return n + 1;
}

/* used[i] counts how often the photo of face i is taken, pins included. */
static size_t next_exemplar(const struct ims_prototype_rules *rules,
                            const struct ims_prototype_face *faces, size_t n, const size_t *used,
                            const struct ims_prototype_choice *out, size_t n_out)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++) {
        bool is_taken = !is_open(&faces[i]) || faces[i].quality < rules->min_quality;

        for (size_t k = 0; !is_taken && k < n_out; k++)
            is_taken = out[k].face == i;
        if (is_taken)
            continue;
        if (best == n || (used[i] == 0) > (used[best] == 0) ||
            ((used[i] == 0) == (used[best] == 0) &&
             is_better(faces[i].quality, faces[i].id, faces[best].quality, faces[best].id)))
            best = i;
    }
    return best;
}

static void use_photo(const struct ims_prototype_face *faces, size_t n, size_t *used, int64_t photo)
{
    for (size_t i = 0; i < n; i++)
        used[i] += faces[i].photo == photo;
}

static size_t add_eras(const struct ims_prototype_rules *rules,
                       const struct ims_prototype_face *faces, size_t n, size_t max,
                       struct ims_prototype_choice *out)
{
    size_t n_out = 0;

    for (unsigned era = 0; era < IMS_N_ERAS; era++) {
        size_t i =
            is_era_pinned(faces, n, (ims_era)era) ? n : best_of_era(rules, faces, n, (ims_era)era);
        bool is_good = i < n && faces[i].quality >= rules->min_quality;

        if (i < n)
            n_out = insert(
                faces, out, n_out, max,
                (struct ims_prototype_choice){
                    i, is_good ? IMS_PROTOTYPE_TEMPORAL : IMS_PROTOTYPE_FALLBACK, (ims_era)era });
    }
    return n_out;
}

/* The best face of a person who would have no prototype at all. */
static size_t add_last_resort(const struct ims_prototype_rules *rules,
                              const struct ims_prototype_face *faces, size_t n,
                              struct ims_prototype_choice *out)
{
    size_t best = n;

    for (size_t i = 0; i < n; i++) {
        if (is_open(&faces[i]) && (best == n || is_better(faces[i].quality, faces[i].id,
                                                          faces[best].quality, faces[best].id)))
            best = i;
    }
    if (best == n)
        return 0;
    out[0] =
        (struct ims_prototype_choice){ best, IMS_PROTOTYPE_FALLBACK,
                                       ims_era_of(rules, faces[best].has_age, faces[best].age) };
    return 1;
}

size_t ims_prototypes_choose(const struct ims_prototype_rules *rules,
                             const struct ims_prototype_face *faces, size_t n, size_t *scratch,
                             struct ims_prototype_choice *out)
{
    size_t n_pins = 0, max, n_out, i;

    memset(scratch, 0, n * sizeof(*scratch));
    for (i = 0; i < n; i++) {
        n_pins += faces[i].is_pinned;
        if (faces[i].is_pinned)
            use_photo(faces, n, scratch, faces[i].photo);
    }
    max = rules->max_prototypes > n_pins ? rules->max_prototypes - n_pins : 0;
    n_out = max ? add_eras(rules, faces, n, max, out) : 0;
    for (size_t k = 0; k < n_out; k++)
        use_photo(faces, n, scratch, faces[out[k].face].photo);
    while (n_out < max && (i = next_exemplar(rules, faces, n, scratch, out, n_out)) < n) {
        use_photo(faces, n, scratch, faces[i].photo);
        n_out = insert(
            faces, out, n_out, max,
            (struct ims_prototype_choice){ i, IMS_PROTOTYPE_EXEMPLAR,
                                           ims_era_of(rules, faces[i].has_age, faces[i].age) });
    }
    return n_out || n_pins || !max ? n_out : add_last_resort(rules, faces, n, out);
}
