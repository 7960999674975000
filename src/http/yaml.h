/* YAML 1.2 (core schema) to JSON values: for the HTTP contract in api/openapi.yaml.
 *
 * Refused: more than one document, anchors and aliases (an alias could make a small file huge), tags, keys
 * that are not strings. Plain scalars read as the core schema says: null, true, false, integers, reals; all
 * else and everything quoted is a string. Thread-safe.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_YAML_H
#define IMS_HTTP_YAML_H

#include "base/json.h"
#include "ims/status.h"

#include <stddef.h>

/* IMS_E_FORMAT with line and column; what names the input. *out: ims__json_free. */
ims_status ims__yaml_read(ims_json **out, const char *text, size_t len, const char *what, ims_err *err)
    IMS_MUST_CHECK;

#endif
