/* The server of a test on a library of synthetic faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include "harness/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool serving_people_open(struct serving_people *sp)
{
    memset(sp, 0, sizeof(*sp));
    return people_library_open(&sp->p);
}

bool serving_people_groups(struct serving_people *sp, bool has_worker)
{
    static const int both[] = { 1, 2 };
    struct people_library *p = &sp->p;

    return serving_people_open(sp) && people_add_faces(p, 1, 4, 1, 0.05) && people_add_photo(p, 5, both, 2, 0.05) &&
           people_add_faces(p, 6, 3, 2, 0.05) && people_add_faces(p, 9, 1, 3, 0.05) && people_cluster(p, p->faces, 5) == 1 &&
           people_cluster(p, p->faces + 5, 4) == 2 && serving_people_start(sp, has_worker);
}

bool serving_people_start(struct serving_people *sp, bool has_worker)
{
    bool is_good;

    sp->s.library = sp->p.l;
    snprintf(sp->s.log, sizeof(sp->s.log), "%s.log", sp->p.l.data);
    if (!has_worker)
        setenv("TEST_NO_WORKER", "1", 1);
    is_good = serving_start(&sp->s, NULL);
    unsetenv("TEST_NO_WORKER");
    return is_good;
}

void serving_people_close(struct serving_people *sp)
{
    if (sp->s.pid)
        serving_stop(&sp->s, SIGTERM);
    people_library_close(&sp->p);
}

/* ---- people who are known ---- */

#define N_ANN 12
#define N_BOB 3
#define SPREAD 0.05

static bool name_faces(struct serving_people *sp, size_t first, size_t n, const char *who)
{
    struct ims_people_assign what = { .face_ids = sp->p.faces + first, .n = n, .name = who };

    return test_check_ok(__FILE__, __LINE__, who, ims_people_assign(sp->p.e, NULL, &what, &sp->p.err), &sp->p.err) &&
           what.n_changed == n;
}

bool serving_people_open_known(struct serving_people *sp, bool is_suggested, bool has_worker)
{
    struct ims_people_match m = { .auto_threshold = 2 };

    return serving_people_open(sp) && people_add_faces(&sp->p, 1, N_ANN, 1, SPREAD) &&
           people_add_faces(&sp->p, 50, N_BOB, 2, SPREAD) && people_add_faces(&sp->p, 100, 6, 1, SPREAD) &&
           people_add_faces(&sp->p, 150, 2, 2, SPREAD) && name_faces(sp, 0, N_ANN, "Ann") &&
           name_faces(sp, N_ANN, N_BOB, "Bob") &&
           (!is_suggested || test_check_ok(__FILE__, __LINE__, "matching", ims_people_match(sp->p.e, NULL, &m, &sp->p.err),
                                           &sp->p.err)) &&
           serving_people_start(sp, has_worker);
}

void serving_people_job_ends(struct serving_people *sp, const char *key, const char *has)
{
    char path[300];

    snprintf(path, sizeof(path), "/api/v1/job-progress/status?progress_key=%s", serving_people_text(sp, key));
    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_over;

        http_json(&r, sp->s.port, "GET", path, NULL);
        is_over = strstr(r.body, "\"phase\":\"completed\"") || strstr(r.body, "\"phase\":\"failed\"") || r.status != 200;
        if (is_over && !strstr(r.body, has))
            test_fail(__FILE__, __LINE__, "%s ended with %s; expected %s", key, r.body, has);
        http_reply_release(&r);
        if (is_over)
            return;
    }
    test_fail(__FILE__, __LINE__, "%s does not end", key);
}

/* ---- names ---- */

static ims_api_id_kind kind_of(char letter)
{
    switch (letter) {
    case 'F':
        return IMS_ID_FACE;
    case 'P':
        return IMS_ID_PERSON;
    case 'R':
        return IMS_ID_PROTOTYPE;
    case 'E':
        return IMS_ID_EVENT;
    case 'C':
        return IMS_ID_CENTROID;
    default:
        return IMS_ID_JOB;
    }
}

const char *serving_people_text(struct serving_people *sp, const char *text)
{
    static char texts[4][4000];
    static unsigned turn;
    char *out = texts[turn++ % 4], name[IMS_API_ID_BYTES];
    size_t n = 0;

    while (*text && n < sizeof(texts[0]) - IMS_API_ID_BYTES) {
        char *end;
        int64_t id;

        if (*text != '$') {
            out[n++] = *text++;
            continue;
        }
        id = strtoll(text + 2, &end, 10);
        if (text[1] == 'F' && id >= 1 && (size_t)id <= sp->p.n_faces)
            id = sp->p.faces[id - 1];
        n += (size_t)snprintf(out + n, IMS_API_ID_BYTES, "%s", ims__api_id_text(kind_of(text[1]), id, name));
        text = end;
    }
    out[n] = '\0';
    return out;
}

void serving_people_ask(struct serving_people *sp, const struct serving_request *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct serving_request r = rows[i];

        r.path = serving_people_text(sp, r.path);
        r.body = r.body ? serving_people_text(sp, r.body) : NULL;
        r.has = r.has ? serving_people_text(sp, r.has) : NULL;
        serving_ask(&sp->s, &r, 1);
    }
}
