/* The watcher with real files: what appears, changes, moves and goes below the library's folder while it serves. And what
 * the service manager hears.
 * SPDX-License-Identifier: Apache-2.0 */
#include "serving.h"

#include "harness/http_client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS "/api/v1/system/watcher/status"
#define N_BURST 2000
#define N_FOLDERS 600 /* more than the watcher keeps apart */

static const char *const watching[] = { "WATCH_ENABLED=true", "WATCH_AUTO_TRAIN=true", "WATCH_DEBOUNCE_SECONDS=0.2", NULL };

static int ask(const struct serving *s, const char *method, const char *path, const char *body, const char *has)
{
    struct http_reply r;
    int status;

    http_json(&r, s->port, method, path, body);
    status = r.status;
    if (has && !strstr(r.body, has))
        test_fail(__FILE__, __LINE__, "%s %s: %d %.600s; expected %s", method, path, r.status, r.body, has);
    http_reply_release(&r);
    return status;
}

/* Asks until the reply holds the words. */
static bool comes(const struct serving *s, const char *method, const char *path, const char *body, const char *has)
{
    char last[600] = "";

    for (struct test_wait w = { 0 }; test_waits(&w);) {
        struct http_reply r;
        bool is_there;

        http_json(&r, s->port, method, path, body);
        is_there = strstr(r.body, has) != NULL;
        snprintf(last, sizeof(last), "%s", r.body);
        http_reply_release(&r);
        if (is_there)
            return true;
    }
    test_fail(__FILE__, __LINE__, "%s never said %s: %s", path, has, last);
    return false;
}

/* Waits until searches go over n pictures. */
static bool finds(const struct serving *s, unsigned n)
{
    char want[40];

    snprintf(want, sizeof(want), "\"total\":%u,", n);
    return comes(s, "POST", "/api/v1/search", "{\"query\":\"a red car\",\"limit\":1}", want);
}

static long long number(const struct serving *s, const char *path, const char *key)
{
    struct http_reply r;
    const char *at;
    long long n = -1;

    http_json(&r, s->port, "GET", path, NULL);
    at = strstr(r.body, key);
    if (at)
        n = strtoll(at + strlen(key), NULL, 10);
    http_reply_release(&r);
    return n;
}

static const char *in_photos(const struct serving *s, const char *name)
{
    static char path[4][900];
    static unsigned next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[next]), "%s/%s", s->library.photos, name);
    return path[next];
}

static bool copy_in(struct serving *s, size_t picture, const char *name)
{
    library_copy(&s->library, library_demo_jpeg(picture), name);
    return !test_has_failed();
}

/* A folder beside the library's, on the same disk. */
static const char *outside(const struct serving *s)
{
    static char path[700];

    snprintf(path, sizeof(path), "%s-outside", s->library.data);
    return path;
}

/* ---- files ---- */

/* The first half of a picture, then something else, then the rest: the half is never looked at. */
static void write_slowly(struct serving *s)
{
    size_t n = 0;
    char *bytes = test_read_file(test_source_path(library_demo_jpeg(5)), &n);
    int fd = open(in_photos(s, "slow.jpg"), O_WRONLY | O_CREAT | O_EXCL, 0600);

    CHECK(fd >= 0 && write(fd, bytes, n / 2) == (ssize_t)(n / 2));
    CHECK(mkdir(in_photos(s, "other"), 0700) == 0);
    CHECK(copy_in(s, 6, "other/quick.jpg"));
    CHECK(finds(s, 4));
    CHECK_INT(ask(s, "GET", "/health", NULL, "\"failed\":0,\"queued\":0"), 200);
    CHECK(write(fd, bytes + n / 2, n - n / 2) == (ssize_t)(n - n / 2));
    close(fd);
    free(bytes);
    CHECK(finds(s, 5));
    CHECK_INT(ask(s, "GET", "/health", NULL, "\"failed\":0,\"queued\":0"), 200);
}

TEST(watch_files, "files that are created, written slowly, replaced, moved in, out and deleted are followed")
{
    struct serving s;
    char out[900];

    if (!serving_open(&s, 2, watching))
        return;
    CHECK(comes(&s, "GET", STATUS, NULL, "\"running\":true,\"file_watcher_active\":true,\"auto_train\":true,\"debounce_seconds\":0.2"));
    CHECK(copy_in(&s, 3, "new.jpg"));
    CHECK(finds(&s, 3));
    write_slowly(&s);
    CHECK(mkdir(outside(&s), 0700) == 0);
    snprintf(out, sizeof(out), "%s/away.jpg", outside(&s));
    CHECK(rename(in_photos(&s, "new.jpg"), out) == 0);
    CHECK(finds(&s, 4));
    CHECK(rename(out, in_photos(&s, "upload.jpg.part")) == 0); /* no picture yet */
    CHECK(rename(in_photos(&s, "upload.jpg.part"), in_photos(&s, "upload.jpg")) == 0);
    CHECK(finds(&s, 5));
    CHECK(unlink(in_photos(&s, "p00.jpg")) == 0);
    CHECK(unlink(in_photos(&s, "other/quick.jpg")) == 0);
    CHECK(finds(&s, 3));
    CHECK_INT(number(&s, "/health", "\"assets\":"), 3);
    serving_stop(&s, SIGTERM);
}

/* ---- folders ---- */

TEST(watch_folders, "folders that come with pictures in them, are renamed, moved out and deleted are followed; pictures keep their id")
{
    struct serving s;
    char from[900], path[60];
    long long id;

    if (!serving_open(&s, 1, watching))
        return;
    CHECK(comes(&s, "GET", STATUS, NULL, "\"mode\":\"events\""));
    snprintf(from, sizeof(from), "%s/in", outside(&s));
    CHECK(mkdir(outside(&s), 0700) == 0);
    CHECK(mkdir(in_photos(&s, "deep"), 0700) == 0 && mkdir(in_photos(&s, "deep/er"), 0700) == 0);
    CHECK(copy_in(&s, 2, "deep/a.jpg") && copy_in(&s, 3, "deep/er/b.jpg"));
    CHECK(finds(&s, 3));
    id = number(&s, "/api/v1/assets?page_size=1", "{\"id\":");
    CHECK(rename(in_photos(&s, "deep"), in_photos(&s, "renamed")) == 0);
    snprintf(path, sizeof(path), "/api/v1/assets/%lld", id);
    CHECK(comes(&s, "GET", path, NULL, "/renamed/"));
    CHECK(finds(&s, 3));
    CHECK(copy_in(&s, 4, "renamed/er/c.jpg")); /* it is followed under its new name */
    CHECK(finds(&s, 4));
    CHECK(mkdir(in_photos(&s, "M\xe4rz 'n\\x"), 0700) == 0); /* no UTF-8 */
    CHECK(copy_in(&s, 5, "M\xe4rz 'n\\x/d.jpg"));
    CHECK(finds(&s, 5));
    CHECK(unlink(in_photos(&s, "M\xe4rz 'n\\x/d.jpg")) == 0);
    CHECK(finds(&s, 4));
    CHECK(rename(in_photos(&s, "renamed"), from) == 0);
    CHECK(finds(&s, 1));
    CHECK(rename(from, in_photos(&s, "back")) == 0);
    CHECK(finds(&s, 4));
    CHECK(unlink(in_photos(&s, "back/er/b.jpg")) == 0 && unlink(in_photos(&s, "back/er/c.jpg")) == 0);
    CHECK(rmdir(in_photos(&s, "back/er")) == 0);
    CHECK(finds(&s, 2));
    serving_stop(&s, SIGTERM);
}

/* ---- very many ---- */

TEST(watch_burst, "a burst of 2,000 files and one over 600 folders are a few jobs, and nothing is missed")
{
    struct serving s;
    char name[60];

    if (!serving_open(&s, 1, watching))
        return;
    CHECK(comes(&s, "GET", STATUS, NULL, "\"mode\":\"events\""));
    kill(s.pid, SIGSTOP); /* all is there when it looks, however slowly it came */
    for (unsigned i = 0; i < N_BURST; i++) {
        snprintf(name, sizeof(name), "burst%04u.jpg", i);
        CHECK(link(in_photos(&s, "p00.jpg"), in_photos(&s, name)) == 0);
    }
    kill(s.pid, SIGCONT);
    CHECK(finds(&s, 1 + N_BURST));
    CHECK(number(&s, STATUS, "\"jobs\":") <= 8);
    kill(s.pid, SIGSTOP);
    for (unsigned i = 0; i < N_FOLDERS; i++) {
        snprintf(name, sizeof(name), "many%03u", i);
        CHECK(mkdir(in_photos(&s, name), 0700) == 0);
        snprintf(name, sizeof(name), "many%03u/x.jpg", i);
        CHECK(link(in_photos(&s, "p00.jpg"), in_photos(&s, name)) == 0);
    }
    kill(s.pid, SIGCONT);
    CHECK(finds(&s, 1 + N_BURST + N_FOLDERS));
    CHECK(number(&s, STATUS, "\"overflows\":") >= 1);
    CHECK(copy_in(&s, 1, "many599/y.jpg"));
    CHECK(finds(&s, 2 + N_BURST + N_FOLDERS));
    CHECK_INT(ask(&s, "GET", "/health", NULL, "\"failed\":0,\"queued\":0"), 200);
    serving_stop(&s, SIGTERM);
}

/* ---- on and off ---- */

TEST(watch_switch, "the watcher is started and stopped by its routes; at its start it finds what it missed; without training pictures wait")
{
    static const char *const env[] = { "WATCH_DEBOUNCE_SECONDS=0.2", NULL };
    struct serving s;

    if (!serving_open(&s, 2, env))
        return;
    CHECK_INT(ask(&s, "GET", STATUS, NULL, "\"enabled\":false,\"running\":false,\"file_watcher_active\":false,\"auto_train\":false"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/system/watcher/stop", NULL, "\"running\":false"), 200);
    CHECK(copy_in(&s, 3, "missed.jpg"));
    CHECK(unlink(in_photos(&s, "p00.jpg")) == 0);
    CHECK_INT(ask(&s, "POST", "/api/v1/system/watcher/start", NULL, "\"running\":true"), 200);
    CHECK_INT(ask(&s, "POST", "/api/v1/system/watcher/start", NULL, "\"running\":true"), 200);
    CHECK(comes(&s, "GET", "/health", NULL, "\"assets\":2,\"done\":1,\"failed\":0,\"queued\":1"));
    CHECK(finds(&s, 1));
    CHECK_INT(ask(&s, "POST", "/api/v1/system/watcher/stop", NULL, "\"running\":false,\"file_watcher_active\":false"), 200);
    CHECK_INT(ask(&s, "GET", STATUS, NULL, s.library.photos), 200);
    serving_stop(&s, SIGTERM);
}

/* ---- systemd ---- */

/* What comes to a socket within the time, as text. */
static const char *told(int fd)
{
    static char text[200];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    ssize_t n = poll(&p, 1, TEST_PATIENCE_MS) > 0 ? recv(fd, text, sizeof(text) - 1, 0) : 0;

    text[n > 0 ? n : 0] = '\0';
    return text;
}

TEST(told_systemd, "the service manager is told when requests are answered, and when the service ends")
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    char variable[140];
    const char *env[] = { variable, NULL };
    struct serving s;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", test_tmp_dir());
    snprintf(variable, sizeof(variable), "NOTIFY_SOCKET=%s", at.sun_path);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0);
    if (!serving_open(&s, 1, env))
        return;
    CHECK_STR(told(fd), "READY=1");
    CHECK_INT(ask(&s, "GET", "/ready", NULL, "ready"), 200);
    serving_stop(&s, SIGTERM);
    CHECK_STR(told(fd), "STOPPING=1");
    close(fd);
}

TEST_MAIN
