/* The jobs that workers know, one IMS_WORK(func, handler) a line; included where something is made of each.
 * SPDX-License-Identifier: Apache-2.0 */

/* ---- indexing ---- */
IMS_WORK(ingest, ims__work_ingest) /* {path} */
IMS_WORK(train, ims__work_train)   /* {session, generation, retryFailed} */

/* ---- faces ---- */

/* ---- people ---- */

/* ---- upkeep ---- */
