/* The choice of a device: inventory, proofs, and the loop that brings both together.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/compute_internal.h"

#include "base/clock.h"
#include "base/mem.h"
#include "compute/proof_graph.h"

#include <stdio.h>
#include <string.h>

/* ---- inventory ---- */

static bool does_offer(const struct ims_compute_info *info, const char *provider)
{
    for (size_t i = 0; i < info->n_providers; i++) {
        if (strcmp(info->providers[i], provider) == 0)
            return true;
    }
    return false;
}

/* Does the answer depend on NVIDIA hardware at all? If not, its driver is not even looked for. */
static bool needs_cuda_facts(const struct ims_device_request *q)
{
    if (q->is_cuda_all || (q->is_auto && !q->has_permission))
        return true;
    for (size_t i = 0; q->is_auto && i < q->n_allowed; i++) {
        if (q->allowed[i] == IMS_DEVICE_CUDA || q->allowed[i] == IMS_DEVICE_TENSORRT)
            return true;
    }
    for (size_t i = 0; i < q->n_ids; i++) {
        if (q->ids[i].kind != IMS_DEVICE_CPU) /* an error text lists what is there */
            return true;
    }
    return false;
}

ims_status ims__compute_inventory(struct ims_compute *c, ims_err *err)
{
    struct ims_device_inventory *inventory;
    struct ims_compute_info *info;
    ims_status st = IMS_OK;

    if (c->inventory)
        return IMS_OK;
    inventory = ims__zalloc(1, sizeof(*inventory));
    info = ims__zalloc(1, sizeof(*info));
    if (!inventory || !info) {
        st = ims_fail(err, IMS_E_NOMEM, "compute", 0, "taking the inventory");
        goto out;
    }
    c->backend->describe(c->ctx, info);
    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++)
        inventory->offers[k] = does_offer(info, ims_device_kind_provider((ims_device_kind)k));
    inventory->is_apple_silicon = ims_device_is_apple_silicon();
    if (needs_cuda_facts(&c->request)) {
        st = ims__compute_need_cuda(c, err);
        if (st)
            goto out;
        inventory->has_cuda_driver = c->cuda->has_driver;
        inventory->n_cuda = c->cuda->n_devices;
        snprintf(inventory->cuda_problem, sizeof(inventory->cuda_problem), "%s", c->cuda->problem);
    }
    c->inventory = inventory;
    inventory = NULL;
out:
    ims__free(info);
    ims__free(inventory);
    return st;
}

/* ---- proofs with the test graph ---- */

ims_status ims__compute_proof(struct ims_compute *c, struct ims_device_id id,
                              const struct ims_device_proof **out, ims_err *err)
{
    struct ims_device_proof proof = { .id = id };
    ims_status st;

    for (size_t i = 0; i < c->n_proofs; i++) {
        if (ims_device_id_equal(c->proofs[i].id, id)) {
            *out = &c->proofs[i];
            return IMS_OK;
        }
    }
    if (c->n_proofs == IMS_MAX_PROOFS)
        return ims_fail(err, IMS_E_LIMIT, "compute", 0, "too many devices to prove");
    st = ims__proof_run(c, id, &proof, err);
    if (st)
        return st;
    c->proofs[c->n_proofs] = proof;
    *out = &c->proofs[c->n_proofs++];
    return IMS_OK;
}

ims_status ims_compute_prove(struct ims_compute *c, struct ims_device_id id,
                             struct ims_device_proof *out, ims_err *err)
{
    const struct ims_device_proof *proof;
    ims_status st;

    ims__lock(&c->lock);
    st = ims__compute_load(c, err);
    if (!st)
        st = ims__compute_proof(c, id, &proof, err);
    if (!st)
        *out = *proof;
    ims__unlock(&c->lock);
    return st;
}

/* ---- the choice ---- */

ims_status ims__compute_settle(struct ims_compute *c, ims_err *err)
{
    struct ims_device_choice choice;
    const struct ims_device_proof *proof;
    uint64_t start;
    ims_status st;

    if (c->is_chosen)
        return IMS_OK;
    if (c->choice_err.status != IMS_OK) {
        if (err)
            *err = c->choice_err;
        return c->choice_err.status;
    }
    st = ims__compute_load(c, err);
    if (st)
        return st;
    start = ims__mono_ns();
    st = ims__compute_inventory(c, &c->choice_err);
    while (!st) {
        st = ims_device_choose(&choice, &c->request, c->inventory, c->proofs, c->n_proofs,
                               &c->choice_err);
        if (st || choice.is_final)
            break;
        st = ims__compute_proof(c, choice.needs_proof, &proof, &c->choice_err);
    }
    c->load_ms += (double)(ims__mono_ns() - start) / 1e6;
    if (st) {
        if (err)
            *err = c->choice_err;
        return st;
    }
    c->choice = choice;
    c->is_chosen = true;
    return IMS_OK;
}

ims_status ims_compute_choose(struct ims_compute *c, struct ims_device_choice *out, ims_err *err)
{
    ims_status st;

    ims__lock(&c->lock);
    st = ims__compute_settle(c, err);
    if (!st)
        *out = c->choice;
    ims__unlock(&c->lock);
    return st;
}

static bool may_be_here(ims_device_kind kind)
{
    switch (kind) {
    case IMS_DEVICE_CPU:
        return false;
    case IMS_DEVICE_CUDA:
    case IMS_DEVICE_TENSORRT:
        return ims_device_has_cuda_driver();
    case IMS_DEVICE_COREML:
        return ims_device_is_apple_silicon();
    default:
        return true;
    }
}

bool ims_compute_may_accelerate(const struct ims_compute *c, bool *out_is_named)
{
    const struct ims_device_request *q = &c->request;
    bool may = q->is_cuda_all;

    *out_is_named = !q->is_auto;
    for (size_t i = 0; i < q->n_ids; i++)
        may = may || q->ids[i].kind != IMS_DEVICE_CPU;
    if (q->is_auto && !q->has_permission)
        may = may_be_here(IMS_DEVICE_CUDA) || may_be_here(IMS_DEVICE_COREML);
    for (size_t i = 0; q->is_auto && i < q->n_allowed; i++)
        may = may || may_be_here(q->allowed[i]);
    return may;
}

bool ims__compute_minds_speed(const struct ims_compute *c)
{
    return c->request.is_auto && !c->request.has_permission;
}

/* The test graph, then the model: the first that fails decides. */
static ims_status prove_both(struct ims_compute *c, const struct ims_proof_set *set,
                             struct ims_device_id id, struct ims_device_proof *out, ims_err *err)
{
    struct ims_proof_verdict verdict;
    ims_status st = ims_compute_prove(c, id, out, err);

    if (st || out->state != IMS_PROOF_PASSED)
        return st;
    st = ims_compute_prove_model(c, set, id, ims__compute_minds_speed(c), &verdict, err);
    if (st)
        return st;
    out->state = verdict.state;
    snprintf(out->text, sizeof(out->text), "%s", verdict.text);
    return IMS_OK;
}

static ims_status prove_or_assume(struct ims_compute *c, const struct ims_proof_set *set,
                                  struct ims_device_id id, struct ims_device_proof *out,
                                  ims_err *err)
{
    if (set)
        return prove_both(c, set, id, out, err);
    *out = (struct ims_device_proof){ .id = id, .state = IMS_PROOF_PASSED };
    return IMS_OK;
}

/* set NULL: as if every device had passed. */
static ims_status choose(struct ims_compute *c, const struct ims_proof_set *set,
                         struct ims_device_choice *out, ims_err *err)
{
    struct ims_device_proof *proofs = ims__zalloc(IMS_MAX_PROOFS, sizeof(*proofs));
    struct ims_device_choice choice;
    size_t n = 0;
    ims_status st;

    if (!proofs)
        return ims_fail(err, IMS_E_NOMEM, "compute", 0, "choosing a device");
    ims__lock(&c->lock);
    st = ims__compute_load(c, err);
    if (!st)
        st = ims__compute_inventory(c, err);
    ims__unlock(&c->lock);
    while (!st) {
        st = ims_device_choose(&choice, &c->request, c->inventory, proofs, n, err);
        if (st || choice.is_final)
            break;
        if (n == IMS_MAX_PROOFS)
            st = ims_fail(err, IMS_E_LIMIT, "compute", 0, "too many devices to prove");
        else
            st = prove_or_assume(c, set, choice.needs_proof, &proofs[n], err);
        n += !st;
    }
    if (!st)
        *out = choice;
    ims__free(proofs);
    return st;
}

ims_status ims_compute_choose_for(struct ims_compute *c, const struct ims_proof_set *set,
                                  struct ims_device_choice *out, ims_err *err)
{
    return set ? choose(c, set, out, err) : ims_compute_choose(c, out, err);
}

ims_status ims_compute_is_only_cpu(struct ims_compute *c, bool *out, ims_err *err)
{
    struct ims_device_choice choice;
    ims_status st = choose(c, NULL, &choice, err);

    if (st)
        return st;
    *out = true;
    for (size_t i = 0; i < choice.n_ids; i++)
        *out = *out && choice.ids[i].kind == IMS_DEVICE_CPU;
    return IMS_OK;
}
