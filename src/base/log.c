/* The log: one line per event on stderr.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic int min_level = IMS_LOG_INFO;
static _Atomic int line_format = IMS_LOG_TEXT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*before_fn)(void *);
static void *before_arg;

static const char *const level_names[] = { "debug", "info", "warning", "error" };

void ims__log_setup(ims_log_level level, ims_log_format format)
{
    atomic_store(&min_level, (int)level);
    atomic_store(&line_format, (int)format);
}

ims_log_level ims__log_level(void)
{
    return (ims_log_level)atomic_load(&min_level);
}

void ims__log_set_before(void (*fn)(void *), void *arg)
{
    pthread_mutex_lock(&lock);
    before_fn = fn;
    before_arg = arg;
    pthread_mutex_unlock(&lock);
}

void ims__log_pause(void (*fn)(void *), void *arg)
{
    pthread_mutex_lock(&lock);
    fn(arg);
    pthread_mutex_unlock(&lock);
}

static bool is_given(const struct ims_log_field *f)
{
    return f->value && *f->value;
}

static void write_json(const char *now, ims_log_level level, const char *module, const char *text,
                       const struct ims_log_field *fields, size_t n_fields)
{
    ims_json *o = ims__json_new_object();
    struct ims_buf line;

    ims__buf_init(&line, 8192);
    (void)ims__json_set(o, "time", ims__json_new_str(now));
    (void)ims__json_set(o, "level", ims__json_new_str(level_names[level]));
    (void)ims__json_set(o, "module", ims__json_new_str(module));
    (void)ims__json_set(o, "text", ims__json_new_str(text));
    for (size_t i = 0; i < n_fields; i++) {
        if (is_given(&fields[i]))
            (void)ims__json_set(o, fields[i].name, ims__json_new_str(fields[i].value));
    }
    if (ims__json_write(o, 0, &line, NULL) == IMS_OK)
        fprintf(stderr, "%s\n", line.data);
    ims__buf_release(&line);
    ims__json_free(o);
}

static void clean(char *text)
{
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

/* Log lines are one line each, whatever a file name or a vendor's message contains. */
static void write_line(ims_log_level level, const char *module, char *text, const struct ims_log_field *fields,
                       size_t n_fields)
{
    char now[40], line[3072];
    size_t n;

    n = (size_t)snprintf(line, sizeof(line), "%s", text);
    n = n < sizeof(line) ? n : sizeof(line) - 1;
    for (size_t i = 0; i < n_fields && n < sizeof(line) - 1; i++) {
        if (is_given(&fields[i]))
            n += (size_t)snprintf(line + n, sizeof(line) - n, strchr(fields[i].value, ' ') ? " %s=\"%s\"" : " %s=%s",
                                  fields[i].name, fields[i].value);
    }
    clean(line);
    clean(text);
    ims__format_utc(ims__now_us(), now, sizeof(now));
    pthread_mutex_lock(&lock);
    if (before_fn)
        before_fn(before_arg);
    if (atomic_load(&line_format) == IMS_LOG_JSON)
        write_json(now, level, module, text, fields, n_fields);
    else
        fprintf(stderr, "%s %s %s: %s\n", now, level_names[level], module, line);
    pthread_mutex_unlock(&lock);
}

void ims__log(ims_log_level level, const char *module, const char *fmt, ...)
{
    char text[2048];
    va_list args;

    if (level >= IMS_LOG_OFF || (int)level < atomic_load(&min_level))
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    write_line(level, module, text, NULL, 0);
}

void ims__log_fields(ims_log_level level, const char *module, const char *text, const struct ims_log_field *fields,
                     size_t n_fields)
{
    char copy[256];

    if (level >= IMS_LOG_OFF || (int)level < atomic_load(&min_level))
        return;
    snprintf(copy, sizeof(copy), "%s", text);
    write_line(level, module, copy, fields, n_fields);
}

void ims__log_err(ims_log_level level, const ims_err *err, const char *fmt, ...)
{
    char what[1024], text[2048];
    va_list args;

    if (level >= IMS_LOG_OFF || (int)level < atomic_load(&min_level))
        return;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (err->native)
        snprintf(text, sizeof(text), "%s: %s [%s %s %d]", what, err->text, ims_status_name(err->status),
                 err->origin, err->native);
    else
        snprintf(text, sizeof(text), "%s: %s [%s %s]", what, err->text, ims_status_name(err->status),
                 err->origin);
    write_line(level, err->origin[0] ? err->origin : "ims", text, NULL, 0);
}
