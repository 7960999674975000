/* The tree of folders, and talking to its server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "training_fixture.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool training_open(struct serving *s, const char *const *env)
{
    if (!serving_open(s, 2, env))
        return false;
    library_copy(&s->library, library_demo_jpeg(8), "a/1.jpg");
    library_copy(&s->library, library_demo_jpeg(20), "a/2.jpg");
    library_write(&s->library, "a/broken.jpg", "no picture", 10);
    library_copy(&s->library, library_demo_jpeg(23), "a/deep/3.JpG");
    library_copy(&s->library, library_demo_jpeg(37), "a/deep/4.jpg");
    library_copy(&s->library, library_demo_jpeg(8), "b/copy.jpg");
    library_copy(&s->library, library_demo_jpeg(22), "skip/5.jpg");
    return true;
}

const char *training_photos(const struct serving *s)
{
    static char text[3 * 700];
    size_t n = 0;

    for (const char *path = s->library.photos; *path && n < sizeof(text) - 4; path++) {
        bool is_plain = isalnum((unsigned char)*path) || strchr("/-_.~", *path);

        n += (size_t)snprintf(text + n, 4, is_plain ? "%c" : "%%%02X", (unsigned char)*path);
    }
    text[n] = '\0';
    return text;
}

/* "$P" becomes the folder of the photos. Two buffers in turn. */
static const char *fill(const struct serving *s, const char *text, bool is_address)
{
    static char filled[2][6000];
    static unsigned turn;
    char *out = filled[turn++ % 2];
    size_t n = 0;

    if (!text)
        return NULL;
    for (; *text && n < sizeof(filled[0]) - 3 * 700; text++) {
        if (text[0] == '$' && text[1] == 'P') {
            n += (size_t)snprintf(out + n, sizeof(filled[0]) - n, "%s",
                                  is_address ? training_photos(s) : s->library.photos);
            text++;
        } else {
            out[n++] = *text;
        }
    }
    out[n] = '\0';
    return out;
}

ims_json *training_ask(const struct serving *s, const char *method, const char *path, const char *body, int status)
{
    return serving_json(s, method, fill(s, path, true), fill(s, body, false), status);
}

void training_want(const struct serving *s, const char *method, const char *path, const char *body, int status,
                   const char *has)
{
    const struct serving_request row = { method, fill(s, path, true), fill(s, body, false), status, has };

    serving_ask(s, &row, 1);
}

bool training_await(const struct serving *s, const char *path, const char *has)
{
    char last[700] = "";

    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_there;

        http_json(&r, s->port, "GET", path, NULL);
        is_there = strstr(r.body, has) != NULL;
        snprintf(last, sizeof(last), "%s", r.body);
        http_reply_release(&r);
        if (is_there)
            return true;
    }
    test_fail(__FILE__, __LINE__, "%s never has %s: %s", path, has, last);
    return false;
}

long long training_session(const struct serving *s, const char *subdirectories)
{
    char body[3000];
    ims_json *o;
    long long id;

    snprintf(body, sizeof(body), "{\"name\":\"all\",\"rootPath\":\"$P\",\"categoryId\":1%s%s}",
             subdirectories ? ",\"subdirectories\":" : "", subdirectories ? subdirectories : "");
    o = training_ask(s, "POST", "/api/v1/training/sessions", body, 200);
    id = training_int(o, "id");
    ims__json_free(o);
    return id;
}

static const ims_json *at(const ims_json *o, const char *path)
{
    char word[100];

    while (o && *path) {
        size_t n = strcspn(path, ".");

        snprintf(word, sizeof(word), "%.*s", (int)n, path);
        o = ims__json_type(o) == IMS_JSON_ARRAY ? ims__json_at(o, (size_t)atoll(word)) : ims__json_get(o, word);
        path += n + (path[n] == '.');
    }
    return o;
}

long long training_int(const ims_json *o, const char *path)
{
    return ims__json_int(at(o, path), -1);
}

const char *training_str(const ims_json *o, const char *path)
{
    return ims__json_str(at(o, path), NULL);
}
