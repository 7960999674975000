/* Keys by which clients follow a background job: "find_more:progress:PERSON:JOB", "find_more_centroid:progress:PERSON:JOB"
 * and, for every job, "job:JOB:progress". A key carries the job's name and stands for its row, so it is there as soon as
 * the job is, and for an hour after its end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_API_PROGRESS_H
#define IMS_HTTP_API_API_PROGRESS_H

#include "http/api/api.h"
#include "store/jobs.h"

#define IMS_API_PROGRESS_KEY_BYTES 140

/* The key of a job; out: IMS_API_PROGRESS_KEY_BYTES. person_id: whom a find-more job is about; other jobs ignore it. */
const char *ims__api_progress_key(const char *func, int64_t person_id, int64_t job_id, char *out);

/* Puts a job about a person (person_id 0: about none) into the queue; args_json names the person as "person". An
 * unfinished job of the same key is that job. */
ims_status ims__api_push(struct ims_http_context *cx, const struct ims_store_job *job, int64_t *out_id, ims_err *err)
    IMS_MUST_CHECK;

#endif
