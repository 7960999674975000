/* Fixed inputs of the graphs of a pack, by which a device shows that it computes them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face_proof.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "models/clip/clip_proof.h"

#include <string.h>

#define VERSION 1 /* of the inputs */
#define CASES 3   /* of a detector, whose rows are no pictures */
#define ROWS 4    /* of the other graphs */

static const char *const graph_names[IMS_FACE_N_PARTS] = {
    [IMS_FACE_DETECT] = "detect",
    [IMS_FACE_EMBED] = "recognise",
    [IMS_FACE_GENDER_AGE] = "genderage",
    [IMS_FACE_LANDMARKS] = "landmarks",
};

/* n pictures from number first on, as the part wants its numbers. */
static ims_status fill_planes(ims_face_part part, unsigned first, size_t n, size_t height,
                              size_t width, struct ims_compute_value *in, ims_err *err)
{
    const struct ims_face_pixels *rule = &ims__face_pixels[part];
    const float scale[3] = { rule->scale, rule->scale, rule->scale };
    const float bias[3] = { rule->bias, rule->bias, rule->bias };
    uint8_t *rgb = ims__alloc(height * width, 3);
    ims_status st;

    if (!rgb)
        return ims_fail(err, IMS_E_NOMEM, "face", 0, "proving a device");
    in->tensor = (struct ims_tensor){ .dtype = IMS_DTYPE_F32,
                                      .rank = 4,
                                      .shape = { (int64_t)n, 3, (int64_t)height, (int64_t)width } };
    st = ims_tensor_alloc(&in->tensor, err);
    for (size_t i = 0; !st && i < n; i++) {
        ims__clip_proof_picture(first + (unsigned)i, height, width, rgb);
        ims__kernels()->u8_to_f32_planar(rgb, height * width, scale, bias,
                                         (float *)in->tensor.data + i * height * width * 3,
                                         height * width);
    }
    ims__free(rgb);
    return st;
}

/* A detector of a free size is proven at the small one: the same operators for a part of the work.
 */
static ims_status fill(void *arg, const struct ims_compute_session *s, size_t which,
                       struct ims_compute_value *in, size_t *out_n, ims_err *err)
{
    const struct ims_face_proof *p = arg;
    struct ims_face_graph g = *p->graph; /* this session's ports, not those of the pool's */
    size_t side = (size_t)ims_face_crop_side(g.part);
    size_t height, width;
    ims_status st = ims__face_opened(&g, s, err);

    if (st)
        return st;
    *out_n = 1;
    if (g.part != IMS_FACE_DETECT)
        return fill_planes(g.part, 0, ROWS, side, side, in, err);
    height = g.scrfd.height ? (size_t)g.scrfd.height : FACE_SMALL_SIDE_PX;
    width = g.scrfd.width ? (size_t)g.scrfd.width : FACE_SMALL_SIDE_PX;
    return fill_planes(g.part, (unsigned)which, 1, height, width, in, err);
}

void ims__face_proof_init(struct ims_face_proof *p, const struct ims_face_graph *graph)
{
    const struct ims_face_pack *pack = graph->m->pack;
    const bool is_detector = graph->part == IMS_FACE_DETECT;

    p->graph = graph;
    p->set = (struct ims_proof_set){
        .model = pack->name,
        .digest = pack->digest,
        .graph_name = graph_names[graph->part],
        .precision = IMS_PRECISION_FP32,
        .graph = { .path = pack->files[graph->part] },
        .version = VERSION,
        .has_rows = !is_detector,
        .n_cases = is_detector ? CASES : 1,
        .fill = fill,
        .arg = p,
    };
}
