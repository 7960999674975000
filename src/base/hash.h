/* SHA-256 (libcrypto) and a fast 64-bit hash for tables.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_HASH_H
#define IMS_BASE_HASH_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMS_SHA256_BYTES 32
#define IMS_SHA256_HEX 65 /* with the NUL */

ims_status ims__sha256(const void *p, size_t n, uint8_t out[IMS_SHA256_BYTES],
                       ims_err *err) IMS_MUST_CHECK;

/* The name Git gives to a file of this content: SHA-1 over "blob ", the length, a NUL and the bytes. Only to
 * compare with what a Git server says; it proves nothing against an attacker. */
#define IMS_SHA1_BYTES 20
ims_status ims__git_blob_sha1(const void *p, size_t n, uint8_t out[IMS_SHA1_BYTES], ims_err *err)
    IMS_MUST_CHECK;

struct ims_sha256; /* streaming; one thread at a time */
ims_status ims__sha256_new(struct ims_sha256 **out, ims_err *err) IMS_MUST_CHECK;
ims_status ims__sha256_add(struct ims_sha256 *h, const void *p, size_t n,
                           ims_err *err) IMS_MUST_CHECK;
ims_status ims__sha256_end(struct ims_sha256 *h, uint8_t out[IMS_SHA256_BYTES],
                           ims_err *err) IMS_MUST_CHECK;
void ims__sha256_free(struct ims_sha256 *h);

/* RFC 2104 over SHA-256. */
ims_status ims__hmac_sha256(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[IMS_SHA256_BYTES],
                            ims_err *err) IMS_MUST_CHECK;
/* Bytes that nobody can guess. */
ims_status ims__random_bytes(void *out, size_t n, ims_err *err) IMS_MUST_CHECK;
/* Are the n bytes equal? Takes as long whether they differ early, late or not. */
bool ims__is_equal_secret(const void *a, const void *b, size_t n);

/* Lower-case hex; out has 2 * n + 1 bytes. */
void ims__hex(const uint8_t *p, size_t n, char *out);
/* FNV-1a with a final avalanche; for hash tables, not against attackers. */
uint64_t ims__hash64(const void *p, size_t n);

#endif
