/* What the files of the model proof share: results of a graph, their judgement, the files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_COMPUTE_MODEL_PROOF_INTERNAL_H
#define IMS_COMPUTE_MODEL_PROOF_INTERNAL_H

#include "compute/compute_internal.h"
#include "base/buf.h"
#include "compute/model_proof.h"

#define PROOF_MAX_TENSORS (IMS_PROOF_MAX_CASES * IMS_PROOF_MAX_OUTPUTS)
#define PROOF_MAX_KEY_BYTES 4096

/* What a graph gave: n_outputs f32 tensors for each case, one case after the other. */
struct proof_results {
    size_t n_cases, n_outputs;
    struct ims_tensor t[PROOF_MAX_TENSORS];
};
void ims__proof_results_release(struct proof_results *r);

/* ---- running: model_proof_run.c ---- */

/* All cases on a session. Rows go in as the graph takes them. */
ims_status ims__proof_compute(const struct ims_proof_set *set, struct ims_compute_session *s,
                              struct proof_results *out, ims_err *err) IMS_MUST_CHECK;
/* Row `row` of case 0 by itself; *out_is_same: as in all, within bounds. Where the graph fixes the
 * number of rows it cannot be asked, and is the same. */
ims_status ims__proof_compute_alone(const struct ims_proof_set *set, struct ims_compute_session *s,
                                    size_t row, const struct proof_results *all,
                                    struct ims_proof_bounds bounds, bool *out_is_same,
                                    ims_err *err) IMS_MUST_CHECK;
/* Rows per second of case 0: the best of a few runs, after one that warms up. A graph without rows
 * counts cases. */
ims_status ims__proof_speed(const struct ims_proof_set *set, struct ims_compute_session *s,
                            double *out_rows_per_s, ims_err *err) IMS_MUST_CHECK;

/* ---- judging: model_proof_judge.c; pure ---- */

struct proof_distance {
    double min_cosine, max_difference;
};
/* Of n numbers; a difference counts as a part of the largest |expected|. Not finite: HUGE_VAL. */
struct proof_distance ims__proof_distance(const float *got, const float *expected, size_t n);
/* NULL, or what is wrong with the numbers in themselves: not finite, or one result for all inputs. */
const char *ims__proof_absurd(const struct proof_results *r, bool has_rows);
/* The worst of all rows; false when the shapes are not the same. */
bool ims__proof_compare(const struct proof_results *got, const struct proof_results *expected,
                        bool has_rows, struct proof_distance *out);
bool ims__proof_is_within(struct proof_distance d, struct ims_proof_bounds b);

/* ---- files: model_proof_store.c ---- */

/* What verdicts and references are filed under. Texts, one fact a line; device_facts is what
 * ims__proof_hardware wrote. */
void ims__proof_verdict_key(const struct ims_proof_set *set, const char *device_facts,
                            char out[PROOF_MAX_KEY_BYTES]);
void ims__proof_reference_key(const struct ims_proof_set *set, char out[PROOF_MAX_KEY_BYTES]);

/* false when there is no such file or it is not to be trusted. */
bool ims__proof_verdict_read(const char *cache_dir, const char *key, struct ims_proof_verdict *out);
bool ims__proof_reference_read(const char *cache_dir, const char *key, struct proof_results *out);
/* A cache that cannot be written is no error: the next process proves again. */
void ims__proof_verdict_write(const char *cache_dir, const char *key,
                              const struct ims_proof_verdict *v);
void ims__proof_reference_write(const char *cache_dir, const char *key,
                                const struct proof_results *r);

/* A file of cache_dir/proofs, named by the sum of the key and a suffix; at most max bytes. */
bool ims__proof_file_read(const char *cache_dir, const char *key, const char *suffix, size_t max,
                          struct ims_buf *out);
void ims__proof_file_write(const char *cache_dir, const char *key, const char *suffix,
                           const struct ims_buf *b);
void ims__proof_file_remove(const char *cache_dir, const char *key, const char *suffix);
/* The verdict key of a set on a device; loads the runtime if need be. */
ims_status ims__proof_key(struct ims_compute *c, const struct ims_proof_set *set,
                          struct ims_device_id id, char out[PROOF_MAX_KEY_BYTES],
                          ims_err *err) IMS_MUST_CHECK;

/* ---- batch sizes: pool_remember.c ---- */

struct ims_batch_record {
    size_t rows;
    double rows_per_s; /* 0 = not measured: memory decided */
    bool is_open;      /* it was the most that settings allowed: more might be better */
};
/* For a device with so many threads (counted for the CPU only). */
void ims__batch_record_key(const char *verdict_key, struct ims_device_id id, unsigned n_threads,
                           char out[PROOF_MAX_KEY_BYTES]);
/* false when there is none, or it is too old to be relied on. */
bool ims__batch_record_read(const char *cache_dir, const char *key, struct ims_batch_record *out);
void ims__batch_record_forget(const char *cache_dir, const char *key);

/* ---- compute_hardware.c ---- */

/* The device, its driver and the runtime, as text; with the compute's lock held, after the
 * inventory. */
void ims__proof_hardware(struct ims_compute *c, struct ims_device_id id, char *out, size_t size);

#endif
