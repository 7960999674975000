/* The contract as a page for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_HTTP_API_DOCS_PAGE_H
#define IMS_HTTP_API_DOCS_PAGE_H

#include "base/buf.h"
#include "http/spec.h"

ims_status ims__docs_page(const struct ims_spec *spec, struct ims_buf *out, ims_err *err) IMS_MUST_CHECK;

#endif
