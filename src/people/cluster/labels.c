/* What all clusterings share: labels, their numbering, small clusters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/cluster/labels.h"

#include "base/mem.h"

void ims__labels_release(struct ims_labels *l)
{
    ims__free(l->labels);
    ims__free(l->probabilities);
    ims__free(l->outlier_scores);
    ims__free(l->reaches);
    *l = (struct ims_labels){ 0 };
}

ims_status ims__labels_init(struct ims_labels *l, size_t n, ims_err *err)
{
    *l = (struct ims_labels){ .n = n };
    l->labels = ims__alloc(n, sizeof(*l->labels));
    l->probabilities = ims__zalloc(n, sizeof(*l->probabilities));
    l->outlier_scores = ims__zalloc(n, sizeof(*l->outlier_scores));
    l->reaches = ims__alloc(n, sizeof(*l->reaches));
    if (!l->labels || !l->probabilities || !l->outlier_scores || !l->reaches) {
        ims__labels_release(l);
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "labels of %zu faces", n);
    }
    for (size_t i = 0; i < n; i++) {
        l->labels[i] = IMS_NOISE;
        l->reaches[i] = -1;
    }
    return IMS_OK;
}

ims_status ims__labels_number(struct ims_labels *l, ims_err *err)
{
    int32_t *numbers = ims__alloc(l->n, sizeof(*numbers));

    if (!numbers)
        return ims_fail(err, IMS_E_NOMEM, "cluster", 0, "labels of %zu faces", l->n);
    for (size_t i = 0; i < l->n; i++)
        numbers[i] = IMS_NOISE;
    l->n_clusters = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->labels[i] == IMS_NOISE)
            continue;
        if (numbers[l->labels[i]] == IMS_NOISE)
            numbers[l->labels[i]] = (int32_t)l->n_clusters++;
        l->labels[i] = numbers[l->labels[i]];
    }
    ims__free(numbers);
    return IMS_OK;
}
