/* The server of a test on a library of synthetic faces, with an engine of the test beside it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_HTTP_SERVING_PEOPLE_H
#define IMS_TESTS_HTTP_SERVING_PEOPLE_H

#include "http/api/api_ids.h"
#include "integration/people_library.h"
#include "serving.h"

struct serving_people {
    struct people_library p; /* open: fill it through p.e and p.s, before the server starts or beside it */
    struct serving s;
};

bool serving_people_open(struct serving_people *sp);
/* Opens it with ten faces and starts the server. Faces 1-5 are one look, in photos 1-5; 6, beside 5 in its photo, and 7-9
 * in photos 6-8 are another; 10 is alone, in photo 9. Cluster 1 has the first five, cluster 2 the next four. */
bool serving_people_groups(struct serving_people *sp, bool has_worker);
/* has_worker: with the server's own background worker. */
bool serving_people_start(struct serving_people *sp, bool has_worker);
/* Ends the server, when it was started, and closes the library. */
void serving_people_close(struct serving_people *sp);

/* Opens and starts one on which Ann (person 1) has faces 1 to 12 and Bob (person 2) 13 to 15, and nobody named yet 16 to 21
 * that look like Ann and 22 and 23 that look like Bob; each on a photo of its own. is_suggested: those are suggested
 * already. */
bool serving_people_open_known(struct serving_people *sp, bool is_suggested, bool has_worker);
/* Waits until the job of a progress key is over, and wants that in its last word. */
void serving_people_job_ends(struct serving_people *sp, const char *key, const char *has);

/* Requests whose paths and bodies hold $F1 (face 1 as added, from 1), $P1 (person 1), $E1 (event), $J1 ... for names of rows, are
 * sent as of serving_ask. */
void serving_people_ask(struct serving_people *sp, const struct serving_request *rows, size_t n);
#define ASK_PEOPLE(sp, rows) serving_people_ask(sp, rows, sizeof(rows) / sizeof((rows)[0]))
/* The text with names put in; static, 4 in turn. */
const char *serving_people_text(struct serving_people *sp, const char *text);

#endif
