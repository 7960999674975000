/* The pure function from request, inventory and proofs to a device, with its reasons.
 *
 * It works in rounds: whenever the answer depends on a proof that was not made yet, it names that
 * proof and stops. So nothing is tried that cannot be chosen, and a machine without a GPU never
 * touches a GPU's provider.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include <stdio.h>
#include <string.h>

struct round {
    const struct ims_device_request *request;
    const struct ims_device_inventory *inventory;
    const struct ims_device_proof *proofs;
    size_t n_proofs;
    struct ims_device_choice choice;
};

typedef enum verdict {
    VERDICT_TAKE,
    VERDICT_PROVE_FIRST, /* choice.needs_proof is set */
    VERDICT_PASS_OVER    /* why is filled */
} verdict;

static bool is_nvidia(ims_device_kind kind)
{
    return kind == IMS_DEVICE_CUDA || kind == IMS_DEVICE_TENSORRT;
}

/* Is the device there at all? false fills why. */
static bool is_present(const struct ims_device_inventory *inv, struct ims_device_id id, char *why,
                       size_t why_size)
{
    if (is_nvidia(id.kind) && !inv->has_cuda_driver) {
        snprintf(why, why_size, "no NVIDIA driver was found on this machine");
        return false;
    }
    if (is_nvidia(id.kind) && inv->n_cuda == 0) {
        snprintf(why, why_size, "the NVIDIA driver shows no device%s%s",
                 inv->cuda_problem[0] ? ": " : "", inv->cuda_problem);
        return false;
    }
    if (is_nvidia(id.kind) && id.index >= inv->n_cuda) {
        snprintf(why, why_size, "Invalid CUDA device ID: device %u is not there, only %zu found",
                 id.index, inv->n_cuda);
        return false;
    }
    if (id.kind != IMS_DEVICE_CPU && !inv->offers[id.kind]) {
        snprintf(why, why_size, "this inference runtime was built without %s",
                 ims_device_kind_provider(id.kind));
        return false;
    }
    return true;
}

static const struct ims_device_proof *find_proof(const struct ims_device_proof *proofs,
                                                 size_t n_proofs, struct ims_device_id id)
{
    for (size_t i = 0; i < n_proofs; i++) {
        if (ims_device_id_equal(proofs[i].id, id) && proofs[i].state != IMS_PROOF_NONE)
            return &proofs[i];
    }
    return NULL;
}

/* Is it known that there is such a device? Of most kinds only a proof can tell. */
static bool is_known(ims_device_kind kind, const struct ims_device_proof *proof)
{
    return kind == IMS_DEVICE_CPU || kind == IMS_DEVICE_CUDA || proof;
}

/* Those that are known, or those that are not, after before; returns how many bytes there are now. */
static size_t list_some(const struct ims_device_inventory *inventory,
                        const struct ims_device_proof *proofs, size_t n_proofs, bool is_wanted,
                        const char *before, char *out, size_t size, size_t n)
{
    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++) {
        size_t count = k == IMS_DEVICE_CUDA ? inventory->n_cuda : 1;

        for (size_t i = 0; i < count && n < size; i++) {
            struct ims_device_id id = { (ims_device_kind)k, (unsigned)i };
            const struct ims_device_proof *proof = find_proof(proofs, n_proofs, id);
            char name[IMS_DEVICE_NAME_BYTES], why[IMS_DEVICE_TEXT_BYTES];

            if (is_known(id.kind, proof) != is_wanted || !is_present(inventory, id, why, sizeof(why)) ||
                (proof && proof->state == IMS_PROOF_FAILED))
                continue;
            ims_device_id_name(id, name);
            n += (size_t)snprintf(out + n, size - n, "%s%s", before, name);
            before = ", ";
        }
    }
    return n;
}

void ims_device_list_here(const struct ims_device_inventory *inventory,
                          const struct ims_device_proof *proofs, size_t n_proofs, char *out,
                          size_t size)
{
    size_t n;

    out[0] = '\0';
    n = list_some(inventory, proofs, n_proofs, true, "", out, size, 0);
    (void)list_some(inventory, proofs, n_proofs, false, "; not tried: ", out, size, n);
}

static ims_status not_there(const struct round *r, struct ims_device_id id, const char *why,
                            ims_err *err)
{
    char name[IMS_DEVICE_NAME_BYTES], present[192];

    ims_device_id_name(id, name);
    ims_device_list_here(r->inventory, r->proofs, r->n_proofs, present, sizeof(present));
    return ims_fail(err, IMS_E_DEVICE, "device", 0,
                    "%s (%s=%s) cannot be used: %s. Here: %s (docs/devices.md: what each needs)",
                    name, ims_device_source_name(r->request->source), r->request->asked, why,
                    present);
}

static bool is_permitted(const struct ims_device_request *q, ims_device_kind kind)
{
    for (size_t i = 0; i < q->n_allowed; i++) {
        if (q->allowed[i] == kind)
            return true;
    }
    return !q->has_permission;
}

/* Presence, then proof. may_be_slow: asked for by name, so speed does not matter. */
static verdict judge(struct round *r, struct ims_device_id id, bool may_be_slow, char *why,
                     size_t why_size)
{
    const struct ims_device_proof *proof;

    if (!is_present(r->inventory, id, why, why_size))
        return VERDICT_PASS_OVER;
    proof = find_proof(r->proofs, r->n_proofs, id);
    if (!proof) {
        r->choice.is_final = false;
        r->choice.needs_proof = id;
        return VERDICT_PROVE_FIRST;
    }
    if (proof->state == IMS_PROOF_PASSED || (proof->state == IMS_PROOF_SLOWER && may_be_slow))
        return VERDICT_TAKE;
    snprintf(why, why_size, "%s%s",
             proof->state == IMS_PROOF_SLOWER ? "slower than the CPU here: " : "", proof->text);
    return VERDICT_PASS_OVER;
}

static void take(struct round *r, struct ims_device_id id)
{
    r->choice.ids[r->choice.n_ids++] = id;
    r->choice.is_final = true;
}

static ims_status check_permission(const struct ims_device_request *q, ims_device_kind kind,
                                   ims_err *err)
{
    if (is_permitted(q, kind))
        return IMS_OK;
    return ims_fail(
        err, IMS_E_CONFIG, "device", 0, "%s=%s needs %s, which ONNX_PROVIDERS leaves out",
        ims_device_source_name(q->source),
        q->source == IMS_DEVICE_FROM_FORCE_CPU ? "true" : q->asked, ims_device_kind_provider(kind));
}

static ims_status choose_named(struct round *r, ims_err *err)
{
    const struct ims_device_request *q = r->request;
    char why[IMS_DEVICE_TEXT_BYTES];

    for (size_t i = 0; i < q->n_ids; i++) {
        ims_status st = check_permission(q, q->ids[i].kind, err);

        if (st)
            return st;
    }
    for (size_t i = 0; i < q->n_ids; i++) { /* presence of all before the proof of any */
        if (!is_present(r->inventory, q->ids[i], why, sizeof(why)))
            return not_there(r, q->ids[i], why, err);
    }
    for (size_t i = 0; i < q->n_ids; i++) {
        switch (judge(r, q->ids[i], true, why, sizeof(why))) {
        case VERDICT_PROVE_FIRST:
            return IMS_OK;
        case VERDICT_PASS_OVER:
            return not_there(r, q->ids[i], why, err);
        case VERDICT_TAKE:
            take(r, q->ids[i]);
        }
    }
    if (q->source == IMS_DEVICE_FROM_FORCE_CPU)
        snprintf(r->choice.reason, sizeof(r->choice.reason), "FORCE_CPU is set");
    else
        snprintf(r->choice.reason, sizeof(r->choice.reason), "asked for with %s=%s",
                 ims_device_source_name(q->source), q->asked);
    return IMS_OK;
}

static ims_status choose_all_cuda(struct round *r, ims_err *err)
{
    char why[IMS_DEVICE_TEXT_BYTES] = "", first_why[IMS_DEVICE_TEXT_BYTES] = "";
    char name[IMS_DEVICE_NAME_BYTES];
    struct ims_device_id id = { IMS_DEVICE_CUDA, 0 };
    ims_status st = check_permission(r->request, IMS_DEVICE_CUDA, err);

    if (st)
        return st;
    if (!is_present(r->inventory, id, why, sizeof(why)))
        return not_there(r, id, why, err);
    for (; id.index < r->inventory->n_cuda && id.index < IMS_MAX_DEVICES; id.index++) {
        switch (judge(r, id, true, why, sizeof(why))) {
        case VERDICT_PROVE_FIRST:
            return IMS_OK;
        case VERDICT_PASS_OVER:
            ims_device_id_name(id, name);
            ims__device_note(&r->choice.notes, true, "%s is left out: %s", name, why);
            if (!first_why[0])
                memcpy(first_why, why, sizeof(first_why));
            break;
        case VERDICT_TAKE:
            take(r, id);
        }
    }
    id.index = 0;
    if (r->choice.n_ids == 0)
        return not_there(r, id, first_why, err);
    snprintf(r->choice.reason, sizeof(r->choice.reason),
             "asked for with %s=cuda:all; %zu of %zu passed the test",
             ims_device_source_name(r->request->source), r->choice.n_ids, r->inventory->n_cuda);
    return IMS_OK;
}

/* auto without a list passes over absent hardware without a word; everything else is told. */
static bool is_worth_telling(const struct round *r, ims_device_kind kind)
{
    if (r->request->has_permission)
        return true;
    if (kind == IMS_DEVICE_COREML)
        return r->inventory->is_apple_silicon;
    return !is_nvidia(kind) || r->inventory->n_cuda > 0 ||
           (r->inventory->has_cuda_driver && r->inventory->cuda_problem[0]);
}

static void reason_auto(struct round *r, const char *passed_over)
{
    char name[IMS_DEVICE_NAME_BYTES];
    char *out = r->choice.reason;
    size_t size = sizeof(r->choice.reason);

    ims_device_id_name(r->choice.ids[0], name);
    if (passed_over[0])
        snprintf(out, size, "auto: %s, because %s", name, passed_over);
    else if (r->request->has_permission)
        snprintf(out, size, "auto: %s is the first of ONNX_PROVIDERS and passed the test", name);
    else if (r->choice.ids[0].kind == IMS_DEVICE_CPU)
        snprintf(out, size, "auto: this machine has no accelerator that auto considers");
    else
        snprintf(out, size, "auto: %s passed the test", name);
}

/* One candidate of auto's. Tells why it is passed over; the first such reason goes to passed_over. */
static verdict consider(struct round *r, struct ims_device_id id, bool may_be_slow,
                        char passed_over[IMS_DEVICE_TEXT_BYTES])
{
    char why[IMS_DEVICE_TEXT_BYTES], name[IMS_DEVICE_NAME_BYTES];
    verdict v = judge(r, id, may_be_slow, why, sizeof(why));

    if (v == VERDICT_TAKE)
        take(r, id);
    if (v != VERDICT_PASS_OVER || !is_worth_telling(r, id.kind))
        return v;
    if (id.kind == IMS_DEVICE_CUDA && r->inventory->n_cuda == 0)
        snprintf(name, sizeof(name), "%s", ims_device_kind_name(id.kind));
    else
        ims_device_id_name(id, name);
    ims__device_note(&r->choice.notes, true, "%s is passed over: %s", name, why);
    if (!passed_over[0])
        snprintf(passed_over, IMS_DEVICE_TEXT_BYTES, "%s did not do: %.*s", name,
                 IMS_DEVICE_TEXT_BYTES - 64, why);
    return v;
}

/* The first of the order that does. Where ONNX_PROVIDERS gives the order, being slower than the CPU
 * is no reason: the operator has decided. */
static verdict walk_order(struct round *r, bool may_be_slow,
                          char passed_over[IMS_DEVICE_TEXT_BYTES])
{
    static const ims_device_kind usual[] = { IMS_DEVICE_CUDA, IMS_DEVICE_COREML, IMS_DEVICE_CPU };
    const struct ims_device_request *q = r->request;
    const ims_device_kind *order = q->has_permission ? q->allowed : usual;
    size_t n = q->has_permission ? q->n_allowed : sizeof(usual) / sizeof(usual[0]);

    for (size_t i = 0; i < n; i++) {
        size_t count =
            order[i] == IMS_DEVICE_CUDA && r->inventory->n_cuda > 0 ? r->inventory->n_cuda : 1;

        if (order[i] == IMS_DEVICE_COREML && !q->has_permission && !r->inventory->is_apple_silicon)
            continue;
        for (size_t j = 0; j < count && j < IMS_MAX_DEVICES; j++) {
            verdict v = consider(r, (struct ims_device_id){ order[i], (unsigned)j }, may_be_slow,
                                 passed_over);

            if (v != VERDICT_PASS_OVER)
                return v;
        }
    }
    return VERDICT_PASS_OVER;
}

static ims_status choose_auto(struct round *r, ims_err *err)
{
    char passed_over[IMS_DEVICE_TEXT_BYTES] = "", again[IMS_DEVICE_TEXT_BYTES] = "";
    verdict v = walk_order(r, r->request->has_permission, passed_over);
    struct ims_device_notes notes = r->choice.notes;

    if (v == VERDICT_PASS_OVER) { /* then a right device that is slow is better than none */
        v = walk_order(r, true, again);
        r->choice.notes = notes;
    }
    if (v == VERDICT_PASS_OVER)
        return ims_fail(err, IMS_E_DEVICE, "device", 0, "no device passed: %s",
                        passed_over[0] ? passed_over : "none is permitted");
    if (v == VERDICT_TAKE)
        reason_auto(r, passed_over);
    return IMS_OK;
}

ims_status ims_device_choose(struct ims_device_choice *out,
                             const struct ims_device_request *request,
                             const struct ims_device_inventory *inventory,
                             const struct ims_device_proof *proofs, size_t n_proofs, ims_err *err)
{
    struct round r = { request, inventory, proofs, n_proofs, { .is_final = false } };
    ims_status st;

    r.choice.notes = request->notes;
    if (request->is_cuda_all)
        st = choose_all_cuda(&r, err);
    else if (request->is_auto)
        st = choose_auto(&r, err);
    else
        st = choose_named(&r, err);
    if (st)
        return st;
    *out = r.choice;
    return IMS_OK;
}
