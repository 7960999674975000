/* The server of a test on a library of synthetic faces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving_people.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
