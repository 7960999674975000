/* Keys under which texts compare equal, by utf8proc.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fold.h"

#include "base/mem.h"
#include "base/text.h"

#include <utf8proc.h>

bool ims__is_space(uint32_t cp)
{
    return cp == ' ' || (cp >= 0x09 && cp <= 0x0d) || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
           cp == 0x205f || cp == 0x3000;
}

size_t ims__trim(const char *s, size_t n, const char **out)
{
    size_t start = 0, end = 0;
    bool has_begun = false;

    for (size_t i = 0, step; i < n; i += step) {
        uint32_t cp;

        step = ims__utf8_decode(s + i, n - i, &cp);
        if (ims__is_space(cp))
            continue;
        if (!has_begun)
            start = i;
        has_begun = true;
        end = i + step;
    }
    *out = s + start;
    return end - start;
}

/* The code points with runs of white space as one blank, none at the ends; encoded. */
static ims_status add_collapsed(const utf8proc_int32_t *cps, utf8proc_ssize_t n,
                                struct ims_buf *out)
{
    bool is_pending = false, has_begun = false;
    char bytes[4];

    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (ims__is_space((uint32_t)cps[i])) {
            is_pending = has_begun;
            continue;
        }
        if (is_pending)
            (void)ims__buf_add_char(out, ' ');
        (void)ims__buf_add(out, bytes, ims__utf8_encode((uint32_t)cps[i], bytes));
        is_pending = false;
        has_begun = true;
    }
    return ims__buf_status(out);
}

ims_status ims__fold(const char *s, size_t n, struct ims_buf *out)
{
    const utf8proc_option_t options =
        UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    utf8proc_int32_t *cps = NULL;
    utf8proc_ssize_t n_cps;
    ims_status st = IMS_OK;

    if (!ims__utf8_is_valid(s, n))
        return IMS_E_FORMAT;
    n_cps = utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, NULL, 0, options);
    if (n_cps < 0)
        return IMS_E_FORMAT;
    cps = ims__alloc((size_t)n_cps + 1, sizeof(*cps));
    if (!cps)
        return IMS_E_NOMEM;
    n_cps =
        utf8proc_decompose((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, cps, n_cps, options);
    if (n_cps >= 0)
        n_cps = utf8proc_normalize_utf32(cps, n_cps, options);
    st = n_cps < 0 ? IMS_E_FORMAT : add_collapsed(cps, n_cps, out);
    ims__free(cps);
    return st;
}
