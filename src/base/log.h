/* The log: one line per event on stderr, text or JSON. Thread-safe.
 *
 * Who may log above debug: cli, http and worker loops. Everything below returns its error instead.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_LOG_H
#define IMS_BASE_LOG_H

#include "ims/status.h"

#include <stddef.h>

typedef enum ims_log_level {
    IMS_LOG_DEBUG,
    IMS_LOG_INFO,
    IMS_LOG_WARN,
    IMS_LOG_ERROR,
    IMS_LOG_OFF
} ims_log_level;

typedef enum ims_log_format { IMS_LOG_TEXT, IMS_LOG_JSON } ims_log_format;

void ims__log_setup(ims_log_level level, ims_log_format format);
ims_log_level ims__log_level(void);
/* A hook that clears a progress line before a log line is printed; NULL removes it. */
void ims__log_set_before(void (*fn)(void *), void *arg);
/* Runs fn while no log line is being written: for drawing that must not mix with one. fn must not log. */
void ims__log_pause(void (*fn)(void *), void *arg);
void ims__log(ims_log_level level, const char *module, const char *fmt, ...) IMS_PRINTF(3, 4);
/* One event and what belongs to it: in JSON a member each, in text name=value behind the sentence. Fields whose value
 * is NULL or "" are left out. */
struct ims_log_field {
    const char *name, *value;
};
void ims__log_fields(ims_log_level level, const char *module, const char *text, const struct ims_log_field *fields,
                     size_t n_fields);
void ims__log_err(ims_log_level level, const ims_err *err, const char *fmt, ...) IMS_PRINTF(3, 4);

#endif
