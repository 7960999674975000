/* JSON values: a thin layer over jansson, the one place that knows it.
 *
 * A value is a node of a tree owned by its root; ims__json_free ends a root. Readers return borrowed
 * nodes and strings, valid as long as the root. Looking into NULL or into a node of another type
 * gives NULL (or the fallback), so chains need one check at their end. Builders take ownership of
 * the value they are given, also on failure; adding NULL fails. One thread at a time per tree.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_JSON_H
#define IMS_BASE_JSON_H

#include "base/buf.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ims_json ims_json;

typedef enum ims_json_type {
    IMS_JSON_NULL,
    IMS_JSON_BOOL,
    IMS_JSON_INT,
    IMS_JSON_REAL,
    IMS_JSON_STRING,
    IMS_JSON_ARRAY,
    IMS_JSON_OBJECT
} ims_json_type;

/* Any JSON value at the top; duplicate keys are refused; \u0000 in strings is allowed.
 * IMS_E_FORMAT with line and column, IMS_E_LIMIT above IMS_MAX_JSON_BYTES. what names the input. */
ims_status ims__json_parse(ims_json **out, const char *text, size_t len, const char *what, ims_err *err)
    IMS_MUST_CHECK;
void ims__json_free(ims_json *v);
/* A copy that shares nothing; NULL when memory is short or v is NULL. */
ims_json *ims__json_dup(const ims_json *v);

ims_json_type ims__json_type(const ims_json *v); /* NULL pointer reads as IMS_JSON_NULL */
const ims_json *ims__json_get(const ims_json *object, const char *key);
const ims_json *ims__json_at(const ims_json *array, size_t i);
size_t ims__json_len(const ims_json *v); /* elements or members; 0 for others */
/* Strings are UTF-8, NUL-terminated; out_len (may be NULL) counts bytes. NULL if not a string. */
const char *ims__json_str(const ims_json *v, size_t *out_len);
int64_t ims__json_int(const ims_json *v, int64_t fallback);
double ims__json_num(const ims_json *v, double fallback); /* int or real */
bool ims__json_bool(const ims_json *v, bool fallback);
/* Members in order: for (it = ims__json_iter(o); it; it = ims__json_next(o, it)) */
void *ims__json_iter(const ims_json *object);
void *ims__json_next(const ims_json *object, void *it);
const char *ims__json_iter_key(void *it);
const ims_json *ims__json_iter_value(void *it);

ims_json *ims__json_new_object(void);
ims_json *ims__json_new_array(void);
ims_json *ims__json_new_str(const char *s); /* invalid UTF-8 is escaped as by ims__display; NULL gives null */
ims_json *ims__json_new_int(int64_t v);
ims_json *ims__json_new_num(double v); /* NaN and infinities become null */
ims_json *ims__json_new_bool(bool v);
ims_json *ims__json_new_null(void);
/* 0 on success, IMS_E_NOMEM otherwise; the value is consumed either way. */
ims_status ims__json_set(ims_json *object, const char *key, ims_json *take_value);
ims_status ims__json_add(ims_json *array, ims_json *take_value);
/* indent 0 = one line. Members keep the order in which they were set. */
ims_status ims__json_write(const ims_json *v, int indent, struct ims_buf *out, ims_err *err) IMS_MUST_CHECK;

#endif
