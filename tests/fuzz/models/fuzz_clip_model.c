/* Fuzz target: a CLIP configuration, a zero byte, and the start of a safetensors file. What both
 * accept must become two graphs or a typed error.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "models/clip/clip_graph.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void write_graphs(const struct ims_clip_config *config,
                         const struct ims_safetensors *weights)
{
    struct ims_clip_plan plan;
    const struct ims_clip_source source = { .weights = weights, .plan = &plan };
    ims_err err = { 0 };
    void *bytes;
    size_t n;

    ims__clip_plan_init(&plan);
    if (ims__clip_graph_image(&bytes, &n, config, &source, &err) == IMS_OK) {
        must(bytes && n);
        ims__free(bytes);
    } else {
        must(err.status != IMS_OK && err.text[0]);
    }
    err = (ims_err){ 0 };
    if (ims__clip_graph_text(&bytes, &n, config, &source, &err) == IMS_OK) {
        must(bytes && n);
        ims__free(bytes);
    } else {
        must(err.status != IMS_OK && err.text[0]);
    }
    ims__clip_plan_release(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t config_len = zero ? (size_t)(zero - data) : size;
    const uint8_t *file = zero ? zero + 1 : data;
    size_t file_len = zero ? size - config_len - 1 : size;
    struct ims_clip_config config;
    struct ims_safetensors weights;
    ims_err err = { 0 };
    bool has_config;
    /* the header claims offsets into data that need not be here */
    uint64_t file_bytes = file_len >= 4 ? file_len + ((uint64_t)file[0] << 20) : file_len;

    has_config = ims__clip_config_parse(&config, IMS_PACK_OPEN_CLIP, (const char *)data, config_len,
                                        "c", NULL, 0, NULL, &err) == IMS_OK;
    must(has_config || err.status != IMS_OK);
    (void)!ims__clip_config_parse(&config, IMS_PACK_IMMICH, "{\"embed_dim\":4}", 15, "c",
                                  (const char *)data, config_len, "p", NULL);
    if (has_config)
        must(ims__clip_config_parse(&config, IMS_PACK_OPEN_CLIP, (const char *)data, config_len,
                                    "c", NULL, 0, NULL, &err) == IMS_OK);
    err = (ims_err){ 0 };
    if (ims__safetensors_parse(&weights, file, file_len, file_bytes, "w", &err) != IMS_OK) {
        must(err.status != IMS_OK && err.text[0]);
        return 0;
    }
    for (size_t i = 0; i < weights.n_tensors; i++)
        must(weights.tensors[i].offset <= file_bytes &&
             weights.tensors[i].size_bytes <= file_bytes - weights.tensors[i].offset);
    if (has_config)
        write_graphs(&config, &weights);
    ims__safetensors_release(&weights);
    return 0;
}
