/* What this process takes. Thread-safe. 0 where the system does not say.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_BASE_PROCESS_H
#define IMS_BASE_PROCESS_H

#include <stdint.h>

uint64_t ims__resident_bytes(void); /* memory in use now, shared pages included */
unsigned ims__open_files(void);

#endif
