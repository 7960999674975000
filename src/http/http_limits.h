/* What one client may ask of the server, by name.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_HTTP_LIMITS_H
#define IMS_HTTP_HTTP_LIMITS_H

#include "base/limits.h"

#define IMS_HTTP_MAX_HEADER_BYTES (24 * IMS_KIB)       /* request line and headers of one request */
#define IMS_HTTP_MAX_URL_BYTES (16 * IMS_KIB)          /* of it, path and query: the longest path of a file, each byte as %XX */
#define IMS_HTTP_MAX_PARSER_BYTES (32 * IMS_KIB)       /* what libmicrohttpd may keep for one connection */
#define IMS_HTTP_MAX_JSON_BYTES (1 * IMS_MIB)          /* body, where the contract names no other limit */
#define IMS_HTTP_MAX_UPLOAD_BYTES (64 * IMS_MIB)       /* multipart body: one picture */
#define IMS_HTTP_MAX_UPLOADS_BYTES (256 * IMS_MIB)     /* bodies of all requests together */
#define IMS_HTTP_MAX_FIELD_BYTES (64 * IMS_KIB)        /* one text field of a form */
#define IMS_HTTP_MAX_FIELDS 32
#define IMS_HTTP_MAX_CONNECTIONS 4000
#define IMS_HTTP_IDLE_TIMEOUT_S 60
#define IMS_HTTP_MAX_QUEUED 256                        /* requests that wait for a worker */
#define IMS_HTTP_MAX_STREAMS 64                        /* event streams open at a time */
#define IMS_HTTP_MAX_STREAM_BYTES (256 * IMS_KIB)      /* of events at a time */
#define IMS_HTTP_HEARTBEAT_MS 15000
#define IMS_HTTP_MAX_REPLY_BYTES (64 * IMS_MIB)        /* of JSON */

#endif
