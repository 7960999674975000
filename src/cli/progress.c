/* The progress line on stderr.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define BAR_CELLS 16 /* with the text it stays below 80 columns, so that it can be redrawn */
#define PLAIN_LINE_S 5.0

static void clear_line(void *arg)
{
    struct cli_progress *p = arg;

    if (p->is_drawn)
        fputs("\r\033[K", stderr);
    p->is_drawn = false;
}

void cli_progress_init(struct cli_progress *p, bool is_terminal, bool is_quiet)
{
    *p = (struct cli_progress){ .is_terminal = is_terminal, .is_quiet = is_quiet, .next_line_s = PLAIN_LINE_S };
    ims__log_set_before(clear_line, p);
}

static void format_span(double seconds, char *out, size_t size)
{
    long s = (long)(seconds + 0.5);

    if (s >= 3600)
        snprintf(out, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%ld:%02ld", s / 60, s % 60);
}

void cli_progress_text(const struct ims_index_progress *now, char *out, size_t size)
{
    char left[32], eta[48] = "", failed[48] = "";

    if (now->total == 0) {
        snprintf(out, size, "%llu pictures found, none of them new so far", (unsigned long long)now->found);
        return;
    }
    if (now->eta_s >= 0 && !now->is_walking && now->done < now->total) {
        format_span(now->eta_s, left, sizeof(left));
        snprintf(eta, sizeof(eta), ", %s left", left);
    }
    if (now->failed)
        snprintf(failed, sizeof(failed), ", %llu failed", (unsigned long long)now->failed);
    snprintf(out, size, "%llu/%llu%s pictures, %.1f/s%s%s", (unsigned long long)now->done,
             (unsigned long long)now->total, now->is_walking ? "+" : "", now->rate, eta, failed);
}

struct drawing {
    struct cli_progress *progress;
    const struct ims_index_progress *now;
    const char *text;
};

/* No log line comes between, and it is the log that clears what was drawn: one lock guards both. */
static void draw(void *arg)
{
    const struct drawing *d = arg;
    const struct ims_index_progress *now = d->now;
    char bar[BAR_CELLS + 1];
    int filled = now->total ? (int)(now->done * BAR_CELLS / now->total) : 0;

    for (int i = 0; i < BAR_CELLS; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[BAR_CELLS] = '\0';
    fprintf(stderr, "\r\033[K[%s] %s", bar, d->text);
    d->progress->is_drawn = true;
}

void cli_progress_show(struct cli_progress *p, const struct ims_index_progress *now)
{
    char text[160];

    if (p->is_quiet || (now->total == 0 && !now->is_walking))
        return;
    cli_progress_text(now, text, sizeof(text));
    if (p->is_terminal) {
        ims__log_pause(draw, &(struct drawing){ p, now, text });
    } else if (now->elapsed_s >= p->next_line_s) {
        fprintf(stderr, "%s\n", text);
        p->next_line_s = now->elapsed_s + PLAIN_LINE_S;
    }
}

void cli_progress_end(struct cli_progress *p)
{
    ims__log_pause(clear_line, p);
    ims__log_set_before(NULL, NULL);
}
