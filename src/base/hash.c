/* SHA-256 by libcrypto and a small table hash.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <stdio.h>

struct ims_sha256 {
    EVP_MD_CTX *ctx;
};

static ims_status crypto_fail(ims_err *err, const char *what)
{
    unsigned long e = ERR_get_error();
    char text[160];

    ERR_error_string_n(e, text, sizeof(text));
    return ims_fail(err, IMS_E_INTERNAL, "crypto", (int)(e & 0x7fffffff), "%s: %s", what, text);
}

ims_status ims__sha256_new(struct ims_sha256 **out, ims_err *err)
{
    struct ims_sha256 *h = ims__zalloc(1, sizeof(*h));
    ims_status st = IMS_OK;

    if (!h)
        return ims_fail(err, IMS_E_NOMEM, "crypto", 0, "starting a hash");
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
        st = crypto_fail(err, "starting a hash");
        goto out;
    }
    *out = h;
    h = NULL;
out:
    ims__sha256_free(h);
    return st;
}

ims_status ims__sha256_add(struct ims_sha256 *h, const void *p, size_t n, ims_err *err)
{
    if (n && EVP_DigestUpdate(h->ctx, p, n) != 1)
        return crypto_fail(err, "hashing");
    return IMS_OK;
}

ims_status ims__sha256_end(struct ims_sha256 *h, uint8_t out[IMS_SHA256_BYTES], ims_err *err)
{
    unsigned n = 0;

    if (EVP_DigestFinal_ex(h->ctx, out, &n) != 1 || n != IMS_SHA256_BYTES)
        return crypto_fail(err, "ending a hash");
    return IMS_OK;
}

void ims__sha256_free(struct ims_sha256 *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->ctx);
    ims__free(h);
}

ims_status ims__sha256(const void *p, size_t n, uint8_t out[IMS_SHA256_BYTES], ims_err *err)
{
    struct ims_sha256 *h = NULL;
    ims_status st = ims__sha256_new(&h, err);

    if (!st)
        st = ims__sha256_add(h, p, n, err);
    if (!st)
        st = ims__sha256_end(h, out, err);
    ims__sha256_free(h);
    return st;
}

ims_status ims__git_blob_sha1(const void *p, size_t n, uint8_t out[IMS_SHA1_BYTES], ims_err *err)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char head[32];
    int head_len = snprintf(head, sizeof(head), "blob %zu", n);
    unsigned len = 0;
    bool is_done = ctx && EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) == 1 &&
                   EVP_DigestUpdate(ctx, head, (size_t)head_len + 1) == 1 &&
                   (n == 0 || EVP_DigestUpdate(ctx, p, n) == 1) && EVP_DigestFinal_ex(ctx, out, &len) == 1;

    EVP_MD_CTX_free(ctx);
    return is_done && len == IMS_SHA1_BYTES ? IMS_OK : crypto_fail(err, "hashing");
}

ims_status ims__hmac_sha256(const void *key, size_t n_key, const void *p, size_t n, uint8_t out[IMS_SHA256_BYTES],
                            ims_err *err)
{
    unsigned len = 0;

    if (n_key > INT_MAX || !HMAC(EVP_sha256(), key, (int)n_key, p, n, out, &len) || len != IMS_SHA256_BYTES)
        return crypto_fail(err, "signing");
    return IMS_OK;
}

ims_status ims__random_bytes(void *out, size_t n, ims_err *err)
{
    if (n > INT_MAX || RAND_bytes(out, (int)n) != 1)
        return crypto_fail(err, "making random bytes");
    return IMS_OK;
}

bool ims__is_equal_secret(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void ims__hex(const uint8_t *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

uint64_t ims__hash64(const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}
