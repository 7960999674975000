/* Which pictures a training session is about: those below its selected subdirectories, or below its root when none is
 * selected, that are there and in no ignored folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

/* Selected folders that lie in another selected one are left out, so that each picture comes once. */
#define FOLDERS                                                                                            \
    "WITH folder AS (SELECT d.path_from, d.path_until FROM training_subdirectories d WHERE "               \
    "d.session_id = ? AND d.is_selected = 1 AND NOT EXISTS (SELECT 1 FROM training_subdirectories o WHERE " \
    "o.session_id = d.session_id AND o.is_selected = 1 AND o.id <> d.id AND d.path_from >= o.path_from "   \
    "AND d.path_from < o.path_until) UNION ALL SELECT t.path_from, t.path_until FROM training_sessions t " \
    "WHERE t.id = $1 AND NOT EXISTS (SELECT 1 FROM training_subdirectories d WHERE d.session_id = t.id "   \
    "AND d.is_selected = 1)) "

void ims__store_sql_scope(struct ims__store_sql *q, int64_t session_id, const char *select, const char *join,
                          const struct ims_db_value *values, size_t n)
{
    ims__store_sql_init(q, "");
    if (session_id)
        ims__store_sql_add(q, FOLDERS, IMS_DB_ARGS(ims_db_int(session_id)));
    else
        (void)ims__buf_add_str(&q->text, "WITH folder AS (SELECT 0 AS unused) ");
    (void)ims__buf_add_str(&q->text, select);
    /* CROSS JOIN: SQLite takes the folders first, then the index on paths */
    (void)ims__buf_add_str(&q->text, session_id ? " FROM folder p CROSS JOIN assets a " : " FROM assets a ");
    ims__store_sql_add(q, join, values, n);
    (void)ims__buf_add_str(&q->text, " WHERE a.deleted_us IS NULL AND " IMS__NOT_IGNORED("a.path"));
    if (session_id)
        (void)ims__buf_add_str(&q->text, " AND a.path >= p.path_from AND a.path < p.path_until");
}
