/* Turns status codes into names, texts, HTTP and exit codes, and fills error records.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ims/status.h"

#include <stdio.h>
#include <string.h>

struct status_row {
    ims_status status;
    const char *name;
    const char *text;
    int http;
    int exit_code;
    bool is_retryable;
};

static const struct status_row rows[] = {
#define X(name, value, text, http, exit_code, retry)                                              \
    { IMS_##name, "IMS_" #name, text, http, exit_code, retry },
    IMS_STATUS_TABLE(X)
#undef X
};

static const struct status_row unknown_row = { IMS_E_INTERNAL, "IMS_E_UNKNOWN",
                                               "an unknown error", 500, 70, false };

static const struct status_row *find_row(ims_status st)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].status == st)
            return &rows[i];
    }
    return &unknown_row;
}

const char *ims_status_name(ims_status st)
{
    return find_row(st)->name;
}

const char *ims_status_text(ims_status st)
{
    return find_row(st)->text;
}

int ims_status_http(ims_status st)
{
    return find_row(st)->http;
}

int ims_status_exit(ims_status st)
{
    return find_row(st)->exit_code;
}

bool ims_status_is_retryable(ims_status st)
{
    return find_row(st)->is_retryable;
}

ims_status ims_fail(ims_err *err, ims_status st, const char *origin, int native, const char *fmt,
                    ...)
{
    if (err) {
        char text[sizeof(err->text)]; /* err->text may be among the arguments */
        va_list args;

        va_start(args, fmt);
        vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        err->status = st;
        err->native = native;
        snprintf(err->origin, sizeof(err->origin), "%s", origin ? origin : "");
        memcpy(err->text, text, sizeof(text));
    }
    return st;
}

ims_status ims_fail_in(ims_err *err, ims_status st, const char *fmt, ...)
{
    if (err) {
        char text[sizeof(err->text)];
        va_list args;
        int n;

        va_start(args, fmt);
        n = vsnprintf(text, sizeof(text), fmt, args);
        va_end(args);
        if (n < 0)
            n = 0;
        if ((size_t)n < sizeof(text))
            snprintf(text + n, sizeof(text) - (size_t)n, ": %.*s", (int)(sizeof(text) - 1), err->text);
        memcpy(err->text, text, sizeof(text));
        err->status = st;
    }
    return st;
}
