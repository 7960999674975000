/* Which faces a person is recognised by: age eras, quality, the choice of prototypes.
 *
 * Pure functions on the caller's memory; thread-safe. Rules and constants: the HTTP contract's, with what
 * makes them work (docs/notes/people.md).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_PEOPLE_PROTOTYPES_H
#define IMS_PEOPLE_PROTOTYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_era {
    IMS_ERA_INFANT,
    IMS_ERA_CHILD,
    IMS_ERA_TEEN,
    IMS_ERA_YOUNG_ADULT,
    IMS_ERA_ADULT,
    IMS_ERA_SENIOR,
    IMS_ERA_NONE /* the age is not known */
} ims_era;
#define IMS_N_ERAS IMS_ERA_NONE
const char *ims_era_name(ims_era era); /* "infant" ...; NULL for none */
bool ims_era_parse(const char *name, ims_era *out);

struct ims_prototype_rules {
    double min_quality;      /* of a prototype, unless there is nothing better */
    unsigned max_prototypes; /* of a person, pinned ones included; more pins than that all stay */
    double era_max[IMS_N_ERAS - 1]; /* years up to which (included) an era goes; rising */
};
/* 0.5, 5, 3 12 19 35 55 years. */
void ims_prototype_rules_default(struct ims_prototype_rules *out);

ims_era ims_era_of(const struct ims_prototype_rules *rules, bool has_age, double age);

struct ims_prototype_face {
    int64_t id;
    int64_t photo;  /* faces of one number are of one photo */
    double quality; /* 0..1 */
    double area_px;
    bool has_age;
    double age;
    bool has_pose;
    double yaw, pitch; /* degrees */
    bool is_pinned;    /* stays; fills pinned_era */
    ims_era pinned_era;
    bool is_excluded; /* never chosen */
};
/* How well a face stands for its era: 0.6 * quality, + 0.2 when it looks into the camera (yaw and pitch
 * within 15 degrees), + 0.1 when its box is larger than 100 x 100, + 0.1 when its age is known; at most 1. */
double ims_prototype_era_score(const struct ims_prototype_face *f);

typedef enum ims_prototype_kind {
    IMS_PROTOTYPE_TEMPORAL, /* the best of an era */
    IMS_PROTOTYPE_EXEMPLAR, /* among the best of all */
    IMS_PROTOTYPE_FALLBACK  /* the best of its era, or of all, though below min_quality */
} ims_prototype_kind;

struct ims_prototype_choice {
    size_t face; /* index */
    ims_prototype_kind kind;
    ims_era era;
};
/* Chooses unpinned prototypes: the best face of each era that no pin covers, then exemplars of min_quality,
 * from photos not used yet first, up to max_prototypes with the pins. When there would be too many, eras
 * go before exemplars before fallbacks, then quality decides. A person with faces but without any
 * prototype gets the best face. The result does not depend on the order of faces. out has room for
 * max_prototypes; returns how many. scratch: n of them. */
size_t ims_prototypes_choose(const struct ims_prototype_rules *rules,
                             const struct ims_prototype_face *faces, size_t n, size_t *scratch,
                             struct ims_prototype_choice *out);

#endif
