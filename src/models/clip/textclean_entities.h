/* The generated table of HTML character references behind textclean_html.c. Private to it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_MODELS_CLIP_TEXTCLEAN_ENTITIES_H
#define IMS_MODELS_CLIP_TEXTCLEAN_ENTITIES_H

#include <stddef.h>
#include <stdint.h>

#define IMS__ENTITY_LEGACY 1 /* also stands without its semicolon */
#define IMS__ENTITY_UPPER 2  /* ftfy also reads it in capitals */

/* Names without '&' and ';'. A place is 12 bits of offset below the number of the string. */
extern const char *const ims__entity_names[];

struct ims__entity {
    uint16_t place;
    uint8_t name_len;
    uint8_t flags;
    uint32_t to[2]; /* 0: one code point only */
};
extern const struct ims__entity ims__entities[]; /* by name, bytewise */
extern const size_t ims__n_entities;
extern const size_t ims__max_legacy_entity; /* bytes of the longest name with the legacy flag */

struct ims__entity_upper {
    uint16_t entity;
    uint32_t to[3]; /* 0 ends a shorter one */
};
extern const struct ims__entity_upper ims__entity_uppers[]; /* by entity */
extern const size_t ims__n_entity_uppers;

#endif
