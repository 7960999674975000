/* Pages: one HTML file with the pictures inside.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/cli.h"

#include <string.h>

#define SHEET_PX 256

static const char head[] =
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    "body{font:15px/1.4 system-ui,sans-serif;margin:2rem;background:#fafafa;color:#222}\n"
    "main{display:grid;grid-template-columns:repeat(auto-fill,minmax(200px,1fr));gap:1rem}\n"
    "figure{margin:0;background:#fff;border:1px solid #ddd;border-radius:6px;overflow:hidden}\n"
    "img,.none{display:block;width:100%;aspect-ratio:1;object-fit:contain;background:#eee}\n"
    "figcaption{padding:.5rem;overflow-wrap:anywhere;font-size:13px}\nb{font-variant-numeric:tabular-nums}\n"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}figure{background:#222;"
    "border-color:#333}img,.none{background:#111}}\n</style>\n";

void cli_html_text(struct ims_buf *b, const char *bytes)
{
    struct ims_buf shown;

    ims__buf_init(&shown, (size_t)1 << 20);
    (void)ims__display(bytes, strlen(bytes), &shown);
    ims__html_add(b, shown.data);
    ims__buf_release(&shown);
}

void cli_html_start(struct ims_buf *b, const char *title)
{
    (void)ims__buf_add_str(b, head);
    (void)ims__buf_add_str(b, "<title>");
    cli_html_text(b, title);
    (void)ims__buf_add_str(b, "</title>\n<h1>");
    cli_html_text(b, title);
    (void)ims__buf_add_str(b, "</h1>\n");
}

void cli_html_jpeg(struct ims_buf *b, const uint8_t *jpeg, size_t n)
{
    (void)ims__buf_add_str(b, "data:image/jpeg;base64,");
    (void)ims__base64(jpeg, n, b);
}

ims_status cli_html_write(struct ims_buf *b, const char *path, ims_err *err)
{
    ims_status st = ims__buf_status(b);

    if (st)
        return ims_fail(err, st, "cli", 0, "the page is too large");
    return ims__write_file(path, b->data, b->len, err);
}

/* One picture. A thumbnail that cannot be had (the file is gone) leaves an empty frame, not a hole in
 * the list. */
static void add_figure(struct ims_engine *e, struct ims_buf *b, const struct ims_search_hit *hit)
{
    uint8_t *jpeg = NULL;
    size_t n = 0;

    (void)ims__buf_add_str(b, "<figure>");
    if (ims_engine_thumbnail(e, hit->asset.id, SHEET_PX, &jpeg, &n, NULL) == IMS_OK) {
        (void)ims__buf_add_str(b, "<img alt=\"\" src=\"");
        cli_html_jpeg(b, jpeg, n);
        (void)ims__buf_add_str(b, "\">");
    } else {
        (void)ims__buf_add_str(b, "<div class=\"none\"></div>");
    }
    ims_engine_free(jpeg);
    (void)ims__buf_addf(b, "<figcaption><b>%.3f</b> ", (double)hit->score);
    cli_html_text(b, hit->asset.path);
    (void)ims__buf_add_str(b, "</figcaption></figure>\n");
}

ims_status cli_write_html(struct ims_engine *e, const struct ims_search_results *r, const char *title,
                          const char *model, const char *path, ims_err *err)
{
    struct ims_buf b;
    ims_status st;

    ims__buf_init(&b, IMS_GIB);
    cli_html_start(&b, title);
    (void)ims__buf_addf(&b, "<p>%zu of %zu pictures, model ", r->n, r->total);
    cli_html_text(&b, model);
    (void)ims__buf_add_str(&b, "</p>\n<main>\n");
    for (size_t i = 0; i < r->n; i++)
        add_figure(e, &b, &r->hits[i]);
    (void)ims__buf_add_str(&b, "</main>\n");
    st = cli_html_write(&b, path, err);
    ims__buf_release(&b);
    return st;
}
