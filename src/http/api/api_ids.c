/* Names of rows on the wire.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_ids.h"

#include "http/api/api.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ID (((int64_t)1 << 48) - 1)
#define CLUSTER "clu_"

const char *ims__api_id_text(ims_api_id_kind kind, int64_t id, char *out)
{
    snprintf(out, IMS_API_ID_BYTES, "00000000-0000-8%03x-8000-%012" PRIx64, (unsigned)kind, (uint64_t)(id & MAX_ID));
    return out;
}

int64_t ims__api_id_read(ims_api_id_kind kind, const char *text)
{
    char back[IMS_API_ID_BYTES];
    const char *last = text ? strrchr(text, '-') : NULL;
    int64_t id = last ? (int64_t)strtoull(last + 1, NULL, 16) : 0;

    if (id <= 0 || id > MAX_ID)
        return 0;
    /* Only the spelling that we write, in either case of its letters, is a name. */
    ims__api_id_text(kind, id, back);
    for (size_t i = 0; i < sizeof(back); i++) {
        char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];

        if (c != back[i])
            return 0;
        if (!c)
            break;
    }
    return id;
}

bool ims__put_id(ims_json *o, const char *key, ims_api_id_kind kind, int64_t id)
{
    char text[IMS_API_ID_BYTES];

    return ims__put_str(o, key, id ? ims__api_id_text(kind, id, text) : NULL);
}

int64_t ims__in_id(const ims_json *o, const char *key, ims_api_id_kind kind)
{
    return ims__api_id_read(kind, ims__in_str(o, key, NULL));
}

const char *ims__api_cluster_text(int64_t id, char *out)
{
    snprintf(out, IMS_API_ID_BYTES, CLUSTER "%" PRId64, id);
    return out;
}

int64_t ims__api_cluster_read(const char *text)
{
    char back[IMS_API_ID_BYTES];
    int64_t id;

    if (!text || strncmp(text, CLUSTER, strlen(CLUSTER)) != 0)
        return 0;
    id = strtoll(text + strlen(CLUSTER), NULL, 10);
    return id > 0 && strcmp(ims__api_cluster_text(id, back), text) == 0 ? id : 0;
}
