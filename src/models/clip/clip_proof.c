/* Fixed pictures and texts as inputs of a tower, whatever form its graph wants them in.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_proof.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"

#include <string.h>

#define ORIGIN "clip"
#define MAX_PROOF_BYTES (4 * IMS_MIB)
#define ROWS IMS_CLIP_PROOF_ROWS

const char *const ims__clip_proof_texts[ROWS] = {
    "a photo of a dog",
    "a red car on a street",
    "mountains and a lake",
    "two people at a table",
    "a city at night",
    "an old house in the snow",
    "a bowl of fruit",
    "children playing on a beach in the summer, seen from a boat",
};

/* ---- pictures ---- */

static uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t h = a * 73856093u ^ b * 19349663u ^ c * 83492791u;

    h ^= h >> 13;
    h *= 0x5bd1e995u;
    return h ^ h >> 15;
}

static void put(uint8_t *px, unsigned r, unsigned g, unsigned b)
{
    px[0] = (uint8_t)r;
    px[1] = (uint8_t)g;
    px[2] = (uint8_t)b;
}

/* u, v: 0..255 from the left and from the top. */
static void paint(unsigned k, unsigned u, unsigned v, uint8_t *px)
{
    static const uint8_t bands[4][3] = {
        { 230, 60, 40 }, { 250, 220, 60 }, { 40, 90, 200 }, { 245, 245, 240 }
    };
    int dx = (int)u - 128, dy = (int)v - 128;
    unsigned band = (u + v) >> 5 & 3;

    switch (k) {
    case 0: /* from left to right */
        put(px, u, 255 - u, 128);
        break;
    case 1: /* stripes */
        put(px, (u >> 5 & 1) * 255, v, 40);
        break;
    case 2: /* a disc */
        if (dx * dx + dy * dy < 80 * 80)
            put(px, 230, 40, 40);
        else
            put(px, 60, 120, 200);
        break;
    case 3: /* a chessboard */
        put(px, ((u ^ v) >> 5 & 1) * 240 + 10, ((u ^ v) >> 5 & 1) * 240 + 10, 20);
        break;
    case 4: /* sky above a meadow */
        if (v < 120)
            put(px, 110, 170, 250 - v / 4);
        else
            put(px, 60, 130 + (u >> 4), 60);
        break;
    case 5: /* stars */
        if (mix(u >> 3, v >> 3, 5) % 17 == 0)
            put(px, 255, 240, 180);
        else
            put(px, 10, 10, 40);
        break;
    case 6: /* bands across */
        put(px, bands[band][0], bands[band][1], bands[band][2]);
        break;
    default: /* coloured blocks */
        put(px, mix(u >> 4, v >> 4, 1) & 255, mix(u >> 4, v >> 4, 2) & 255,
            mix(u >> 4, v >> 4, 3) & 255);
    }
}

void ims__clip_proof_picture(unsigned k, size_t height, size_t width, uint8_t *out)
{
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++)
            paint(k, (unsigned)(x * 256 / width), (unsigned)(y * 256 / height),
                  out + (y * width + x) * 3);
    }
}

/* ---- inputs ---- */

static ims_status fill_bytes(const struct ims_clip *c, struct ims_compute_value *in, ims_err *err)
{
    const size_t h = c->config.vision.height, w = c->config.vision.width;
    ims_status st;

    in->tensor = (struct ims_tensor){ .dtype = IMS_DTYPE_U8,
                                      .rank = 4,
                                      .shape = { ROWS, (int64_t)h, (int64_t)w, 3 } };
    st = ims_tensor_alloc(&in->tensor, err);
    for (unsigned k = 0; !st && k < ROWS; k++)
        ims__clip_proof_picture(k, h, w, (uint8_t *)in->tensor.data + k * h * w * 3);
    return st;
}

static ims_status fill_planes(const struct ims_clip *c, struct ims_compute_value *in, ims_err *err)
{
    const size_t h = c->config.vision.height, w = c->config.vision.width;
    struct ims_compute_value bytes = { .name = NULL };
    ims_status st = fill_bytes(c, &bytes, err);

    in->tensor = (struct ims_tensor){ .dtype = IMS_DTYPE_F32,
                                      .rank = 4,
                                      .shape = { ROWS, 3, (int64_t)h, (int64_t)w } };
    if (!st)
        st = ims_tensor_alloc(&in->tensor, err);
    if (!st)
        ims__clip_planes(c, bytes.tensor.data, ROWS, in->tensor.data);
    ims_tensor_release(&bytes.tensor);
    return st;
}

static ims_status fill_ids(const struct ims_clip *c, const struct ims_clip_side *side,
                           struct ims_compute_value *in, ims_err *err)
{
    size_t length = 0;
    int32_t *ids = NULL;
    ims_status st = ims__clip_ids(c, side, ims__clip_proof_texts, ROWS, &ids, &length, err);

    in->tensor = (struct ims_tensor){ .dtype = side->id_type,
                                      .rank = 2,
                                      .shape = { ROWS, (int64_t)length } };
    if (!st)
        st = ims_tensor_alloc(&in->tensor, err);
    if (!st && side->id_type == IMS_DTYPE_I32) {
        memcpy(in->tensor.data, ids, ROWS * length * sizeof(*ids));
    } else if (!st) {
        for (size_t i = 0; i < ROWS * length; i++)
            ((int64_t *)in->tensor.data)[i] = ids[i];
    }
    ims__free(ids);
    return st;
}

static ims_status fill(void *arg, const struct ims_compute_session *s, size_t which,
                       struct ims_compute_value *in, size_t *out_n, ims_err *err)
{
    const struct ims_clip_proof *p = arg;
    struct ims_clip_side side = { .has_lock = false };
    ims_status st = ims__clip_read_ports(p->clip, &side, p->tower, s, err);

    (void)which; /* the rows are all in one case */
    if (st)
        return st;
    *out_n = 1;
    if (p->tower == IMS_CLIP_TEXT)
        return fill_ids(p->clip, &side, in, err);
    return side.is_planar ? fill_planes(p->clip, in, err) : fill_bytes(p->clip, in, err);
}

/* ---- reference results of the pack ---- */

static bool take_rows(const ims_json *rows, size_t dim, float *out)
{
    if (ims__json_len(rows) != ROWS)
        return false;
    for (size_t r = 0; r < ROWS; r++) {
        const ims_json *row = ims__json_at(rows, r);

        if (ims__json_len(row) != dim)
            return false;
        for (size_t i = 0; i < dim; i++)
            out[r * dim + i] = (float)ims__json_num(ims__json_at(row, i), 0);
    }
    return true;
}

/* Not there, or about something else: NULL. */
static ims_status read_golden(struct ims_clip_proof *p, ims_err *err)
{
    const struct ims_clip *c = p->clip;
    char *path = ims__path_join(c->pack->dir, "proof.json");
    float *golden = ims__alloc(ROWS * c->config.dim, sizeof(*golden));
    const char *digest;
    struct ims_buf text;
    ims_json *o = NULL;
    ims_status st;

    ims__buf_init(&text, MAX_PROOF_BYTES);
    st = path && golden ? ims__read_file(path, MAX_PROOF_BYTES, &text, NULL, err)
                        : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "proving %s", c->pack->name);
    if (!st)
        st = ims__json_parse(&o, text.data ? text.data : "", text.len, path, err);
    digest = ims__json_str(ims__json_get(o, "digest"), NULL);
    if (!st && digest && strcmp(digest, c->pack->digest) == 0 &&
        ims__json_int(ims__json_get(o, "inputs"), 0) == IMS_CLIP_PROOF_VERSION &&
        take_rows(ims__json_get(o, p->tower == IMS_CLIP_IMAGE ? "image" : "text"), c->config.dim,
                  golden)) {
        p->golden = golden;
        golden = NULL;
    }
    ims__json_free(o);
    ims__buf_release(&text);
    ims__free(golden);
    ims__free(path);
    return st == IMS_E_NOT_FOUND ? IMS_OK : st;
}

static const float *golden_of(void *arg, size_t which, size_t *out_n)
{
    const struct ims_clip_proof *p = arg;

    (void)which;
    *out_n = ROWS * p->clip->config.dim;
    return p->golden;
}

ims_status ims__clip_proof_init(struct ims_clip_proof *p, struct ims_clip *clip,
                                ims_clip_tower tower, const struct ims_compute_graph *graph,
                                ims_err *err)
{
    const struct ims_clip_side *side = &clip->sides[tower];
    ims_status st;

    memset(p, 0, sizeof(*p));
    p->clip = clip;
    p->tower = tower;
    p->set = (struct ims_proof_set){
        .model = clip->space.name,
        .digest = clip->space.digest,
        .graph_name = tower == IMS_CLIP_IMAGE ? "image" : "text",
        .precision = clip->info.precision,
        .graph = *graph,
        .reference = { .bytes = side->reference,
                       .n_bytes = side->reference_bytes,
                       .external_dir = side->reference ? clip->pack->dir : NULL },
        .static_dims = side->static_dims,
        .n_static_dims = side->n_static_dims,
        .version = IMS_CLIP_PROOF_VERSION,
        .has_rows = true,
        .n_cases = 1,
        .fill = fill,
        .arg = p,
    };
    st = read_golden(p, err);
    if (!st && p->golden)
        p->set.golden = golden_of;
    return st;
}

void ims__clip_proof_release(struct ims_clip_proof *p)
{
    ims__free(p->golden);
}
