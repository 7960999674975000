/* Reads settings from flags, environment, .env, config file and defaults, and checks them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

const struct ims_config_row ims__config_rows[IMS_CFG_N] = {
#define X(id, name, env, type, fallback, doc)                                                     \
    [IMS_CFG_##id] = { name, env, IMS_CFG_##type, fallback, doc },
    IMS_CONFIG_TABLE(X)
#undef X
};

struct ims_config {
    char *values[IMS_CFG_N]; /* NULL = default */
    ims_cfg_source sources[IMS_CFG_N];
};

struct range {
    ims_cfg id;
    int64_t min, max;
};

static const struct range ranges[] = {
    { IMS_CFG_THUMBNAIL_SIZE, 16, 2048 },
    { IMS_CFG_EMBEDDING_DIM, 0, IMS_MAX_EMBEDDING_DIM },
    { IMS_CFG_THREADS, 0, 1024 },
    { IMS_CFG_COMPUTE_DEADLINE, 1, 3600 },
    { IMS_CFG_GPU_MEM_LIMIT, 0, 1048576 },
    { IMS_CFG_GPU_BATCH_SIZE, 1, 1024 },
    { IMS_CFG_FACE_TRAINING_EPOCHS, 1, 1000 },
    { IMS_CFG_FACE_BATCH_SIZE, 4, 256 },
    { IMS_CFG_MAX_IMAGE_MPX, 1, 10000 },
    { IMS_CFG_MIN_FACE_SIZE, 1, 10000 },
};

/* Numbers that the word auto stands for. */
struct automatic {
    ims_cfg id;
    int64_t value;
};

static const struct automatic automatics[] = {
    { IMS_CFG_GPU_BATCH_SIZE, 64 }, /* beyond that, hardly any device gains */
};

struct real_range {
    ims_cfg id;
    double min, max;
};

static const struct real_range real_ranges[] = {
    { IMS_CFG_MIN_FACE_SCORE, 0.05, 1 },
    { IMS_CFG_FACE_TRIPLET_MARGIN, 0.001, 1 },
    { IMS_CFG_FACE_LEARNING_RATE, 1e-6, 0.1 },
};

struct choice {
    ims_cfg id;
    const char *words; /* separated by spaces */
};

static const struct choice choices[] = {
    { IMS_CFG_LOG_LEVEL, "debug info warning error off" },
    { IMS_CFG_LOG_FORMAT, "text json" },
    { IMS_CFG_COMPUTE_CHILD, "auto always never" },
};

const char *ims__config_source_name(ims_cfg_source source)
{
    static const char *const names[] = { "default", "config file", ".env", "environment", "flag" };

    return names[source];
}

bool ims__config_is_secret(ims_cfg id)
{
    return id == IMS_CFG_DATABASE_URL || id == IMS_CFG_REDIS_URL || id == IMS_CFG_QDRANT_URL;
}

static bool is_word_of(const char *words, const char *value)
{
    size_t n = strlen(value);

    for (const char *p = words; *p; p += strcspn(p, " "), p += *p == ' ') {
        if (strcspn(p, " ") == n && strncmp(p, value, n) == 0)
            return true;
    }
    return false;
}

static bool read_int(ims_cfg id, const char *value, int64_t min, int64_t max, int64_t *out)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(automatics); i++) {
        if (automatics[i].id == id && strcmp(value, "auto") == 0) {
            *out = automatics[i].value;
            return true;
        }
    }
    return ims__parse_int(value, min, max, out);
}

static ims_status check_int(ims_cfg id, const char *value, const char *where, ims_err *err)
{
    int64_t min = INT64_MIN, max = INT64_MAX, v;

    for (size_t i = 0; i < IMS_ARRAY_LEN(ranges); i++) {
        if (ranges[i].id == id) {
            min = ranges[i].min;
            max = ranges[i].max;
        }
    }
    if (!read_int(id, value, min, max, &v))
        return ims_fail(err, IMS_E_CONFIG, "config", 0,
                        "%s is \"%.60s\" (%s); it must be a whole number from %lld to %lld",
                        ims__config_rows[id].name, value, where, (long long)min, (long long)max);
    return IMS_OK;
}

static ims_status check_real(ims_cfg id, const char *value, const char *where, ims_err *err)
{
    const char *name = ims__config_rows[id].name;
    double v;

    if (!ims__parse_double(value, -1e300, 1e300, &v))
        return ims_fail(err, IMS_E_CONFIG, "config", 0, "%s is \"%.60s\" (%s); it must be a number", name, value,
                        where);
    for (size_t i = 0; i < IMS_ARRAY_LEN(real_ranges); i++) {
        const struct real_range *r = &real_ranges[i];

        if (r->id == id && (v < r->min || v > r->max))
            return ims_fail(err, IMS_E_CONFIG, "config", 0,
                            "%s is \"%.60s\" (%s); it must be a number from %g to %g", name, value, where, r->min,
                            r->max);
    }
    return IMS_OK;
}

static ims_status check_value(ims_cfg id, const char *value, const char *where, ims_err *err)
{
    const struct ims_config_row *row = &ims__config_rows[id];
    bool flag;

    switch (row->type) {
    case IMS_CFG_INT:
        return check_int(id, value, where, err);
    case IMS_CFG_REAL:
        return check_real(id, value, where, err);
    case IMS_CFG_BOOL:
        if (!ims__parse_bool(value, &flag))
            return ims_fail(err, IMS_E_CONFIG, "config", 0,
                            "%s is \"%.60s\" (%s); it must be true or false", row->name, value, where);
        return IMS_OK;
    case IMS_CFG_STR:
        for (size_t i = 0; i < IMS_ARRAY_LEN(choices); i++) {
            if (choices[i].id == id && !is_word_of(choices[i].words, value))
                return ims_fail(err, IMS_E_CONFIG, "config", 0,
                                "%s is \"%.60s\" (%s); it must be one of: %s", row->name, value, where,
                                choices[i].words);
        }
        return IMS_OK;
    case IMS_CFG_PATH:
    case IMS_CFG_UNBUILT:
        break;
    }
    return IMS_OK;
}

/* An empty value means "not set", as an empty environment variable does elsewhere. LOG_LEVEL=INFO is
 * what the Python service's users have in their .env, so choices are compared in lower case. */
static ims_status put_value(struct ims_config *c, ims_cfg id, const char *value, size_t n,
                            ims_cfg_source source, ims_err *err)
{
    char *copy;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    copy = ims__strndup(value, n);
    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, "config", 0, "reading settings");
    if (id == IMS_CFG_LOG_LEVEL || id == IMS_CFG_LOG_FORMAT) {
        for (char *p = copy; *p; p++) {
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p + 32);
        }
    }
    st = check_value(id, copy, ims__config_source_name(source), err);
    if (st) {
        ims__free(copy);
        return st;
    }
    ims__free(c->values[id]);
    c->values[id] = copy;
    c->sources[id] = source;
    return IMS_OK;
}

static bool is_env_of(ims_cfg id, const char *key, size_t n)
{
    const char *p = ims__config_rows[id].env;

    while (*p) {
        size_t len = strcspn(p, " ");

        if (len == n && strncmp(p, key, n) == 0)
            return true;
        p += len;
        p += *p == ' ';
    }
    return false;
}

static ims_status put_env(struct ims_config *c, const char *key, size_t key_len, const char *value,
                          size_t value_len, ims_cfg_source source, ims_err *err)
{
    for (int id = 0; id < IMS_CFG_N; id++) {
        if (is_env_of((ims_cfg)id, key, key_len))
            return put_value(c, (ims_cfg)id, value, value_len, source, err);
    }
    return IMS_OK; /* not ours */
}

static size_t trim(const char **s, size_t n)
{
    while (n && strchr(" \t\r", (*s)[0])) {
        (*s)++;
        n--;
    }
    while (n && strchr(" \t\r", (*s)[n - 1]))
        n--;
    return n;
}

/* The value after "=": in quotes up to the second one, else up to a comment, which a blank and # begin. */
static size_t take_value(const char **value, size_t n)
{
    const char *v = *value, *quote;
    size_t end = 0;

    while (end < n && !(v[end] == '#' && end > 0 && strchr(" \t", v[end - 1])))
        end++;
    end = trim(&v, end);
    n -= (size_t)(v - *value);
    quote = end && (v[0] == '"' || v[0] == '\'') ? memchr(v + 1, v[0], n - 1) : NULL;
    if (quote) {
        const char *rest = quote + 1;
        size_t left = trim(&rest, n - (size_t)(rest - v));

        if (left == 0 || rest[0] == '#') {
            end = (size_t)(quote - v) - 1;
            v++;
        }
    }
    *value = v;
    return end;
}

/* One line of "name = value": comments with #, an optional "export", quotes around the value. A .env
 * belongs to others too: its lines of another form are passed over, as its other names are. */
static ims_status put_line(struct ims_config *c, const char *line, size_t n, ims_cfg_source source,
                           const char *path, int number, ims_err *err)
{
    const char *eq, *value, *line_end;
    size_t key_len, value_len;

    n = trim(&line, n);
    if (n == 0 || line[0] == '#')
        return IMS_OK;
    if (n > 7 && strncmp(line, "export ", 7) == 0) {
        line += 7;
        n -= 7;
    }
    line_end = line + n;
    eq = memchr(line, '=', n);
    if (!eq && source == IMS_CFG_FROM_DOTENV)
        return IMS_OK;
    if (!eq)
        return ims_fail(err, IMS_E_CONFIG, "config", 0, "%s:%d: expected name = value", path, number);
    key_len = trim(&line, (size_t)(eq - line));
    value = eq + 1;
    value_len = take_value(&value, (size_t)(line_end - value));
    if (source == IMS_CFG_FROM_DOTENV)
        return put_env(c, line, key_len, value, value_len, source, err);
    for (int id = 0; id < IMS_CFG_N; id++) {
        const char *name = ims__config_rows[id].name;

        if (strlen(name) == key_len && strncmp(name, line, key_len) == 0)
            return put_value(c, (ims_cfg)id, value, value_len, source, err);
    }
    return ims_fail(err, IMS_E_CONFIG, "config", 0,
                    "%s:%d: unknown setting \"%.*s\"; `imgsearch config` lists them all", path, number,
                    (int)(key_len < 60 ? key_len : 60), line);
}

static ims_status read_lines(struct ims_config *c, const char *path, ims_cfg_source source, ims_err *err)
{
    struct ims_buf text;
    ims_err local;
    ims_status st;
    int number = 0;

    st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, &local);
    if (st == IMS_E_NOT_FOUND)
        return IMS_OK;
    if (st == IMS_E_UNSUPPORTED && source == IMS_CFG_FROM_DOTENV)
        return IMS_OK; /* a folder: Python environments are called that, too */
    if (st)
        return ims_fail(err, st, "config", local.native, "reading settings: %s", local.text);
    for (const char *p = text.data; p < text.data + text.len && !st;) {
        const char *end = memchr(p, '\n', (size_t)(text.data + text.len - p));

        if (!end)
            end = text.data + text.len;
        st = put_line(c, p, (size_t)(end - p), source, path, ++number, err);
        p = end + 1;
    }
    ims__buf_release(&text);
    return st;
}

ims_status ims__config_load(struct ims_config **out, const struct ims_config_sources *sources,
                            ims_err *err)
{
    struct ims_config *c = ims__zalloc(1, sizeof(*c));
    ims_status st = IMS_OK;

    if (!c)
        return ims_fail(err, IMS_E_NOMEM, "config", 0, "reading settings");
    if (sources->file_path)
        st = read_lines(c, sources->file_path, IMS_CFG_FROM_FILE, err);
    if (!st && sources->dotenv_path)
        st = read_lines(c, sources->dotenv_path, IMS_CFG_FROM_DOTENV, err);
    for (const char *const *e = sources->environ_list; !st && e && *e; e++) {
        const char *eq = strchr(*e, '=');

        if (eq)
            st = put_env(c, *e, (size_t)(eq - *e), eq + 1, strlen(eq + 1), IMS_CFG_FROM_ENV, err);
    }
    if (st)
        goto out;
    *out = c;
    c = NULL;
out:
    ims__config_free(c);
    return st;
}

void ims__config_free(struct ims_config *c)
{
    if (!c)
        return;
    for (int i = 0; i < IMS_CFG_N; i++)
        ims__free(c->values[i]);
    ims__free(c);
}

ims_status ims__config_set(struct ims_config *c, ims_cfg id, const char *value, ims_err *err)
{
    return put_value(c, id, value, strlen(value), IMS_CFG_FROM_FLAG, err);
}

/* A name as its source writes it. */
static void add_name(struct ims_buf *b, const struct ims_config *c, ims_cfg id)
{
    const struct ims_config_row *row = &ims__config_rows[id];
    bool is_file = c->sources[id] == IMS_CFG_FROM_FILE;

    (void)ims__buf_addf(b, "%s%.*s (%s)", b->len ? ", " : "",
                        is_file ? (int)strlen(row->name) : (int)strcspn(row->env, " "),
                        is_file ? row->name : row->env, ims__config_source_name(c->sources[id]));
}

ims_status ims__config_check(const struct ims_config *c, ims_err *err)
{
    bool is_in_dotenv = false;
    struct ims_buf names;
    ims_status st = IMS_OK;

    ims__buf_init(&names, 4096);
    for (int id = 0; id < IMS_CFG_N; id++) {
        if (ims__config_rows[id].type == IMS_CFG_UNBUILT && c->values[id]) {
            add_name(&names, c, (ims_cfg)id);
            is_in_dotenv |= c->sources[id] == IMS_CFG_FROM_DOTENV;
            st = IMS_E_CONFIG;
        }
    }
    if (st)
        st = ims_fail(err, st, "config", 0, "set, but nothing in this release uses it: %s; remove it%s",
                      names.data ? names.data : "a setting",
                      is_in_dotenv ? ", or work in a folder without that .env" : "");
    ims__buf_release(&names);
    return st;
}

const char *ims__config_str(const struct ims_config *c, ims_cfg id)
{
    return c->values[id] ? c->values[id] : ims__config_rows[id].fallback;
}

int64_t ims__config_int(const struct ims_config *c, ims_cfg id)
{
    int64_t v = 0;

    (void)read_int(id, ims__config_str(c, id), INT64_MIN, INT64_MAX, &v);
    return v;
}

double ims__config_real(const struct ims_config *c, ims_cfg id)
{
    double v = 0;

    (void)ims__parse_double(ims__config_str(c, id), -1e300, 1e300, &v);
    return v;
}

bool ims__config_bool(const struct ims_config *c, ims_cfg id)
{
    bool v = false;

    (void)ims__parse_bool(ims__config_str(c, id), &v);
    return v;
}

ims_cfg_source ims__config_source(const struct ims_config *c, ims_cfg id)
{
    return c->sources[id];
}
