/* How rows of the library are named on the wire where the contract wants a UUID.
 *
 * The library numbers its rows; a UUID of version 8 (RFC 9562, section 5.8: the bits are the maker's own) carries the
 * kind and the number, so that no second name is stored and each can be read back. Clusters are named "clu_" and their
 * number.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_IDS_H
#define IMS_HTTP_API_API_IDS_H

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum ims_api_id_kind {
    IMS_ID_FACE = 1,
    IMS_ID_PERSON,
    IMS_ID_PROTOTYPE,
    IMS_ID_CENTROID,
    IMS_ID_EVENT,
    IMS_ID_FACE_SESSION,
    IMS_ID_JOB
} ims_api_id_kind;

#define IMS_API_ID_BYTES 40

/* Writes the name of row id (> 0, below 2^48) to out, IMS_API_ID_BYTES long, and returns out. */
const char *ims__api_id_text(ims_api_id_kind kind, int64_t id, char *out);
/* The number that a name of this kind carries; 0 when it is no name of ours, so that looking it up finds nothing.
 * text may be NULL. */
int64_t ims__api_id_read(ims_api_id_kind kind, const char *text);

/* One member; id 0 = null. As the ims__put family. */
bool ims__put_id(ims_json *o, const char *key, ims_api_id_kind kind, int64_t id);
/* The id that member key of an input carries; 0 as above. */
int64_t ims__in_id(const ims_json *o, const char *key, ims_api_id_kind kind);

/* "clu_12" and back; 0 when it is none. */
const char *ims__api_cluster_text(int64_t id, char *out);
int64_t ims__api_cluster_read(const char *text);

#endif
