/* The progress line: redrawn in place on a terminal, plain lines now and then elsewhere.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_CLI_PROGRESS_H
#define IMS_CLI_PROGRESS_H

#include "ims/engine.h"

struct cli_progress {
    bool is_terminal;
    bool is_quiet;
    bool is_drawn; /* a line stands on the terminal and must be cleared before anything else; see ims__log_pause */
    double next_line_s;
};

/* Log lines clear the drawn line first, from now until cli_progress_end. p must live so long. */
void cli_progress_init(struct cli_progress *p, bool is_terminal, bool is_quiet);
void cli_progress_show(struct cli_progress *p, const struct ims_index_progress *now);
void cli_progress_end(struct cli_progress *p);
/* The text without bar, e.g. "120/500 pictures, 25.1/s, 0:15 left, 2 failed". For tests as well. */
void cli_progress_text(const struct ims_index_progress *now, char *out, size_t size);

#endif
