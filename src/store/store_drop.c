/* Forgetting a model and all that it made.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

struct drop {
    int64_t model_id;
    int64_t n_vectors, n_models;
};

/* Vectors, work, evidence, scans and removals go with the row. A number once given to a model is not
 * given again, so nothing derived from it can be taken for another's. */
static ims_status drop(struct ims_store *s, void *arg, ims_err *err)
{
    struct drop *x = arg;
    int64_t n_named = 0;
    ims_status st = ims_db_get_int(s->db,
                                   "SELECT (SELECT count(*) FROM embeddings WHERE model_id = $1) + "
                                   "(SELECT count(*) FROM face_vectors WHERE model_id = $1)",
                                   IMS_DB_ARGS(ims_db_int(x->model_id)), &x->n_vectors, NULL, err);

    if (!st)
        st = ims_db_get_int(
            s->db, "SELECT count(*) FROM faces WHERE model_id = $1 AND person_id IS NOT NULL",
            IMS_DB_ARGS(ims_db_int(x->model_id)), &n_named, NULL, err);
    if (!st && n_named)
        st = ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                      "the model found %lld faces that have a person; those names would be lost "
                      "(people export keeps them)",
                      (long long)n_named);
    if (!st)
        st = ims_db_run(s->db, "DELETE FROM models WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(x->model_id)), &x->n_models, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_drop_model(struct ims_store *s, int64_t model_id, int64_t *out_n_vectors,
                                ims_err *err)
{
    struct drop x = { .model_id = model_id };
    ims_status st = ims__store_write(s, drop, &x, err);

    if (st)
        return st;
    if (x.n_models == 0)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no model %lld",
                        (long long)model_id);
    if (out_n_vectors)
        *out_n_vectors = x.n_vectors;
    return IMS_OK;
}
