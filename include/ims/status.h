/* The status codes of imgsearch and the error record that accompanies them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_STATUS_H
#define IMS_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

#if defined(__GNUC__)
#define IMS_MUST_CHECK __attribute__((warn_unused_result))
#define IMS_PRINTF(fmt_index, first_arg) __attribute__((format(printf, fmt_index, first_arg)))
#define IMS_API __attribute__((visibility("default")))
#else
#define IMS_MUST_CHECK
#define IMS_PRINTF(fmt_index, first_arg)
#define IMS_API
#endif

/* clang-format off */
/*    name            value  text                                                HTTP exit retry */
#define IMS_STATUS_TABLE(X)                                                                      \
    X(OK,               0, "success",                                             200,  0, false) \
    X(E_INVALID,       -1, "invalid argument",                                    400,  2, false) \
    X(E_USAGE,         -2, "the command line is not understood",                  400,  2, false) \
    X(E_NOMEM,         -3, "out of memory",                                       503,  3, true)  \
    X(E_IO,            -4, "input or output failed",                              500,  4, true)  \
    X(E_NOT_FOUND,     -5, "not found",                                           404,  5, false) \
    X(E_EXISTS,        -6, "already exists",                                      409,  6, false) \
    X(E_PERMISSION,    -7, "permission denied",                                   403,  7, false) \
    X(E_NO_SPACE,      -8, "no space left",                                       507,  8, true)  \
    X(E_LIMIT,         -9, "a limit was exceeded",                                413,  9, false) \
    X(E_FORMAT,       -10, "the data is malformed",                               422, 10, false) \
    X(E_UNSUPPORTED,  -11, "not supported",                                       501, 11, false) \
    X(E_TRUNCATED,    -12, "the data ends too early",                             422, 12, false) \
    X(E_CORRUPT,      -13, "stored data is damaged",                              500, 13, false) \
    X(E_DIMENSION,    -14, "the dimensions do not agree",                         422, 14, false) \
    X(E_CONFIG,       -15, "the configuration is wrong",                          500, 15, false) \
    X(E_DEVICE,       -16, "the compute device is not available or failed",       503, 16, true)  \
    X(E_RUNTIME,      -17, "the inference runtime is missing or failed",          503, 17, false) \
    X(E_MODEL,        -18, "the model is missing or unusable",                    503, 18, false) \
    X(E_DB,           -19, "the database failed",                                 503, 19, false) \
    X(E_DB_BUSY,      -20, "the database is busy",                                503, 20, true)  \
    X(E_DB_NEWER,     -21, "the database is newer than this program",             500, 21, false) \
    X(E_CONSTRAINT,   -22, "the change contradicts stored data",                  409, 22, false) \
    X(E_CANCELLED,    -23, "cancelled",                                           499,130, false) \
    X(E_TIMEOUT,      -24, "the time limit was reached",                          504, 24, true)  \
    X(E_BUSY,         -25, "another process holds this",                          409, 25, true)  \
    X(E_VERSION,      -26, "the version does not fit",                            500, 26, false) \
    X(E_INTERNAL,     -27, "an internal error; please report it",                 500, 70, false)
/* clang-format on */

typedef enum ims_status {
#define X(name, value, text, http, exit_code, retry) IMS_##name = (value),
    IMS_STATUS_TABLE(X)
#undef X
} ims_status;

/* What went wrong, on the caller's stack. Filled on failure, untouched on success. */
typedef struct ims_err {
    ims_status status;
    int native;      /* the vendor's own code (errno, SQLite, ONNX Runtime ...), 0 if none */
    char origin[24]; /* module that failed: "sqlite", "ort", "media" ... */
    char text[512];  /* one sentence for the operator; UTF-8, never a secret */
} ims_err;

/* "IMS_E_IO" and the like. Unknown values give "IMS_E_UNKNOWN". Static storage. */
IMS_API const char *ims_status_name(ims_status st);
IMS_API const char *ims_status_text(ims_status st);
IMS_API int ims_status_http(ims_status st);
IMS_API int ims_status_exit(ims_status st);
IMS_API bool ims_status_is_retryable(ims_status st);

/* Fills *err (may be NULL) and returns st, so that failing is one line:
 *     return ims_fail(err, IMS_E_IO, "fs", errno, "reading %s", path); */
IMS_API ims_status ims_fail(ims_err *err, ims_status st, const char *origin, int native,
                            const char *fmt, ...) IMS_PRINTF(5, 6);

/* Puts "context: " before the text already in *err; returns err->status. */
IMS_API ims_status ims_fail_in(ims_err *err, ims_status st, const char *fmt, ...) IMS_PRINTF(3, 4);

#endif
