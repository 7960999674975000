/* Values: what goes into a statement.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/db_backend.h"

#include <string.h>

struct ims_db_value ims_db_null(void)
{
    return (struct ims_db_value){ .type = IMS_DB_NULL };
}

struct ims_db_value ims_db_int(int64_t v)
{
    return (struct ims_db_value){ .type = IMS_DB_INT64, .i = v };
}

struct ims_db_value ims_db_double(double v)
{
    return (struct ims_db_value){ .type = IMS_DB_DOUBLE, .d = v };
}

struct ims_db_value ims_db_text(const char *s)
{
    return ims_db_text_n(s, s ? strlen(s) : 0);
}

struct ims_db_value ims_db_text_n(const char *s, size_t n_bytes)
{
    if (!s)
        return ims_db_null();
    return (struct ims_db_value){ .type = IMS_DB_TEXT, .p = s, .n_bytes = n_bytes };
}

struct ims_db_value ims_db_blob(const void *p, size_t n_bytes)
{
    return (
        struct ims_db_value){ .type = IMS_DB_BLOB, .p = p ? p : "", .n_bytes = p ? n_bytes : 0 };
}

const char *ims__db_type_name(ims_db_type t)
{
    switch (t) {
    case IMS_DB_NULL:
        return "null";
    case IMS_DB_INT64:
        return "integer";
    case IMS_DB_DOUBLE:
        return "double";
    case IMS_DB_TEXT:
        return "text";
    case IMS_DB_BLOB:
        return "blob";
    }
    return "unknown";
}
