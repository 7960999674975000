/* Settings: every one with its value and where it came from.
 *
 * Order of precedence: flag > environment > ".env" in the working folder > config file > default.
 * The table is src/base/config_table.h. A handle is filled by one thread and immutable afterwards.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_CONFIG_H
#define IMS_BASE_CONFIG_H

#include "base/config_table.h"
#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_cfg {
#define X(id, name, env, type, fallback, doc) IMS_CFG_##id,
    IMS_CONFIG_TABLE(X)
#undef X
        IMS_CFG_N
} ims_cfg;

typedef enum ims_cfg_type {
    IMS_CFG_STR,
    IMS_CFG_PATH,
    IMS_CFG_INT,
    IMS_CFG_REAL,
    IMS_CFG_BOOL,
    IMS_CFG_UNBUILT /* belongs to a part that does not exist yet: setting it is an error */
} ims_cfg_type;

typedef enum ims_cfg_source {
    IMS_CFG_FROM_DEFAULT,
    IMS_CFG_FROM_FILE,
    IMS_CFG_FROM_DOTENV,
    IMS_CFG_FROM_ENV,
    IMS_CFG_FROM_FLAG
} ims_cfg_source;

struct ims_config;

struct ims_config_row {
    const char *name;
    const char *env; /* one or more names separated by spaces; the first is shown */
    ims_cfg_type type;
    const char *fallback;
    const char *doc;
};
extern const struct ims_config_row ims__config_rows[IMS_CFG_N];

struct ims_config_sources {
    const char *const *environ_list; /* "NAME=value" strings ended by NULL; NULL = none */
    const char *dotenv_path;         /* read when it exists; NULL = none */
    const char *file_path;           /* read when it exists; NULL = none */
};

/* Reads all sources. IMS_E_CONFIG names the setting, its source and what would be right. */
ims_status ims__config_load(struct ims_config **out, const struct ims_config_sources *sources,
                            ims_err *err) IMS_MUST_CHECK;
void ims__config_free(struct ims_config *c);
/* A flag of the command line; checked like every other source. */
ims_status ims__config_set(struct ims_config *c, ims_cfg id, const char *value, ims_err *err)
    IMS_MUST_CHECK;
/* IMS_E_CONFIG naming every setting of an unbuilt part that somebody set, and where. */
ims_status ims__config_check(const struct ims_config *c, ims_err *err) IMS_MUST_CHECK;

/* Values are checked at load, so getters cannot fail. Strings are borrowed from the handle. */
const char *ims__config_str(const struct ims_config *c, ims_cfg id);
int64_t ims__config_int(const struct ims_config *c, ims_cfg id);
double ims__config_real(const struct ims_config *c, ims_cfg id);
bool ims__config_bool(const struct ims_config *c, ims_cfg id);
ims_cfg_source ims__config_source(const struct ims_config *c, ims_cfg id);
const char *ims__config_source_name(ims_cfg_source source);
bool ims__config_is_secret(ims_cfg id); /* shown redacted */

#endif
