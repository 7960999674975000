/* A library that says it is ONNX Runtime FAKE_VERSION and has no functions: for what the loader
 * refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdint.h>

struct base {
    const void *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
};

const struct base *OrtGetApiBase(void);

static const void *no_api(uint32_t version)
{
    (void)version;
    return NULL;
}

static const char *version_string(void)
{
    return FAKE_VERSION;
}

static const struct base the_base = { no_api, version_string };

const struct base *OrtGetApiBase(void)
{
    return &the_base;
}
