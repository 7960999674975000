/* One HTTP request by libcurl, which is opened at run time.
 *
 * Linking it would make every start of the program pay for a library that only `models pull` needs
 * (docs/decisions/0080-libcurl-at-run-time.md), so its headers are used and the rest is found by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/fetch_curl.h"

#include "base/mem.h"
#include "base/thread.h"

#include <assert.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define ORIGIN "curl"
#define CONNECT_S 20L
#define PROTOCOLS_OPTION                                                                           \
    ((CURLoption)181) /* CURLOPT_PROTOCOLS: old libraries know no other, new ones still do */
#define HTTP_AND_HTTPS 3L

/* clang-format off */
#define CURL_FUNCTIONS(X)                                                                          \
    X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_perform)                 \
    X(curl_easy_reset) X(curl_easy_cleanup) X(curl_easy_strerror) X(curl_slist_append)             \
    X(curl_slist_free_all)
/* clang-format on */

struct curl_api {
#define X(name) __typeof__(name) *name;
    CURL_FUNCTIONS(X)
#undef X
};

static const char *const names[] = {
#if defined(__APPLE__)
    "libcurl.4.dylib",
    "/opt/homebrew/opt/curl/lib/libcurl.4.dylib",
#else
    "libcurl.so.4",
    "libcurl-gnutls.so.4",
#endif
};

/* All-or-nothing and under this lock; never closed, as libcurl's TLS library must not be. */
static struct ims_lock lock = { PTHREAD_MUTEX_INITIALIZER };
static struct curl_api api;
static bool is_ready;

struct ims_http {
    CURL *easy;
};

/* What the callbacks of one request share. */
struct transfer {
    const struct ims_http_request *request;
    struct ims_http_head head;
    bool has_head;
    ims_status st;
    ims_err err;
    char text[CURL_ERROR_SIZE];
};

static ims_status find_functions(void *lib, ims_err *err)
{
    static const char *const symbols[] = {
#define X(name) #name,
        CURL_FUNCTIONS(X)
#undef X
    };
    void *found[IMS_ARRAY_LEN(symbols)];

    static_assert(sizeof(found) == sizeof(api), "the table is nothing but these pointers");
    for (size_t i = 0; i < IMS_ARRAY_LEN(symbols); i++) {
        found[i] = dlsym(lib, symbols[i]);
        if (!found[i])
            return ims_fail(err, IMS_E_RUNTIME, ORIGIN, 0, "libcurl lacks %s", symbols[i]);
    }
    memcpy(&api, found, sizeof(api));
    return IMS_OK;
}

static ims_status load(ims_err *err)
{
    void *lib = NULL;
    ims_status st;

    for (size_t i = 0; !lib && i < IMS_ARRAY_LEN(names); i++)
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return ims_fail(err, IMS_E_RUNTIME, ORIGIN, 0,
                        "libcurl is needed to fetch models (Debian package libcurl4): %s",
                        dlerror());
    st = find_functions(lib, err);
    if (!st && api.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        st = ims_fail(err, IMS_E_RUNTIME, ORIGIN, 0, "libcurl did not start");
    return st;
}

ims_status ims__fetch_http_open(struct ims_http **out, ims_err *err)
{
    struct ims_http *h;
    ims_status st = IMS_OK;

    ims__lock(&lock);
    if (!is_ready)
        st = load(err);
    is_ready = is_ready || !st;
    ims__unlock(&lock);
    if (st)
        return st;
    h = ims__zalloc(1, sizeof(*h));
    if (h)
        h->easy = api.curl_easy_init();
    if (!h || !h->easy) {
        ims__free(h);
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "preparing a connection");
    }
    *out = h;
    return IMS_OK;
}

void ims__fetch_http_close(struct ims_http *h)
{
    if (!h)
        return;
    api.curl_easy_cleanup(h->easy);
    ims__free(h);
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    ims__http_head_line(&t->head, p, size * n);
    return size * n;
}

static ims_status announce(struct transfer *t)
{
    if (t->has_head)
        return t->st;
    t->has_head = true;
    if (t->request->on_head)
        t->st = t->request->on_head(t->request->arg, &t->head, &t->err);
    return t->st;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    if (!announce(t) && t->request->on_bytes)
        t->st = t->request->on_bytes(t->request->arg, p, size * n, &t->err);
    return t->st ? 0 : size * n;
}

static int on_progress(void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = arg;

    (void)total;
    (void)now;
    (void)up_total;
    (void)up;
    if (t->st || !t->request->on_tick || t->request->on_tick(t->request->arg))
        return t->st != IMS_OK;
    t->st = ims_fail(&t->err, IMS_E_CANCELLED, ORIGIN, 0, "interrupted");
    return 1;
}

/* Every option is set anew for every request. No redirect is followed, no user, password, cookie or netrc
 * is known; the certificate is checked against the system's own list. */
static CURLcode set_options(CURL *easy, struct transfer *t, struct curl_slist *headers)
{
    const struct ims_http_request *r = t->request;
    CURLcode code = CURLE_OK;

    api.curl_easy_reset(easy);
#define SET(option, value)                                                                         \
    do {                                                                                           \
        if (code == CURLE_OK)                                                                      \
            code = api.curl_easy_setopt(easy, option, value);                                      \
    } while (0)
    SET(CURLOPT_URL, r->url);
    SET(PROTOCOLS_OPTION, HTTP_AND_HTTPS);
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
    SET(CURLOPT_LOW_SPEED_TIME, (long)r->stall_s);
    SET(CURLOPT_USERAGENT, "imgsearch/" IMS_VERSION);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_ERRORBUFFER, t->text);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, t);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_NOBODY, r->is_head ? 1L : 0L);
#undef SET
    return code;
}

/* Appends to the list, or frees it and gives NULL. */
static struct curl_slist *add_header(struct curl_slist *list, const char *line)
{
    struct curl_slist *longer = api.curl_slist_append(list, line);

    if (!longer)
        api.curl_slist_free_all(list);
    return longer;
}

static struct curl_slist *make_headers(const struct ims_http_request *r)
{
    /* Bytes as they are stored: sums and ranges are meant for those. */
    struct curl_slist *list = add_header(NULL, "Accept-Encoding: identity");
    char line[256];

    if (list && r->from_byte) {
        snprintf(line, sizeof(line), "Range: bytes=%llu-", (unsigned long long)r->from_byte);
        list = add_header(list, line);
    }
    if (list && r->from_byte && r->if_range && r->if_range[0]) {
        snprintf(line, sizeof(line), "If-Range: %.200s", r->if_range);
        list = add_header(list, line);
    }
    return list;
}

static ims_status curl_fail(const struct transfer *t, CURLcode code, ims_err *err)
{
    const char *why = t->text[0] ? t->text : api.curl_easy_strerror(code);
    struct ims_url url;

    if (code == CURLE_OUT_OF_MEMORY)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, (int)code, "talking to the server");
    if (ims__url_parse(&url, t->request->url, NULL))
        url.host[0] = '\0';
    return ims_fail(err, code == CURLE_OPERATION_TIMEDOUT ? IMS_E_TIMEOUT : IMS_E_IO, ORIGIN,
                    (int)code, "%s: %.300s", url.host, why);
}

ims_status ims__http_run(struct ims_http *h, const struct ims_http_request *request,
                         struct ims_http_head *out_head, ims_err *err)
{
    struct transfer t = { .request = request, .head = { .retry_after_s = -1 } };
    struct curl_slist *headers = make_headers(request);
    CURLcode code = headers ? set_options(h->easy, &t, headers) : CURLE_OUT_OF_MEMORY;

    if (code == CURLE_OK)
        code = api.curl_easy_perform(h->easy);
    if (code == CURLE_OK)
        (void)announce(&t);
    api.curl_slist_free_all(headers);
    if (t.st) {
        if (err)
            *err = t.err;
        return t.st;
    }
    if (code != CURLE_OK)
        return curl_fail(&t, code, err);
    *out_head = t.head;
    return IMS_OK;
}

bool ims__http_is_offline(const ims_err *err)
{
    return strcmp(err->origin, ORIGIN) == 0 &&
           (err->native == CURLE_COULDNT_RESOLVE_HOST ||
            err->native == CURLE_COULDNT_RESOLVE_PROXY || err->native == CURLE_COULDNT_CONNECT);
}

bool ims__http_is_broken(const ims_err *err)
{
    static const CURLcode codes[] = { CURLE_PARTIAL_FILE, CURLE_OPERATION_TIMEDOUT,
                                      CURLE_GOT_NOTHING,  CURLE_SEND_ERROR,
                                      CURLE_RECV_ERROR,   CURLE_HTTP2,
                                      CURLE_HTTP2_STREAM };

    for (size_t i = 0; i < IMS_ARRAY_LEN(codes); i++) {
        if (strcmp(err->origin, ORIGIN) == 0 && err->native == (int)codes[i])
            return true;
    }
    return false;
}
