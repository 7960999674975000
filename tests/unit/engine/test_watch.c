/* The watcher's parts: when a folder is handed over, what the kernel tells, what polling finds, and what happens when
 * watches run out or a root goes away.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine_parts.h"
#include "engine/walk.h"
#include "engine/watch.h"
#include "engine/watch_dirty.h"
#include "engine/watch_poll.h"
#include "harness/test.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#define S ((uint64_t)1000000000)

/* ---- when ---- */

TEST(dirty_quiet, "a folder is handed over once it was quiet for the debounce time, however often it changed before")
{
    struct ims_dirty d = { .debounce_ns = S };

    CHECK(ims__dirty_folder(&d, "/a", false, 10 * S));
    CHECK(ims__dirty_folder(&d, "/a", true, 10 * S + S / 2));
    CHECK(ims__dirty_folder(&d, "/b", false, 10 * S));
    CHECK_INT(ims__dirty_take(&d, 11 * S), 1); /* /b */
    ims__dirty_done(&d, false);
    CHECK_INT(ims__dirty_take(&d, 12 * S), 2);
    ims__dirty_done(&d, true);
    CHECK_INT(d.n, 0);
    for (uint64_t t = 0; t < 60; t++) /* never quiet: it is handed over all the same */
        CHECK(ims__dirty_folder(&d, "/a", false, t * S));
    CHECK_INT(ims__dirty_take(&d, 59 * S), 1);
    ims__dirty_done(&d, true);
    CHECK(ims__dirty_folder(&d, "/a", false, 100 * S));
    CHECK(ims__dirty_folder(&d, "/b", true, 100 * S));
    ims__dirty_file(&d, "/a/x.jpg", true, 100 * S);
    ims__dirty_file(&d, "/b/c/y.jpg", true, 100 * S);
    CHECK_INT(ims__dirty_take(&d, 105 * S), 0);
    ims__dirty_file(&d, "/b/c/y.jpg", false, 105 * S);
    CHECK_INT(ims__dirty_take(&d, 105 * S), 1); /* /b */
    ims__dirty_done(&d, true);
    CHECK_INT(ims__dirty_take(&d, 159 * S), 0);
    CHECK_INT(ims__dirty_take(&d, 161 * S), 1); /* open, but nobody writes */
    ims__dirty_release(&d);
}

TEST(dirty_many, "more folders than are kept apart are refused")
{
    struct ims_dirty d = { .debounce_ns = S };
    char path[40];
    unsigned n = 0;

    do
        snprintf(path, sizeof(path), "/photos/%u", n++);
    while (ims__dirty_folder(&d, path, false, S) && n < 100000);
    CHECK(n > 100 && n <= IMS_DIRTY_MAX_FOLDERS + 1);
    ims__dirty_release(&d);
}

/* ---- what is told ---- */

struct heard {
    unsigned n_folders, n_deep, n_lost, n_full, n_away;
    char last[900];
};

static void on_folder(void *arg, const char *folder, bool is_deep)
{
    struct heard *h = arg;

    h->n_folders++;
    h->n_deep += is_deep;
    snprintf(h->last, sizeof(h->last), "%s", folder);
}

static void on_file(void *arg, const char *path, bool is_open)
{
    (void)arg;
    (void)path;
    (void)is_open;
}

static void on_away(void *arg, const char *root)
{
    (void)root;
    ((struct heard *)arg)->n_away++;
}

static void on_lost(void *arg)
{
    ((struct heard *)arg)->n_lost++;
}

static void on_full(void *arg)
{
    ((struct heard *)arg)->n_full++;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static struct ims_watch_sink sink_of(struct heard *h)
{
    return (struct ims_watch_sink){ h, on_folder, on_file, on_away, on_lost, on_full, never };
}

static bool write_text(const char *dir, const char *name, const char *text)
{
    char path[900];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

#ifdef __linux__
TEST(events, "inotify's events are told by folder; other files, hidden folders and what was cut short are handled")
{
    const char *dir = test_tmp_dir();
    struct inotify_event overflow = { .wd = -1, .mask = IN_Q_OVERFLOW }, cut = { .wd = 1, .mask = IN_CREATE, .len = 16 };
    struct heard h = { 0 };
    struct ims_watch_sink sink = sink_of(&h);
    struct ims_events *e = NULL;
    char path[900];
    ims_err err;

    CHECK_OK(ims__events_open(&e, 0, &sink, &err), err);
    CHECK_OK(ims__events_add(e, dir, &err), err);
    CHECK(write_text(dir, "notes.txt", "x"));
    snprintf(path, sizeof(path), "%s/.hidden", dir);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_OK(ims__events_read(e, &err), err);
    CHECK_INT(h.n_folders, 0);
    CHECK(write_text(dir, "x.jpg", "x"));
    CHECK_OK(ims__events_read(e, &err), err);
    CHECK(h.n_folders > 0 && h.n_deep == 0);
    CHECK_STR(h.last, dir);
    snprintf(path, sizeof(path), "%s/sub", dir);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_OK(ims__events_read(e, &err), err);
    CHECK_INT(h.n_deep, 1);
    CHECK_STR(h.last, path);
    CHECK_INT(ims__events_n_folders(e), 2);
    CHECK(rmdir(path) == 0);
    CHECK_OK(ims__events_read(e, &err), err);
    CHECK_INT(ims__events_n_folders(e), 1);
    CHECK_INT(h.n_lost, 0);
    ims__events_take(e, &overflow, sizeof(overflow));
    CHECK_INT(h.n_lost, 1);
    ims__events_take(e, &cut, sizeof(cut));
    CHECK_INT(h.n_lost, 2);
    ims__events_close(e);
}

TEST(D_O16_names, "D-O16: the watcher hears of the same names that a walk takes, whatever their case")
{
    static const char *const names[] = { "a.jpg", "a.JPEG", "a.Gif", "a.bmp", "a.webp", "a.heic", "a.TIF", "a.txt", "a.jpg.part", "._a.jpg", "jpg" };
    const char *dir = test_tmp_dir();
    struct ims_watch_sink sink;
    struct ims_events *e = NULL;
    struct heard h;
    ims_err err;

    sink = sink_of(&h);
    CHECK_OK(ims__events_open(&e, 0, &sink, &err), err);
    CHECK_OK(ims__events_add(e, dir, &err), err);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        h = (struct heard){ 0 };
        CHECK(write_text(dir, names[i], "x"));
        CHECK_OK(ims__events_read(e, &err), err);
        if ((h.n_folders > 0) != ims__walk_is_picture_name(names[i]))
            test_fail(__FILE__, __LINE__, "%s: heard of %u times", names[i], h.n_folders);
    }
    ims__events_close(e);
}

TEST(events_full, "a tree that needs more watches than there are is refused whole; one that grows beyond them says so")
{
    const char *dir = test_tmp_dir();
    struct heard h = { 0 };
    struct ims_watch_sink sink = sink_of(&h);
    struct ims_events *e = NULL;
    char path[900];
    ims_err err;

    snprintf(path, sizeof(path), "%s/a", dir);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_OK(ims__events_open(&e, 1, &sink, &err), err);
    CHECK_STATUS(ims__events_add(e, dir, &err), IMS_E_LIMIT, err);
    CHECK(strstr(err.text, "max_user_watches") != NULL);
    CHECK_INT(ims__events_n_folders(e), 0);
    ims__events_close(e);
    CHECK_OK(ims__events_open(&e, 2, &sink, &err), err);
    CHECK_OK(ims__events_add(e, dir, &err), err);
    snprintf(path, sizeof(path), "%s/b", dir);
    CHECK(mkdir(path, 0700) == 0);
    CHECK_OK(ims__events_read(e, &err), err);
    CHECK_INT(h.n_full, 1);
    ims__events_close(e);
}
#endif

TEST(polling, "polling tells of a folder when two looks agree, and of one without pictures at once")
{
    const char *dir = test_tmp_dir();
    struct heard h = { 0 };
    struct ims_watch_sink sink = sink_of(&h);
    struct ims_poll *p = NULL;
    size_t n_left = 9;
    char sub[900], file[1000];
    ims_err err;

    snprintf(sub, sizeof(sub), "%s/sub", dir);
    snprintf(file, sizeof(file), "%s/a.jpg", sub);
    CHECK(mkdir(sub, 0700) == 0 && write_text(dir, "x.jpg", "x"));
    CHECK_OK(ims__poll_open(&p, dir, &sink, &err), err);
    CHECK_OK(ims__poll_look(p, &err), err);
    CHECK_OK(ims__poll_look(p, &err), err);
    CHECK_INT(h.n_folders, 0);
    CHECK(write_text(sub, "a.jpg", "half"));
    CHECK_OK(ims__poll_look(p, &err), err);
    CHECK_INT(h.n_folders, 0);
    CHECK_INT(ims__poll_n_unsettled(p), 1);
    CHECK(write_text(sub, "a.jpg", "half and more"));
    CHECK_OK(ims__poll_settle(p, &n_left, &err), err);
    CHECK_INT(n_left, 1);
    CHECK_OK(ims__poll_settle(p, &n_left, &err), err);
    CHECK_INT(n_left, 0);
    CHECK_INT(h.n_folders, 1);
    CHECK_STR(h.last, sub);
    CHECK_OK(ims__poll_look(p, &err), err);
    CHECK_INT(h.n_folders, 1);
    CHECK(unlink(file) == 0);
    CHECK_OK(ims__poll_look(p, &err), err);
    CHECK_INT(h.n_folders, 2);
    CHECK_STR(h.last, sub);
    ims__poll_close(p);
}

/* ---- the watcher without a worker: its one job stays in the queue ---- */

struct watched {
    struct ims_engine *engine;
    struct ims_store *store;
    struct ims_arena arena;
    char root[600], notes[2000];
};

static void on_note(void *arg, bool is_warning, const char *text)
{
    char *notes = ((struct watched *)arg)->notes;
    size_t n = strlen(notes);

    snprintf(notes + n, 2000 - n, "%s%s\n", is_warning ? "! " : "", text);
}

static bool open_watched(struct watched *w)
{
    struct ims_engine_options o = { .data_dir = test_tmp_dir() };
    int64_t id;
    ims_err err;

    *w = (struct watched){ .engine = NULL };
    snprintf(w->root, sizeof(w->root), "%s", test_tmp_dir());
    ims__arena_init(&w->arena, 0);
    if (ims_engine_open(&w->engine, &o, &err) ||
        ims_store_add_root(ims__engine_store(w->engine), w->root, &id, &err)) {
        test_fail(__FILE__, __LINE__, "%s", err.text);
        return false;
    }
    w->store = ims__engine_store(w->engine);
    return true;
}

static void close_watched(struct watched *w)
{
    ims_engine_close(w->engine);
    ims__arena_release(&w->arena);
}

/* Waits for a job in the queue, checks that its arguments hold the words, and takes it out. */
static bool takes(struct watched *w, const char *has)
{
    for (struct test_wait wait = { 0 }; test_waits(&wait);) {
        struct ims_store_job j = { .id = 0 };
        ims_err err;

        if (ims_store_take_job(w->store, "test", &w->arena, &j, &err))
            break;
        if (j.id && !strstr(j.args_json, has))
            test_fail(__FILE__, __LINE__, "the job is %s; expected %s", j.args_json, has);
        if (j.id)
            return ims_store_end_job(w->store, "test", j.id, IMS_JOB_FINISHED, "{}", &err) == IMS_OK && strstr(j.args_json, has);
    }
    test_fail(__FILE__, __LINE__, "no job came with %s", has);
    return false;
}

static bool becomes_away(struct ims_watch *watch, size_t n)
{
    struct ims_watch_status s = { .n_roots = 0 };

    for (struct test_wait wait = { 0 }; test_waits(&wait);) {
        ims__watch_status(watch, &s);
        if (s.n_roots == 1 && s.n_away == n)
            return true;
    }
    return false;
}

static void check_polled(struct watched *w, const struct ims_watch_options *o)
{
    struct ims_watch_status s;
    struct ims_watch *watch = NULL;
    char sub[700];
    ims_err err;

    snprintf(sub, sizeof(sub), "%s/sub", w->root);
    CHECK(mkdir(sub, 0700) == 0 && write_text(w->root, "x.jpg", "x"));
    CHECK_OK(ims__watch_open(&watch, w->engine, o, &err), err);
    CHECK(takes(w, "\"deep\":[\"/")); /* the whole root, at the start */
    ims__watch_status(watch, &s);
    CHECK_INT(s.n_polled, 1);
    CHECK(!s.is_listening);
    CHECK(write_text(sub, "a.jpg", "x"));
    CHECK(takes(w, "/sub\"]"));
    ims__watch_close(watch);
}

TEST(watch_polls, "a system without watches to give is polled, and the operator is told once")
{
    struct watched w;
    const struct ims_watch_options polling = { .debounce_s = 0.05, .poll_s = 0.2, .is_polling = true };
    struct ims_watch_options few = { .debounce_s = 0.05, .poll_s = 0.2, .max_watches = 1, .on_note = on_note, .arg = &w };

    CHECK(open_watched(&w));
    check_polled(&w, &polling);
    CHECK_STR(w.notes, "");
    close_watched(&w);
    CHECK(open_watched(&w));
    check_polled(&w, &few);
#ifdef __linux__
    CHECK(strstr(w.notes, "! ") && strstr(w.notes, "max_user_watches") && strchr(w.notes, '\n')[1] == '\0');
#endif
    close_watched(&w);
}

TEST(watch_away, "a root that goes away is no reason to look, it is told, and it is looked at when it is back")
{
    struct watched w;
    struct ims_watch_options o = { .debounce_s = 0.05, .on_note = on_note, .arg = &w };
    struct ims_watch *watch = NULL;
    char elsewhere[700];
    ims_err err;

    CHECK(open_watched(&w));
    snprintf(elsewhere, sizeof(elsewhere), "%s-elsewhere", w.root);
    CHECK(write_text(w.root, "x.jpg", "x"));
    CHECK_OK(ims__watch_open(&watch, w.engine, &o, &err), err);
    CHECK(takes(&w, "\"deep\":[\"/"));
    CHECK(becomes_away(watch, 0));
    CHECK(rename(w.root, elsewhere) == 0);
    CHECK(becomes_away(watch, 1));
    CHECK(strstr(w.notes, "is not there") != NULL);
    CHECK(rename(elsewhere, w.root) == 0);
    CHECK(takes(&w, "\"deep\":[\"/"));
    ims__watch_close(watch);
    o.debounce_s = 0.01;
    CHECK_STATUS(ims__watch_open(&watch, w.engine, &o, &err), IMS_E_CONFIG, err);
    o.debounce_s = 1;
    o.poll_s = -1;
    CHECK_STATUS(ims__watch_open(&watch, w.engine, &o, &err), IMS_E_CONFIG, err);
    close_watched(&w);
}

TEST_MAIN
