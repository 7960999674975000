/* The store's suite: on SQLite, or on PostgreSQL when IMS_TEST_POSTGRES_URL is set.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

TEST_MAIN
